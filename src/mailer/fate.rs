//! Decides from the outcome of the SMTP conversation what becomes of the mail. Pure.

use super::{
    mailing::Reason,
    reply::{Bounce, Phase, Reply, Verdict, decide_at_relay},
    smtp::{Outcome, Refusal, RefusalKind},
};

/// What becomes of one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The relay accepted it.
    Sent,
    /// Retry later; this counts as an attempt.
    Later(Words),
    /// Do not retry.
    Never(Reason, Words),
    /// It is larger than this relay accepts, and was not tried there.
    TooLarge(Words),
    /// It is unknown whether the relay has it.
    InDoubt(Words),
    /// Not about this mail: the connection is lost.
    Lost(Words),
    /// Not about this mail or the relay: a connection that has carried mails was closed. A new one shows more.
    Closed(Words),
    /// Not about this mail: the recipient's provider throttles us.
    ProviderRests(Words),
    /// Not about this mail: the relay throttles us or cannot be reached.
    RelayRests(Words),
    /// Not about this mail: the relay refuses our login.
    LoginRefused(Words),
}

/// The server's words, for the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// The reply code; 0 if there was no reply.
    pub code: i16,
    /// The enhanced code, or empty.
    pub enhanced: String,
    /// The server's text, or a description of what happened instead.
    pub text: String,
}

impl Words {
    fn of(reply: &Reply) -> Self {
        let (enhanced, code) = (reply.enhanced, i16::try_from(reply.code).unwrap_or(0));
        Self {
            code,
            enhanced: enhanced.map_or_else(String::new, |(a, b, c)| format!("{a}.{b}.{c}")),
            text: reply.text.clone(),
        }
    }

    /// One line for display.
    pub(super) fn told(&self) -> String {
        match self.code {
            0 => self.text.clone(),
            code => format!("{code} {}", self.text),
        }
    }

    /// Only the server's codes, or empty. Safe to log: the full text may repeat an address.
    pub(super) fn codes(&self) -> String {
        match (self.code, self.enhanced.as_str()) {
            (0, _) => String::new(),
            (code, "") => code.to_string(),
            (code, enhanced) => format!("{code} {enhanced}"),
        }
    }

    /// For a mail that was not tried, because its provider refuses everything at present.
    pub(super) fn untried(told: &str) -> Self {
        Self {
            text: format!("not tried, since its provider takes nothing now: {told}"),
            ..Self::default()
        }
    }

    fn event(phase: Phase, what: &str) -> Self {
        Self {
            text: format!("{phase}: {what}"),
            ..Self::default()
        }
    }
}

impl Fate {
    /// The fate after a conversation that ended before the final dot.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        let phase = refusal.phase;
        match &refusal.kind {
            RefusalKind::Refused(reply) if phase == Phase::Auth && reply.code >= 500 => {
                Self::LoginRefused(Words::of(reply))
            }
            RefusalKind::Refused(reply) => Self::decided(phase, reply),
            RefusalKind::Lost(why) if phase.before_mail() => {
                Self::RelayRests(Words::event(phase, why))
            }
            RefusalKind::Lost(why) => Self::Lost(Words::event(phase, why)),
            RefusalKind::Closed(reply) => Self::Closed(Words::of(reply)),
            RefusalKind::Unusable(why) if phase.before_mail() => {
                Self::RelayRests(Words::event(phase, why))
            }
            RefusalKind::Unusable(why) => Self::Never(Reason::Refused, Words::event(phase, why)),
            RefusalKind::TooLarge { octets, limit } => Self::TooLarge(Words {
                text: format!("the mail has {octets} octets, and the relay takes at most {limit}"),
                ..Words::default()
            }),
        }
    }

    /// The fate after the message was sent.
    pub(super) fn after_dot(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Accepted(_) => Self::Sent,
            Outcome::Refused(reply) => Self::decided(Phase::Dot, reply),
            Outcome::NotSent(why) => Self::Lost(Words::event(Phase::Dot, why)),
            Outcome::InDoubt(why) => Self::InDoubt(Words::event(Phase::Dot, why)),
        }
    }

    fn decided(phase: Phase, reply: &Reply) -> Self {
        let words = Words::of(reply);
        match decide_at_relay(phase, reply) {
            Verdict::Defer => Self::Later(words),
            Verdict::FailRecipient(Bounce::Hard) => Self::Never(Reason::BadAddress, words),
            Verdict::FailRecipient(Bounce::Soft | Bounce::NoDomain) => {
                Self::Never(Reason::Refused, words)
            }
            Verdict::FailOurs => Self::Never(Reason::Ours, words),
            Verdict::SlowProvider => Self::ProviderRests(words),
            Verdict::PauseRelay => Self::RelayRests(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(phase: Phase, kind: RefusalKind) -> Fate {
        Fate::refused(&Refusal { phase, kind })
    }

    #[test]
    fn only_a_loss_after_the_dot_is_in_doubt() {
        let lost = || RefusalKind::Lost("reset".into());
        assert!(matches!(
            refusal(Phase::Connect, lost()),
            Fate::RelayRests(_)
        ));
        assert!(matches!(refusal(Phase::Rcpt, lost()), Fate::Lost(_)));
        assert!(matches!(
            Fate::after_dot(&Outcome::NotSent("reset".into())),
            Fate::Lost(_)
        ));
        assert!(matches!(
            Fate::after_dot(&Outcome::InDoubt("reset".into())),
            Fate::InDoubt(_)
        ));
    }

    #[test]
    fn a_refused_login_is_told_from_one_that_may_succeed_later() {
        let said = |phase, code| refusal(phase, RefusalKind::Refused(Reply::new(code, "no")));
        assert!(matches!(said(Phase::Auth, 535), Fate::LoginRefused(_)));
        assert!(matches!(said(Phase::Auth, 454), Fate::RelayRests(_)));
        assert!(matches!(said(Phase::Greeting, 554), Fate::RelayRests(_)));
    }

    #[test]
    fn the_servers_words_are_kept() {
        let reply = Reply::new(550, "5.1.1 no such user");
        let fate = refusal(Phase::Rcpt, RefusalKind::Refused(reply));
        let Fate::Never(Reason::BadAddress, words) = fate else {
            panic!("{fate:?}");
        };
        assert_eq!((words.code, words.enhanced.as_str()), (550, "5.1.1"));
    }
}
