//! What a mail server's answer means. Pure, and decided by tables.
//!
//! Order: words of load and of the sender's affairs, then the enhanced code (RFC 3463), then words about the address, then the
//! reply code and the phase; see [`decide`].
//! "5xx is the recipient's fault" is wrong for most of the real world: only a code that speaks about the *address*
//! may cost a reader the subscription.

mod words;

use std::fmt;

use self::words::{Topic, plain, topic};

/// The step of the conversation that an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// TCP.
    Connect,
    /// The server's greeting.
    Greeting,
    /// STARTTLS or the TLS handshake.
    Tls,
    /// EHLO.
    Hello,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before the 354.
    Data,
    /// After the final dot.
    Dot,
}

impl Phase {
    /// Whether the answer is about the connection and so about no mail at all.
    #[must_use]
    pub fn before_mail(self) -> bool {
        matches!(
            self,
            Self::Connect | Self::Greeting | Self::Tls | Self::Hello | Self::Auth
        )
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Greeting => "greeting",
            Self::Tls => "TLS",
            Self::Hello => "EHLO",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Dot => "message",
        })
    }
}

/// A server's reply: its code, its enhanced code where it gave one, its words on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// `class.subject.detail` of RFC 3463.
    pub enhanced: Option<(u16, u16, u16)>,
    /// The words, enhanced code included, control characters replaced, at most [`Reply::MAX_TEXT`] characters.
    pub text: String,
}

impl Reply {
    /// The longest text that is kept.
    pub const MAX_TEXT: usize = 400;

    /// A reply with its words; finds the enhanced code at their beginning.
    #[must_use]
    pub fn new(code: u16, words: &str) -> Self {
        let text: String = words
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(Self::MAX_TEXT)
            .collect();
        let enhanced = text
            .split_whitespace()
            .find_map(|word| enhanced_code(word, code));
        Self {
            code,
            enhanced,
            text: text.trim().to_owned(),
        }
    }

    /// Reads the first reply in `raw`, more tolerantly than RFC 5321 asks for.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::nth(raw, 0)
    }

    /// Reads the reply number `index` in what a server said.
    #[must_use]
    pub fn nth(raw: &str, index: usize) -> Option<Self> {
        let mut words: Vec<&str> = Vec::new();
        let mut seen = 0;
        for line in raw.lines() {
            let code = line
                .get(..3)
                .filter(|c| c.bytes().all(|b| b.is_ascii_digit()));
            let code: u16 = code?.parse().ok()?;
            words.push(line.get(4..).unwrap_or(""));
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            if seen == index {
                return (200..600)
                    .contains(&code)
                    .then(|| Self::new(code, &words.join(" ")));
            }
            seen += 1;
            words.clear();
        }
        None
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

fn enhanced_code(word: &str, code: u16) -> Option<(u16, u16, u16)> {
    let word = word.trim_matches(|c: char| !c.is_ascii_digit());
    let mut parts = word.split('.');
    let mut part = || {
        parts
            .next()
            .filter(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|p| p.parse::<u16>().ok())
    };
    let found = (part()?, part()?, part()?);
    // RFC 2034 §4: the class agrees with the reply code; otherwise it is a version number or an address.
    (parts.next().is_none() && found.0 == code / 100).then_some(found)
}

/// What to do with a mail that was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again later; this counts as an attempt.
    Defer,
    /// This recipient does not get this mail.
    FailRecipient(Bounce),
    /// The server refuses *us* or this message: not the recipient's fault, and repeating does not help.
    FailOurs,
    /// The recipient's provider wants fewer mails for a while; no attempt is spent, and the relay goes on with others.
    SlowProvider,
    /// The relay wants no more mail for a while; no attempt is spent.
    PauseRelay,
}

/// What a refusal says about the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounce {
    /// There is no such address: never write to it again.
    Hard,
    /// The address may be good on another day.
    Soft,
}

/// Decides what a refusal in `phase` means for the mail. `reply.code` is 4xx or 5xx.
///
/// 1. Before MAIL everything is about the connection: the relay rests (a refused login too: trying on would lock us out).
/// 2. Words or codes of load (`[TSS04]`, `4.7.28`, "too many connections"): after RCPT they speak of this recipient's
///    provider, which the relay quotes or is; before, and with a plain 421, of the relay itself.
/// 3. 4xx: later. 5xx to MAIL: about us.
/// 4. 5xx to a recipient or message: words about the sender decide before any code, since servers give 5.1.1 for a bad
///    reputation, too; then the enhanced code; then words about the address, which count only as an answer to RCPT or
///    beside a code for addresses: after the message they mostly mean a filter.
#[must_use]
pub fn decide(phase: Phase, reply: &Reply) -> Verdict {
    if phase.before_mail() {
        return Verdict::PauseRelay;
    }
    let text = plain(&reply.text);
    let topic = topic(&text);
    if topic == Some(Topic::Rate) || matches!(reply.enhanced, Some((_, 7, 28))) {
        return match phase {
            Phase::Mail => Verdict::PauseRelay,
            _ => Verdict::SlowProvider,
        };
    }
    if reply.code == 421 {
        return Verdict::PauseRelay;
    }
    if reply.code < 500 {
        return Verdict::Defer;
    }
    if phase == Phase::Mail {
        return Verdict::FailOurs;
    }
    let address = match (reply.enhanced, phase) {
        (Some((5, 1, _)), _) | (_, Phase::Rcpt) => Bounce::Hard,
        _ => Bounce::Soft,
    };
    match (topic, reply.enhanced) {
        (Some(Topic::Mailbox), _) => Verdict::FailRecipient(Bounce::Soft),
        (Some(Topic::Sender), Some((5, 1, 1))) if text.contains(" recipient address rejected ") => {
            Verdict::FailRecipient(Bounce::Soft)
        }
        (Some(Topic::Sender), Some((5, 4, 1))) => Verdict::FailRecipient(Bounce::Soft),
        (Some(Topic::Sender), _) => Verdict::FailOurs,
        (_, Some((5, 1, 1 | 3 | 6 | 10))) => Verdict::FailRecipient(Bounce::Hard),
        (_, Some((5, 1, 7 | 8))) => Verdict::FailOurs,
        (Some(_), Some((5, 7, _))) => Verdict::FailRecipient(Bounce::Soft),
        (None, Some((5, 5..=7, _))) => Verdict::FailOurs,
        (Some(_), _) => Verdict::FailRecipient(address),
        (None, Some((5, 1..=4, _))) => Verdict::FailRecipient(Bounce::Soft),
        (None, _) => match (reply.code, phase) {
            (550 | 551 | 553, Phase::Rcpt) | (552, _) => Verdict::FailRecipient(Bounce::Soft),
            _ => Verdict::FailOurs,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARD: Verdict = Verdict::FailRecipient(Bounce::Hard);
    const SOFT: Verdict = Verdict::FailRecipient(Bounce::Soft);

    #[test]
    fn replies_mean_what_the_field_means_by_them() {
        for (phase, code, words, verdict) in [
            (Phase::Rcpt, 550, "5.1.1 No such user here", HARD),
            (Phase::Rcpt, 550, "5.1.10 Recipient not found", HARD),
            (
                Phase::Rcpt,
                550,
                "User unknown in virtual mailbox table",
                HARD,
            ),
            (Phase::Dot, 550, "5.1.1 gone", HARD),
            (Phase::Rcpt, 550, "mailbox unavailable", SOFT),
            (Phase::Rcpt, 552, "5.2.2 mailbox full", SOFT),
            (Phase::Dot, 552, "5.3.4 message too big", SOFT),
            (
                Phase::Rcpt,
                550,
                "5.4.1 Recipient address rejected: Access denied",
                SOFT,
            ),
            (Phase::Rcpt, 450, "4.2.0 greylisted", Verdict::Defer),
            (Phase::Rcpt, 452, "4.2.2 over quota", Verdict::Defer),
            (Phase::Dot, 451, "try again", Verdict::Defer),
            (Phase::Mail, 451, "4.3.0 busy", Verdict::Defer),
            (
                Phase::Mail,
                550,
                "5.7.1 sender not allowed",
                Verdict::FailOurs,
            ),
            (
                Phase::Rcpt,
                554,
                "5.7.1 blocked by a list",
                Verdict::FailOurs,
            ),
            (Phase::Dot, 550, "5.7.26 unauthenticated", Verdict::FailOurs),
            (Phase::Dot, 554, "looks like spam", Verdict::FailOurs),
            (Phase::Rcpt, 421, "4.7.0 closing", Verdict::PauseRelay),
            (
                Phase::Dot,
                421,
                "4.7.0 [TSS04] deferred",
                Verdict::SlowProvider,
            ),
            (
                Phase::Rcpt,
                450,
                "4.7.28 unusual rate",
                Verdict::SlowProvider,
            ),
            (Phase::Mail, 450, "4.7.28 unusual rate", Verdict::PauseRelay),
            (
                Phase::Rcpt,
                421,
                "RP-001 unfortunately",
                Verdict::SlowProvider,
            ),
            (
                Phase::Mail,
                421,
                "4.7.0 [TSS04] deferred",
                Verdict::PauseRelay,
            ),
            (
                Phase::Greeting,
                421,
                "4.7.0 too many connections",
                Verdict::PauseRelay,
            ),
            (
                Phase::Rcpt,
                550,
                "5.1.1 <a@example.org> has sent to too many recipients this hour",
                Verdict::SlowProvider,
            ),
            (
                Phase::Rcpt,
                550,
                "5.1.1 <spam@example.org>: user unknown, see https://x.example/#blocked",
                HARD,
            ),
            (
                Phase::Rcpt,
                550,
                "5.1.1 sender rejected, bad reputation",
                Verdict::FailOurs,
            ),
            (Phase::Rcpt, 550, "5.2.1 account disabled", SOFT),
            (
                Phase::Rcpt,
                550,
                "5.2.1 <a@b.example>... User Unknown",
                HARD,
            ),
            (Phase::Dot, 550, "Unknown user a@b.example", SOFT),
            (
                Phase::Rcpt,
                550,
                "5.5.0 Invalid recipient. LPN007_416",
                HARD,
            ),
            (
                Phase::Rcpt,
                550,
                "5.7.1 Recipient rejected: User unknown",
                SOFT,
            ),
            (
                Phase::Rcpt,
                554,
                "5.7.1 Relay access denied",
                Verdict::FailOurs,
            ),
            (Phase::Auth, 535, "5.7.8 bad password", Verdict::PauseRelay),
            (Phase::Greeting, 554, "no service", Verdict::PauseRelay),
        ] {
            assert_eq!(
                decide(phase, &Reply::new(code, words)),
                verdict,
                "{phase} {code} {words}"
            );
        }
    }

    #[test]
    fn the_enhanced_code_is_read_from_the_words() {
        assert_eq!(Reply::new(550, "5.1.1 x").enhanced, Some((5, 1, 1)));
        assert_eq!(Reply::new(550, "#5.1.1 x").enhanced, Some((5, 1, 1)));
        assert_eq!(Reply::new(550, "host 5.6.7.8 said no").enhanced, None);
        assert_eq!(Reply::new(450, "5.1.1 x").enhanced, None);
        assert_eq!(Reply::new(250, "Ok: queued").enhanced, None);
    }

    #[test]
    fn odd_replies_are_read_as_far_as_they_go() {
        assert_eq!(Reply::parse("571 no\r\n").map(|r| r.code), Some(571));
        assert_eq!(Reply::parse("250\r\n").map(|r| r.code), Some(250));
        assert_eq!(Reply::parse("what?\r\n"), None);
        assert_eq!(
            Reply::nth("250 a\r\n550-b\r\n550 c\r\n354 d\r\n", 1).map(|r| r.text),
            Some("b c".into())
        );
    }

    #[test]
    fn a_servers_words_cannot_break_a_line() {
        let reply = Reply::new(550, "5.1.1 no\r\nInjected: yes");
        assert!(!reply.text.contains(['\r', '\n']));
        assert_eq!(
            Reply::new(550, &"x".repeat(5000)).text.len(),
            Reply::MAX_TEXT
        );
    }
}
