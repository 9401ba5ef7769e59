//! The states of a subscription and the policies around it. Pure: `now` is an argument.

use std::time::Duration;

use crate::types::{NewsletterId, ReaderId, UnixMillis};

pub use crate::types::{SubscriptionState as State, Suppression};

/// What is known about an address when somebody asks to subscribe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The code of a [`Suppression`].
    pub suppressed: Option<i16>,
    pub reader: Option<ReaderId>,
    /// The code of the [`State`] of the subscription asked for.
    pub state: Option<i16>,
    /// Mails about any newsletter that anybody could trigger, since [`MailCaps::window_start`].
    pub mails: i64,
    /// The time of the last of them about the newsletter asked for.
    pub last_mail: Option<UnixMillis>,
}

/// The mail in answer to a request. The visitor sees the same page in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A confirmation link.
    Confirmation,
    /// A note that there is nothing to confirm.
    AlreadySubscribed(ReaderId),
    Nothing(Silence),
}

/// Why nothing is mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The address has got enough mails recently.
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

/// Rate limits for the mails that anybody who can type an address may trigger.
///
/// A reader who really wants a newsletter gets its mail even if somebody else has used up the daily cap: if that was
/// about the same newsletter, the mails are in the reader's inbox, and their links work; if it was about another one,
/// the first mail of the day about this newsletter may exceed the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailCaps {
    /// The shortest time between two mails about one newsletter.
    pub pause: Duration,
    /// The most mails within 24 hours; twice as many if the excess are the first mails about their newsletters.
    pub per_day: u32,
}

impl MailCaps {
    /// The time from which mails count.
    #[must_use]
    pub fn window_start(now: UnixMillis) -> UnixMillis {
        now - Duration::from_secs(24 * 60 * 60)
    }

    /// Whether another mail may be sent to an address that got `count` since [`window_start`](Self::window_start), the
    /// last one about this newsletter at `last`.
    #[must_use]
    pub fn allow(self, count: i64, last: Option<UnixMillis>, now: UnixMillis) -> bool {
        let most = i64::from(self.per_day);
        match last {
            Some(last) => count < most && now.since(last) >= self.pause,
            None => count < most * 2,
        }
    }
}

/// How long a reader who has left can undo it on the page that confirmed it. After that it takes a fresh double opt-in:
/// a link in an old, perhaps forwarded mail must not subscribe anybody.
pub const UNDO_WITHIN: Duration = Duration::from_secs(60 * 60);

/// A form that is submitted sooner than this after it was shown was not filled in by a person.
pub const FASTEST_FORM: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

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
