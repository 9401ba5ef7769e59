//! The consent text that readers agree to, and whether they did. Pure.

use crate::polls::answer::Sent;
use crate::polls::model::Poll;
use crate::polls::voter::Voter;
use crate::types::ReaderId;

/// The consent text beside the box of a linked poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkWords {
    /// Each text has one version number, unique in the installation; it is sent with the form and kept as evidence.
    pub version: i64,
    pub text: String,
}

/// The text that an editor starts from.
pub const SUGGESTED: &str = "My answer may be kept together with my email address, so that the editors can see what I answered and write to me about \
     it. I can withdraw this at any time.";

/// The longest consent text, in characters.
pub const MAX_LINK_CHARS: usize = 500;

/// Why a text cannot be used for consent.
pub fn fault(words: &str) -> Option<&'static str> {
    let fits = !words.is_empty()
        && words.chars().count() <= MAX_LINK_CHARS
        && !words.chars().any(char::is_control);
    (!fits).then_some("Write what readers agree to, in one paragraph of at most 500 characters")
}

/// Whether the box was ticked for the consent text that the poll has now.
pub fn is_agreed(poll: &Poll, sent: &Sent) -> bool {
    match (&poll.linking, &sent.link) {
        (Some(words), Some(given)) => {
            // A publisher's own form may send just "yes".
            *given == words.version.to_string() || matches!(given.as_str(), "on" | "yes" | "true")
        }
        _ => false,
    }
}

/// Whether a known reader agreed to the link, with an answer to a linked poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    pub reader: ReaderId,
    pub agreed: bool,
}

impl Tick {
    /// `None` for secret polls, and for voters who are not known readers.
    pub fn of(poll: &Poll, voter: &Voter, sent: &Sent) -> Option<Self> {
        poll.linking.as_ref()?;
        let reader = super::reader_of(voter)?;
        let agreed = is_agreed(poll, sent);
        Some(Self { reader, agreed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::example;

    fn sent(link: Option<&str>) -> Sent {
        Sent {
            link: link.map(str::to_owned),
            ..Sent::options(["1"])
        }
    }

    #[test]
    fn only_a_tick_under_the_words_of_the_poll_agrees() {
        let mut poll = example::single(&["a", "b"]);
        for given in [None, Some("7"), Some("on")] {
            assert!(
                !is_agreed(&poll, &sent(given)),
                "{given:?} in a secret poll"
            );
            assert_eq!(
                Tick::of(&poll, &Voter::Subscriber(ReaderId(3)), &sent(given)),
                None
            );
        }
        poll.linking = Some(LinkWords {
            version: 7,
            text: SUGGESTED.into(),
        });
        for (given, agreed) in [
            (None, false),
            (Some(""), false),
            (Some("0"), false),
            (Some("6"), false),
            (Some("7"), true),
            (Some("on"), true),
        ] {
            assert_eq!(is_agreed(&poll, &sent(given)), agreed, "{given:?}");
            let reader = ReaderId(3);
            assert_eq!(
                Tick::of(&poll, &Voter::SignedIn(reader), &sent(given)),
                Some(Tick { reader, agreed })
            );
            let browser = Voter::Browser("x".into());
            assert_eq!(Tick::of(&poll, &browser, &sent(given)), None);
        }
    }

    #[test]
    fn the_words_are_a_paragraph() {
        assert_eq!(fault(SUGGESTED), None);
        for bad in ["", "two\nlines", &"x".repeat(501)] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
