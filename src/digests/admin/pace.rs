//! Words for the progress of a mailing and its expected end. Pure.

use std::time::Duration;

use crate::admin::show;
use crate::mailer::mailing::{Counts, MailingState, Pace, Progress, Reason};
use crate::scheduler::{Zone, written};
use crate::types::UnixMillis;

/// What is known about a running mailing.
pub(super) struct Moment<'a> {
    pub(super) progress: &'a Progress,
    pub(super) pace: Option<Pace>,
    pub(super) next_attempt: Option<UnixMillis>,
    /// What holds the mails up, if anything is known.
    pub(super) obstacle: Option<String>,
}

impl Moment<'_> {
    /// Whether mails should go out now, and none does.
    pub(super) fn is_stuck(&self) -> bool {
        let counts = &self.progress.counts;
        self.progress.state == MailingState::Sending
            && (counts.queued > 0 || counts.deferred == 0)
            && self.pace.is_some_and(|pace| pace.per_second < SLOWEST)
    }
}

/// Fewer mails per second than this are none.
const SLOWEST: f64 = 0.01;

/// The text of the progress bar. It never says "delivered", and never "all" while a recipient is waiting.
pub(super) fn bar_words(state: MailingState, counts: &Counts) -> String {
    if state == MailingState::Preparing {
        return "Preparing the list of readers".to_owned();
    }
    let (sent, audience) = (
        show::count(counts.sent),
        show::counted(counts.audience, "reader", "readers"),
    );
    format!("Handed over for {sent} of {audience}")
}

/// `37 %` of the audience, rounded down, so that 100 % means all.
pub(super) fn percent(sent: i64, audience: i64) -> String {
    if audience <= 0 {
        return "0%".to_owned();
    }
    format!("{}%", sent.saturating_mul(100) / audience)
}

/// The explanation of the bar's second colour; empty if there is none.
pub(super) fn trouble_words(counts: &Counts) -> String {
    let failed = (counts.failed > 0).then(|| format!("{} failed", show::count(counts.failed)));
    let doubt = (counts.unknown > 0).then(|| format!("{} in doubt", show::count(counts.unknown)));
    let parts: Vec<String> = failed.into_iter().chain(doubt).collect();
    parts.join(", ")
}

/// Rate and expected end, as far as they are known.
pub(super) fn words(now: &Moment<'_>, clock: UnixMillis, zone: &Zone) -> String {
    let counts = &now.progress.counts;
    match now.progress.state {
        MailingState::Preparing => "The first mail leaves in a moment.".to_owned(),
        MailingState::Paused => paused(counts),
        MailingState::Cancelling => {
            "Mails that were not handed over are being cancelled.".to_owned()
        }
        MailingState::Finished | MailingState::Cancelled => {
            match (now.progress.started, now.progress.finished) {
                (Some(started), Some(finished)) => {
                    format!("It took {}.", lasting(finished.since(started)))
                }
                _ => String::new(),
            }
        }
        MailingState::Sending if counts.queued == 0 && counts.deferred > 0 => {
            let next = now.next_attempt.filter(|at| *at > clock);
            let next = next.map(|at| {
                format!(
                    " The next attempt is at {} {zone}.",
                    written::short(at.timestamp(), zone)
                )
            });
            format!(
                "Only deferred mails are left; they are retried at increasing intervals.{}",
                next.unwrap_or_default()
            )
        }
        MailingState::Sending if now.is_stuck() => {
            let obstacle = now.obstacle.clone();
            obstacle.unwrap_or_else(|| {
                "The relay has not accepted any mail in the last few moments.".to_owned()
            })
        }
        MailingState::Sending => sending(now.pace, clock, zone),
    }
}

/// The recipients still to come, with the numbers that the tiles show.
fn paused(counts: &Counts) -> String {
    let waiting = show::counted(counts.queued, "reader is waiting", "readers are waiting");
    match counts.deferred {
        0 => format!("{waiting}."),
        deferred => format!("{waiting}, {} deferred.", show::count(deferred)),
    }
}

fn sending(pace: Option<Pace>, clock: UnixMillis, zone: &Zone) -> String {
    let Some(pace) = pace else {
        return "The pace is being measured.".to_owned();
    };
    let mails = |n: f64| show::counted(n.round() as i64, "mail", "mails");
    let rate = if pace.per_second >= 10.0 {
        format!("{} a second", mails(pace.per_second))
    } else {
        format!("{} a minute", mails(pace.per_second * 60.0))
    };
    match pace.left {
        None => format!("{rate}."),
        Some(left) => {
            let end = written::short((clock + left).timestamp(), zone);
            format!(
                "{rate}; at this pace it is done in about {}, at {end} {zone}.",
                lasting(left)
            )
        }
    }
}

/// The whole audience as a sum of its parts.
pub(super) fn sum_words(counts: &Counts) -> String {
    let parts = [
        (counts.sent, "handed over"),
        (counts.queued, "waiting"),
        (counts.deferred, "deferred"),
        (counts.failed, "failed"),
        (counts.unknown, "in doubt"),
        (counts.skipped, "skipped"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, words)| format!("{} {words}", show::count(n)))
        .collect();
    if parts.len() < 2 {
        return String::new();
    }
    format!(
        "{} = {} in all.",
        parts.join(" + "),
        show::count(counts.audience)
    )
}

/// What reports by mail said later about mails that had been handed over; empty if there are none.
pub(super) fn came_back_words(came_back: &[(Reason, i64)]) -> String {
    let parts: Vec<String> = came_back
        .iter()
        .filter_map(|(reason, n)| {
            let what = match reason {
                Reason::BadAddress => "because the address does not exist",
                Reason::Complained => "as spam, reported by the reader",
                Reason::Unauthenticated => "with a report that the sender could not be verified",
                Reason::Ours => "because the receiving server refuses us or this message",
                _ => return None,
            };
            Some(format!("{} {what}", show::count(*n)))
        })
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("Came back later: {}.", parts.join("; "))
}

fn lasting(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => "less than a second".to_owned(),
        1 => "one second".to_owned(),
        2..=119 => format!("{seconds} seconds"),
        120..=7_199 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(state: MailingState) -> Progress {
        Progress {
            state,
            reason: String::new(),
            counts: Counts {
                audience: 1_000,
                queued: 600,
                sent: 390,
                deferred: 4,
                failed: 3,
                unknown: 1,
                skipped: 2,
            },
            reasons: Vec::new(),
            doubts: Vec::new(),
            came_back: Vec::new(),
            not_before: UnixMillis(0),
            started: Some(UnixMillis(0)),
            finished: None,
        }
    }

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(percent(999, 1_000), "99%");
        assert_eq!(percent(1_000, 1_000), "100%");
        assert_eq!(percent(0, 0), "0%");
    }

    #[test]
    fn rate_and_end_are_said_only_where_they_are_known() {
        let clock = UnixMillis(1_795_000_000_000);
        let zone = Zone::parse("Europe/Vienna").unwrap();
        let of = |state, pace: Option<(f64, u64)>| {
            let progress = progress(state);
            let pace = pace.map(|(per_second, left)| Pace {
                per_second,
                left: (left > 0).then(|| Duration::from_secs(left)),
            });
            let moment = Moment {
                progress: &progress,
                pace,
                next_attempt: None,
                obstacle: None,
            };
            words(&moment, clock, &zone)
        };
        assert_eq!(
            of(MailingState::Sending, Some((20.0, 30))),
            "20 mails a second; at this pace it is done in about 30 seconds, at 18 Nov 2026, 12:07 Europe/Vienna."
        );
        assert!(of(MailingState::Sending, Some((0.5, 1_200))).starts_with("30 mails a minute; "));
        assert_eq!(
            of(MailingState::Sending, Some((0.02, 0))),
            "1 mail a minute."
        );
        assert_eq!(
            of(MailingState::Sending, Some((12.0, 0))),
            "12 mails a second."
        );
        assert!(
            of(MailingState::Sending, Some((0.0, 0)))
                .starts_with("The relay has not accepted any mail")
        );
        assert!(of(MailingState::Sending, None).contains("measured"));
        assert_eq!(
            of(MailingState::Paused, None),
            "600 readers are waiting, 4 deferred."
        );
    }

    #[test]
    fn the_cause_is_named_only_while_nothing_moves() {
        let (clock, zone) = (UnixMillis(1_795_000_000_000), Zone::utc());
        let progress = progress(MailingState::Sending);
        for (per_second, stuck) in [(0.0, true), (2.0, false)] {
            let moment = Moment {
                progress: &progress,
                pace: Some(Pace {
                    per_second,
                    left: None,
                }),
                next_attempt: None,
                obstacle: Some("The limit is reached.".to_owned()),
            };
            assert_eq!(moment.is_stuck(), stuck);
            let said = words(&moment, clock, &zone);
            assert_eq!(said == "The limit is reached.", stuck, "{said}");
        }
    }

    #[test]
    fn when_only_deferred_mails_are_left_the_next_attempt_is_named() {
        let clock = UnixMillis(1_795_000_000_000);
        let zone = Zone::utc();
        let mut progress = progress(MailingState::Sending);
        progress.counts.queued = 0;
        let of = |next_attempt| {
            let moment = Moment {
                progress: &progress,
                pace: None,
                next_attempt,
                obstacle: None,
            };
            words(&moment, clock, &zone)
        };
        assert!(of(Some(clock + Duration::from_secs(600))).contains("18 Nov 2026, 11:16 UTC"));
        assert!(
            of(Some(clock)).ends_with("increasing intervals."),
            "due already"
        );
    }

    #[test]
    fn the_parts_are_named_with_their_sum() {
        let counts = progress(MailingState::Sending).counts;
        assert_eq!(
            sum_words(&counts),
            "390 handed over + 600 waiting + 4 deferred + 3 failed + 1 in doubt + 2 skipped = 1,000 in all."
        );
        assert_eq!(
            bar_words(MailingState::Sending, &counts),
            "Handed over for 390 of 1,000 readers"
        );
    }
}
