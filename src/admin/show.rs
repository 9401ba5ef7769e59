//! Formats numbers, times and states for editors' pages.

use serde::Serialize;

use crate::mailer::mailing::MailingState;
use crate::scheduler::{Zone, written};
use crate::types::UnixMillis;
pub use crate::web::text::capital;

/// An instant for the partial `time`, which renders it as a `<time>` element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalTime {
    /// `22 Nov 2026, 18:04`, in the requested zone.
    pub text: String,
    /// For the `datetime` attribute.
    pub iso: String,
    /// For the title: with the zone's name and UTC.
    pub full: String,
}

/// `at` as local time in `zone`.
#[must_use]
pub fn time(at: UnixMillis, zone: &Zone) -> LocalTime {
    let at = at.timestamp();
    LocalTime {
        text: written::short(at, zone),
        iso: written::machine(at),
        full: written::full(at, zone),
    }
}

/// A count with thousands separators: `12,480`.
#[must_use]
pub fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if n < 0 {
        out.push('\u{2212}');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 reader`, `12,480 readers`.
#[must_use]
pub fn counted(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// The state of an issue's mailing in words, and the CSS class of its badge. `trouble` is the number of recipients
/// that failed or are in doubt; a finished mailing with some is not green.
#[must_use]
pub fn mailing(state: MailingState, trouble: i64) -> (&'static str, &'static str) {
    match state {
        MailingState::Preparing => ("Preparing", "is-live"),
        MailingState::Sending => ("Sending", "is-live"),
        MailingState::Paused => ("Paused", "is-wait"),
        MailingState::Cancelling => ("Cancelling", "is-wait"),
        MailingState::Finished if trouble > 0 => ("Finished", "is-wait"),
        MailingState::Finished => ("Finished", "is-good"),
        MailingState::Cancelled => ("Cancelled", "is-bad"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (n, text) in [
            (0, "0"),
            (7, "7"),
            (999, "999"),
            (1_000, "1,000"),
            (12_480, "12,480"),
            (1_000_000, "1,000,000"),
            (-1_234, "\u{2212}1,234"),
        ] {
            assert_eq!(count(n), text);
        }
        assert_eq!(
            count(i64::MIN).chars().filter(char::is_ascii_digit).count(),
            19
        );
        assert_eq!(counted(1, "reader", "readers"), "1 reader");
        assert_eq!(counted(2, "reader", "readers"), "2 readers");
    }

    #[test]
    fn times_carry_their_zone_and_utc() {
        let shown = time(
            UnixMillis(1_795_000_000_000),
            &Zone::parse("Europe/Berlin").expect("a zone"),
        );
        assert_eq!(shown.text, "18 Nov 2026, 12:06");
        assert!(
            shown.full.contains("Europe/Berlin") && shown.full.contains("UTC"),
            "{}",
            shown.full
        );
        assert_eq!(shown.iso, "2026-11-18T11:06:40Z");
    }
}
