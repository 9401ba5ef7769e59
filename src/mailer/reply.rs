//! What a mail server's reply means. Pure, and decided by tables.
//!
//! Order: words about load and about the sender, then the enhanced code (RFC 3463), then words about the address, then
//! the reply code and the phase; see [`decide`].
//! "5xx is the recipient's fault" is wrong for most real servers: only a code about the *address* may cost a reader the
//! subscription.
//!
//! `read`: a server's reply taken apart; `words`: the tables of words; `missing`: those that say that an address does
//! not exist.

mod missing;
mod read;
mod words;

use std::fmt;

pub use self::read::Reply;
use self::words::{Topic, plain, topic};

/// The step of the conversation that a reply belongs to.
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
    /// Whether a reply in this phase is about the connection and not about a mail.
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

/// What to do with a mail that was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Retry later; this counts as an attempt.
    Defer,
    /// This recipient does not get this mail.
    FailRecipient(Bounce),
    /// The server refuses *us* or this message: not the recipient's fault, and a retry does not help.
    FailOurs,
    /// The recipient's provider throttles us: no attempt is spent, and the relay goes on with other providers.
    SlowProvider,
    /// The relay throttles us or is unavailable; no attempt is spent.
    PauseRelay,
}

/// What a refusal says about the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounce {
    /// There is no such address: never write to it again.
    Hard,
    /// There is no such domain, as far as that server could tell. A DNS failure looks the same, so one such reply is
    /// not enough.
    NoDomain,
    /// The address may work on another day.
    Soft,
}

/// Decides what a refusal in `phase` means for the mail. `reply.code` is 4xx or 5xx.
///
/// 1. Before MAIL every reply is about the connection: the relay is paused. So is it after a refused login, because
///    further attempts could lock the account.
/// 2. Words or codes about load (`[TSS04]`, `4.7.28`, "too many connections"): from RCPT on they are about this
///    recipient's provider, which the relay quotes or is; before that, and with a plain 421, about the relay itself.
/// 3. 4xx: retry later (but see [`decide_at_relay`]). 5xx to MAIL: about us.
/// 4. 5xx to a recipient or message: words about the sender decide before any code, because servers give 5.1.1 for a
///    bad reputation, too. Only weak ones ("contact the sender") yield to words about the address beside such a code.
///    Next comes the enhanced code; then words about the address, which count only in a reply to RCPT or beside a code
///    about addresses: after the message they mostly mean a filter.
/// 5. "Does not exist" is read together with its subject: a domain is not an address, and if it is the sender's domain,
///    the reply is about us.
#[must_use]
pub fn decide(phase: Phase, reply: &Reply) -> Verdict {
    if phase.before_mail() {
        return Verdict::PauseRelay;
    }
    let text = plain(&reply.text);
    let topic = topic(&text, reply.enhanced);
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
        (_, Some((5, 1, 7 | 8))) => Verdict::FailOurs,
        (Some(Topic::NoSuchDomain), Some((5, 5..=7, _))) => Verdict::FailOurs,
        // RFC 7505 (null MX): the domain itself says that it accepts no mail.
        (Some(Topic::NoSuchDomain), Some((5, 1, 10))) => Verdict::FailRecipient(Bounce::Hard),
        (Some(Topic::NoSuchDomain), _) | (_, Some((5, 1, 2))) => {
            Verdict::FailRecipient(Bounce::NoDomain)
        }
        (_, Some((5, 1, 1 | 3 | 6 | 10))) => Verdict::FailRecipient(Bounce::Hard),
        (Some(_), Some((5, 7, _))) => Verdict::FailRecipient(Bounce::Soft),
        // Outlook.com's code for dead mailboxes: in reply to RCPT it can only be about the recipient.
        (None, Some((5, 5, 0)))
            if phase == Phase::Rcpt && matches!(reply.code, 550 | 551 | 553) =>
        {
            if text.contains(" mailbox unavailable ") {
                Verdict::FailRecipient(Bounce::Hard)
            } else {
                Verdict::FailRecipient(Bounce::Soft)
            }
        }
        (None, Some((5, 5..=7, _))) => Verdict::FailOurs,
        (Some(_), _) => Verdict::FailRecipient(address),
        (None, Some((5, 1..=4, _))) => Verdict::FailRecipient(Bounce::Soft),
        // RFC 7504 §4: the domain accepts no mail.
        (None, None) if reply.code == 556 && phase == Phase::Rcpt => {
            Verdict::FailRecipient(Bounce::NoDomain)
        }
        (None, _) => match (reply.code, phase) {
            (550 | 551 | 553, Phase::Rcpt) | (552, _) => Verdict::FailRecipient(Bounce::Soft),
            _ => Verdict::FailOurs,
        },
    }
}

/// Like [`decide`], for the reply of a relay to a mail that it is given now. There, "too large" is about the message
/// and would hit every recipient; in a bounce report, it is about one receiving system among many. And a 4xx in reply
/// to MAIL, when no recipient is named yet, is about the relay (a full disk, for example): deferring one recipient after
/// another would use up an attempt of each. Unless it is about the sender's address or domain, which other newsletters do
/// not share, or greylisting, which is overcome by coming back. 4.7.1 alone is neither: relays say it to everybody while
/// their filter is down.
#[must_use]
pub fn decide_at_relay(phase: Phase, reply: &Reply) -> Verdict {
    let text = plain(&reply.text);
    let any = |words: &[&str]| words.iter().any(|words| text.contains(words));
    let too_large = match (reply.code, reply.enhanced) {
        // RFC 3463 §3.4.
        (_, Some((5, 3, 4))) => true,
        (552, None) => any(TOO_LARGE) && !any(&[" mailbox ", " quota ", " storage "]),
        _ => false,
    };
    if too_large && !phase.before_mail() {
        return Verdict::FailOurs;
    }
    if phase == Phase::Mail && reply.code < 500 {
        let about_sender = matches!(reply.enhanced, Some((4, 1, 7 | 8))) || any(OF_THE_SENDER);
        if !about_sender && !is_greylisting(&reply.text) {
            return Verdict::PauseRelay;
        }
    }
    decide(phase, reply)
}

/// Whether a server says that it defers a mail only to see whether it comes back.
#[must_use]
pub fn is_greylisting(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("greylist") || text.contains("graylist")
}

/// Words about the sender's address or domain, not about us or the relay.
const OF_THE_SENDER: &[&str] = &[
    " sender address ",
    " sender domain ",
    " sender s domain ",
    " domain of sender ",
    " sender rejected ",
    " sender denied ",
    " sender verif",
    " verification failed for ",
    " envelope sender ",
    " envelope from ",
    " mail from domain ",
    " return path",
    " sending domain ",
    " from address ",
    " spf ",
    " dkim ",
    " dmarc ",
];

/// Words which say that the message is too large for every recipient of this server.
const TOO_LARGE: &[&str] = &[
    " message size ",
    " message too large ",
    " message too big ",
    " message is too large ",
    " message is too big ",
    " message exceeds ",
    " fixed maximum ",
    " fixed limit ",
];

/// Whether a text, of a reply or not, clearly blames the sender or the content.
#[must_use]
pub fn blames_the_sender(words: &str) -> bool {
    words::blames_the_sender(&plain(words))
}

#[cfg(test)]
mod tests;
