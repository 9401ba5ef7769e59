//! The states of a subscription and the policies round it: pure, with `now` as a value.

use std::time::Duration;

use crate::types::{NewsletterId, ReaderId, UnixMillis};

pub use crate::types::SubscriptionState as State;

/// Why an address must not be mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suppression {
    HardBounce,
    Complaint,
    Editor,
    Erased,
}

impl Suppression {
    /// How it stands in the database.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::HardBounce => 1,
            Self::Complaint => 2,
            Self::Editor => 3,
            Self::Erased => 4,
        }
    }

    /// What log lines call the one of this code.
    #[must_use]
    pub const fn name_of(code: i16) -> &'static str {
        match code {
            1 => "bounce",
            2 => "complaint",
            3 => "editor",
            4 => "erasure",
            _ => "unknown",
        }
    }

    /// Whether the owner of the address can end it by a fresh double opt-in. A complaint and an editor's decision stand until an
    /// editor lifts them: anybody can type the address of somebody who has called our mail spam, and one more mail would prove them right.
    /// What an unknown code means is not ours to guess: it stands.
    #[must_use]
    pub const fn ends_by_opt_in(code: i16) -> bool {
        code == Self::HardBounce.code() || code == Self::Erased.code()
    }
}

/// What is known of an address when somebody asks to subscribe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The code of a [`Suppression`].
    pub suppressed: Option<i16>,
    pub reader: Option<ReaderId>,
    /// The code of the [`State`] of the subscription asked for.
    pub state: Option<i16>,
    /// Mails that anybody could trigger, about any newsletter, since [`MailCaps::window_start`].
    pub mails: i64,
    /// The last of them about the newsletter asked for.
    pub last_mail: Option<UnixMillis>,
}

/// What is mailed in answer to a request. Whoever asked sees the same page in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A link that confirms.
    Confirmation,
    /// That there is nothing to confirm.
    AlreadySubscribed(ReaderId),
    Nothing(Silence),
}

/// Why nothing is mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Enough was mailed to this address lately.
    Capped,
    Suppressed,
}

impl Standing {
    /// Decides what is mailed.
    #[must_use]
    pub fn answer(&self, caps: MailCaps, now: UnixMillis) -> Answer {
        if !caps.allow(self.mails, self.last_mail, now) {
            return Answer::Nothing(Silence::Capped);
        }
        match (self.suppressed, self.reader) {
            (Some(reason), _) if !Suppression::ends_by_opt_in(reason) => {
                Answer::Nothing(Silence::Suppressed)
            }
            (None, Some(reader)) if self.state == Some(State::Active.code()) => {
                Answer::AlreadySubscribed(reader)
            }
            _ => Answer::Confirmation,
        }
    }
}

/// One of a reader's subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    pub newsletter: NewsletterId,
    pub slug: String,
    pub name: String,
    pub description: String,
    /// The code of a [`State`].
    pub state: i16,
    pub changed: UnixMillis,
}

impl Subscribed {
    /// Whether mails are sent.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == State::Active.code()
    }
}

/// How often anybody who can type an address may make us mail it.
///
/// Whoever really wants a newsletter gets its mail although somebody else has used the day up: about the same newsletter, the mails that
/// were triggered lie in the inbox, and their links work; about another one, its first mail of the day may go beyond the day's most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailCaps {
    /// The shortest time between two mails about one newsletter.
    pub pause: Duration,
    /// The most mails within 24 hours; twice as many with those that are the first about their newsletter.
    pub per_day: u32,
}

impl MailCaps {
    /// Since when mails count.
    #[must_use]
    pub fn window_start(now: UnixMillis) -> UnixMillis {
        now - Duration::from_secs(24 * 60 * 60)
    }

    /// Whether one more mail may go to an address that got `count` since [`window_start`](Self::window_start), the last one about this
    /// newsletter at `last`.
    #[must_use]
    pub fn allow(self, count: i64, last: Option<UnixMillis>, now: UnixMillis) -> bool {
        let most = i64::from(self.per_day);
        match last {
            Some(last) => count < most && now.since(last) >= self.pause,
            None => count < most * 2,
        }
    }
}

/// How long a reader who has left can take it back from the page that told them. After that a link in an old, perhaps forwarded mail
/// must not subscribe anybody: it takes a fresh double opt-in.
pub const UNDO_WITHIN: Duration = Duration::from_secs(60 * 60);

/// The age below which a submitted form was not filled in by a person.
pub const FASTEST_FORM: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_and_editors_decisions_outlive_a_fresh_opt_in() {
        assert!(Suppression::ends_by_opt_in(Suppression::HardBounce.code()));
        assert!(Suppression::ends_by_opt_in(Suppression::Erased.code()));
        assert!(!Suppression::ends_by_opt_in(Suppression::Complaint.code()));
        assert!(!Suppression::ends_by_opt_in(Suppression::Editor.code()));
        assert!(!Suppression::ends_by_opt_in(99));
    }

    #[test]
    fn what_is_mailed_depends_on_who_it_is() {
        let caps = MailCaps {
            pause: Duration::from_secs(600),
            per_day: 3,
        };
        let now = UnixMillis(1_000_000_000);
        let unknown = Standing {
            suppressed: None,
            reader: None,
            state: None,
            mails: 0,
            last_mail: None,
        };
        let known = Standing {
            reader: Some(ReaderId(7)),
            state: Some(State::Active.code()),
            ..unknown
        };
        let suppressed = |reason: Suppression| Standing {
            suppressed: Some(reason.code()),
            ..known
        };
        for (standing, answer) in [
            (unknown, Answer::Confirmation),
            (known, Answer::AlreadySubscribed(ReaderId(7))),
            (
                Standing {
                    state: Some(State::Left.code()),
                    ..known
                },
                Answer::Confirmation,
            ),
            (
                Standing {
                    state: None,
                    ..known
                },
                Answer::Confirmation,
            ),
            (
                suppressed(Suppression::Complaint),
                Answer::Nothing(Silence::Suppressed),
            ),
            (
                suppressed(Suppression::Editor),
                Answer::Nothing(Silence::Suppressed),
            ),
            (suppressed(Suppression::HardBounce), Answer::Confirmation),
            (suppressed(Suppression::Erased), Answer::Confirmation),
            (
                Standing {
                    mails: 1,
                    last_mail: Some(now),
                    ..known
                },
                Answer::Nothing(Silence::Capped),
            ),
        ] {
            assert_eq!(standing.answer(caps, now), answer, "{standing:?}");
        }
    }

    #[test]
    fn one_mail_in_ten_minutes_and_three_a_day() {
        let caps = MailCaps {
            pause: Duration::from_secs(600),
            per_day: 3,
        };
        let now = UnixMillis(1_000_000_000);
        let ago = |seconds| Some(now - Duration::from_secs(seconds));
        assert!(caps.allow(0, None, now));
        assert!(!caps.allow(1, ago(599), now));
        assert!(caps.allow(1, ago(600), now));
        assert!(!caps.allow(3, ago(7_000), now));
        assert!(caps.allow(5, None, now), "the first about its newsletter");
        assert!(!caps.allow(6, None, now), "and that is all");
        assert!(
            !caps.allow(1, Some(now + Duration::from_secs(5)), now),
            "a clock that went back does not open the gate"
        );
    }
}
