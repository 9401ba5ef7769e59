//! Opening and closing times as editors type them: a local time, to the second or the millisecond.

use crate::scheduler::{WallTime, Zone};
use crate::types::UnixMillis;

/// Reads `2026-11-23T07:00`, `2026-11-23 07:00:30` or `2026-11-23T07:00:30.250` in `zone`. A local time that is skipped
/// when the clocks change becomes the first instant after the gap; one that occurs twice means the first. `None`: the
/// text has none of these forms.
pub fn read(written: &str, zone: &Zone) -> Option<UnixMillis> {
    let written = written.trim();
    let (minute, rest) = written.split_at_checked(16)?;
    let start = WallTime::parse(minute).ok()?.resolve(zone).ok()?;
    Some(UnixMillis(
        UnixMillis::from(start.at).0 + within_minute(rest)?,
    ))
}

/// The milliseconds of `:30` or `:30.250`; 0 for an empty text.
fn within_minute(rest: &str) -> Option<i64> {
    if rest.is_empty() {
        return Some(0);
    }
    let rest = rest.strip_prefix(':')?;
    let (seconds, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if seconds.len() != 2
        || !digits(seconds)
        || !(1..=3).contains(&fraction.len())
        || !digits(fraction)
    {
        return None;
    }
    let seconds: i64 = seconds.parse().ok().filter(|s| *s < 60)?;
    let millis: i64 = format!("{fraction:0<3}").parse().ok()?;
    Some(seconds * 1_000 + millis)
}

/// The time in the format of a `datetime-local` field, no more precise than needed.
pub fn written(at: UnixMillis, zone: &Zone) -> String {
    let minute = WallTime::at(at.timestamp(), zone).to_string();
    let within = at.0.rem_euclid(60_000);
    match (within / 1_000, within % 1_000) {
        (0, 0) => minute,
        (seconds, 0) => format!("{minute}:{seconds:02}"),
        (seconds, millis) => format!("{minute}:{seconds:02}.{millis:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_exact_to_the_millisecond() {
        let zone = Zone::parse("Europe/Berlin").expect("a zone");
        let text = |written| read(written, &zone).map(|at| at.to_string());
        assert_eq!(
            text("2026-11-23T07:00").as_deref(),
            Some("2026-11-23T06:00:00.000Z")
        );
        assert_eq!(
            text("2026-11-23 07:00:30").as_deref(),
            Some("2026-11-23T06:00:30.000Z")
        );
        assert_eq!(
            text("2026-11-23T07:00:30.25").as_deref(),
            Some("2026-11-23T06:00:30.250Z")
        );
        for odd in [
            "",
            "soon",
            "2026-11-23",
            "2026-02-30T07:00",
            "2026-11-23T07:00:60",
            "2026-11-23T07:00:3",
            "2026-11-23T07:00:30.",
            "2026-11-23T07:00:30.1234",
            "2026-11-23T07:00:-1",
            "2026-11-23T07:00Z",
            "2026-11-23T07:00:30+01:00",
            "２026-11-23T07:00",
        ] {
            assert_eq!(text(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(at in 1_600_000_000_000_i64..1_900_000_000_000) {
            let zone = Zone::utc();
            prop_assert_eq!(read(&written(UnixMillis(at), &zone), &zone), Some(UnixMillis(at)));
        }
    }
}
