//! Words for how far a sending is and when it will be done. Pure.

use std::time::Duration;

use crate::admin::show;
use crate::mailer::mailing::{Counts, MailingState, Progress};
use crate::scheduler::{Zone, written};
use crate::types::UnixMillis;

/// The headline of the bar. Never "delivered", and never "all" while one of them waits.
pub(super) fn bar_words(state: MailingState, counts: &Counts) -> String {
    if state == MailingState::Preparing {
        return "Freezing the readers".to_owned();
    }
    let (sent, audience) = (
        show::count(counts.sent),
        show::counted(counts.audience, "reader", "readers"),
    );
    format!("Handed over for {sent} of {audience}")
}

/// `37 %`, rounded down: a hundred means all.
pub(super) fn percent(done: i64, audience: i64) -> String {
    if audience <= 0 {
        return "0 %".to_owned();
    }
    format!("{} %", done.saturating_mul(100) / audience)
}

/// Rate and end, as far as they can be known.
pub(super) fn words(progress: &Progress, now: UnixMillis, zone: &Zone) -> String {
    let counts = &progress.counts;
    match progress.state {
        MailingState::Preparing => "The first mail leaves in a moment.".to_owned(),
        MailingState::Paused => format!(
            "{} waiting.",
            show::counted(counts.queued + counts.deferred, "reader is", "readers are")
        ),
        MailingState::Cancelling => "What was not handed over is being written off.".to_owned(),
        MailingState::Finished | MailingState::Cancelled => {
            match (progress.started, progress.finished) {
                (Some(started), Some(finished)) => {
                    format!("It took {}.", lasting(finished.since(started)))
                }
                _ => String::new(),
            }
        }
        MailingState::Sending if counts.queued == 0 && counts.deferred > 0 => {
            "Only deferred mails are left; they are tried again at growing distances.".to_owned()
        }
        MailingState::Sending if progress.per_second < 0.01 => {
            "No mail has been taken by the relay yet.".to_owned()
        }
        MailingState::Sending => {
            let rate = if progress.per_second >= 10.0 {
                format!(
                    "{} mails a second",
                    show::count(progress.per_second.round() as i64)
                )
            } else {
                format!(
                    "{} mails a minute",
                    show::count((progress.per_second * 60.0).round() as i64)
                )
            };
            let left =
                Duration::from_secs_f64((counts.queued as f64 / progress.per_second).min(1e7));
            let end = written::short((now + left).timestamp(), zone);
            format!(
                "{rate}; at this pace it is done in about {}, at {end} {zone}.",
                lasting(left)
            )
        }
    }
}

/// Where everybody of the audience is: the parts and their sum.
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

    fn progress(state: MailingState, per_second: f64) -> Progress {
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
            per_second,
            not_before: UnixMillis(0),
            started: Some(UnixMillis(0)),
            finished: None,
        }
    }

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(percent(999, 1_000), "99 %");
        assert_eq!(percent(1_000, 1_000), "100 %");
        assert_eq!(percent(0, 0), "0 %");
    }

    #[test]
    fn rate_and_end_are_said_only_where_they_are_known() {
        let now = UnixMillis(1_795_000_000_000);
        let zone = Zone::parse("Europe/Vienna").unwrap();
        let fast = words(&progress(MailingState::Sending, 20.0), now, &zone);
        assert_eq!(
            fast,
            "20 mails a second; at this pace it is done in about 30 seconds, at 18 Nov 2026, 12:07 Europe/Vienna."
        );
        assert!(
            words(&progress(MailingState::Sending, 0.5), now, &zone)
                .starts_with("30 mails a minute")
        );
        assert!(words(&progress(MailingState::Sending, 0.0), now, &zone).starts_with("No mail"));
        assert_eq!(
            words(&progress(MailingState::Paused, 9.0), now, &zone),
            "604 readers are waiting."
        );
    }

    #[test]
    fn the_parts_are_named_with_their_sum() {
        let counts = progress(MailingState::Sending, 1.0).counts;
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
