//! Local date and time, and its conversion to an instant.

use std::fmt;

use jiff::{Timestamp, ToSpan, civil::DateTime, tz::AmbiguousOffset};

use super::Zone;

/// A local date and minute, not yet tied to a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(DateTime);

/// The text is not a date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a date and a time, such as 2026-11-23 07:00")]
pub struct NotAWallTime;

/// An instant, and how the wall time was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The instant, on a whole minute of local time.
    pub at: Timestamp,
    /// Whether the clock showed that time once, never or twice.
    pub how: Resolution,
}

/// How often a wall time occurs on its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Once, as on nearly every day.
    Exact,
    /// Never: the clocks are put forward over it. The instant is the first valid minute after.
    AfterGap,
    /// Twice: the clocks are put back over it. The instant is the first of the two.
    FirstOfTwo,
}

impl WallTime {
    /// Parses what a `datetime-local` field sends or a person writes: `2026-11-23T07:00`, or with a space for the
    /// `T`, with or without seconds. Seconds are dropped, because schedules are in minutes.
    ///
    /// # Errors
    /// [`NotAWallTime`] for anything else, including an offset: the zone is chosen separately.
    pub fn parse(written: &str) -> Result<Self, NotAWallTime> {
        let written = written.trim();
        let shaped = matches!(written.len(), 16 | 19)
            && written.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                10 => byte == b'T' || byte == b' ',
                13 | 16 => byte == b':',
                _ => byte.is_ascii_digit(),
            });
        if !shaped {
            return Err(NotAWallTime);
        }
        let minute = written.get(..16).ok_or(NotAWallTime)?;
        minute
            .parse::<DateTime>()
            .map(Self)
            .map_err(|_| NotAWallTime)
    }

    /// The local time in `zone` at the instant `at`, without seconds.
    pub fn at(at: Timestamp, zone: &Zone) -> Self {
        let local = zone.rules().to_datetime(at);
        Self(
            local
                .with()
                .second(0)
                .subsec_nanosecond(0)
                .build()
                .unwrap_or(local),
        )
    }

    /// The instant of this wall time in `zone`.
    ///
    /// # Errors
    /// [`NotAWallTime`] at the end of the calendar (year 9999 and beyond).
    pub fn resolve(self, zone: &Zone) -> Result<Resolved, NotAWallTime> {
        let rules = zone.rules();
        let (at, how) = match rules.to_ambiguous_timestamp(self.0).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                (offset.to_timestamp(self.0), Resolution::Exact)
            }
            // The first occurrence is the one with the offset before the change.
            AmbiguousOffset::Fold { before, .. } => {
                (before.to_timestamp(self.0), Resolution::FirstOfTwo)
            }
            AmbiguousOffset::Gap { before, after } => {
                // With the offset after the change, the time lies before the change. The change itself is the first
                // transition from there on that leads to that offset.
                let earlier = after.to_timestamp(self.0).map_err(|_| NotAWallTime)?;
                let change = rules
                    .following(earlier)
                    .find(|next| next.offset() == after)
                    .map(|next| next.timestamp());
                match change {
                    Some(change) => (
                        Ok(whole_minute(change, after.seconds())),
                        Resolution::AfterGap,
                    ),
                    None => (before.to_timestamp(self.0), Resolution::AfterGap),
                }
            }
        };
        Ok(Resolved {
            at: at.map_err(|_| NotAWallTime)?,
            how,
        })
    }

    pub(super) fn civil(self) -> DateTime {
        self.0
    }
}

/// The first instant at or after `change` that is a whole minute on a clock `offset` seconds ahead of UTC. Only
/// historic changes are not on a whole minute.
fn whole_minute(change: Timestamp, offset: i32) -> Timestamp {
    let over = (change.as_second() + i64::from(offset)).rem_euclid(60);
    if over == 0 {
        change
    } else {
        change.checked_add((60 - over).seconds()).unwrap_or(change)
    }
}

impl fmt::Display for WallTime {
    /// The format of a `datetime-local` field: `2026-11-23T07:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    #[track_caller]
    fn check(name: &str, wall: &str, instant: &str, how: Resolution) {
        let resolved = WallTime::parse(wall).unwrap().resolve(&zone(name)).unwrap();
        assert_eq!(
            resolved.at,
            instant.parse::<Timestamp>().unwrap(),
            "{wall} {name}"
        );
        assert_eq!(resolved.how, how, "{wall} {name}");
    }

    #[test]
    fn an_ordinary_morning() {
        check(
            "Europe/Vienna",
            "2026-11-23T07:00",
            "2026-11-23T06:00:00Z",
            Resolution::Exact,
        );
        check(
            "Asia/Kathmandu",
            "2026-11-23 07:00:30",
            "2026-11-23T01:15:00Z",
            Resolution::Exact,
        );
    }

    #[test]
    fn in_a_gap_the_first_valid_minute_after() {
        // Vienna skips from 02:00 to 03:00; both ends and the middle of the gap.
        check(
            "Europe/Vienna",
            "2027-03-28T01:59",
            "2027-03-28T00:59:00Z",
            Resolution::Exact,
        );
        check(
            "Europe/Vienna",
            "2027-03-28T02:00",
            "2027-03-28T01:00:00Z",
            Resolution::AfterGap,
        );
        check(
            "Europe/Vienna",
            "2027-03-28T02:59",
            "2027-03-28T01:00:00Z",
            Resolution::AfterGap,
        );
        check(
            "Europe/Vienna",
            "2027-03-28T03:00",
            "2027-03-28T01:00:00Z",
            Resolution::Exact,
        );
        // Cairo skips midnight itself, Lord Howe half an hour, Samoa a whole day.
        check(
            "Africa/Cairo",
            "2026-04-24T00:00",
            "2026-04-23T22:00:00Z",
            Resolution::AfterGap,
        );
        check(
            "Australia/Lord_Howe",
            "2026-10-04T02:15",
            "2026-10-03T15:30:00Z",
            Resolution::AfterGap,
        );
        check(
            "Pacific/Apia",
            "2011-12-30T12:00",
            "2011-12-30T10:00:00Z",
            Resolution::AfterGap,
        );
    }

    #[test]
    fn in_an_overlap_the_first_occurrence() {
        check(
            "Europe/Vienna",
            "2026-10-25T02:30",
            "2026-10-25T00:30:00Z",
            Resolution::FirstOfTwo,
        );
        check(
            "Europe/Vienna",
            "2026-10-25T03:00",
            "2026-10-25T02:00:00Z",
            Resolution::Exact,
        );
        check(
            "America/New_York",
            "2026-11-01T01:00",
            "2026-11-01T05:00:00Z",
            Resolution::FirstOfTwo,
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            "",
            "tomorrow",
            "2026-11-23",
            "07:00",
            "2026-02-30T07:00",
            "2026-13-01T07:00",
            "2026-11-23T24:00",
            "2026-11-23T07:60",
            "2026-11-23T07:00Z",
            "2026-11-23T07:00+01:00",
            "+275760-01-01T00:00",
            "2026-11-23T07:00\0",
            "２０２６-11-23T07:00",
            "2026-11-23T07:00:00.5",
        ] {
            assert_eq!(WallTime::parse(bad), Err(NotAWallTime), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,24}") {
            let _ = WallTime::parse(&text);
        }

        // The properties of the conversion, in every zone and at any minute of four hundred years.
        #[test]
        fn a_wall_time_is_shown_or_skipped(which in 0usize..2_000, minute in -4_000_000i64..200_000_000) {
            let names = Zone::names();
            let zone = zone(&names[which % names.len()]);
            let start: DateTime = "1970-01-01T00:00".parse().unwrap();
            let wall = WallTime(start.checked_add(minute.minutes()).unwrap());
            let resolved = wall.resolve(&zone).unwrap();
            let shown = WallTime::at(resolved.at, &zone);
            match resolved.how {
                Resolution::Exact => prop_assert_eq!(shown, wall),
                Resolution::FirstOfTwo => {
                    prop_assert_eq!(shown, wall);
                    // No earlier instant on that day shows the same time.
                    for earlier in 1..=180 {
                        let before = resolved.at.checked_sub(earlier.minutes()).unwrap();
                        prop_assert_ne!(WallTime::at(before, &zone), wall);
                    }
                }
                Resolution::AfterGap => {
                    prop_assert!(shown > wall);
                    // The minute before the instant is before the gap, so no valid minute lies between.
                    let before = resolved.at.checked_sub(1.minute()).unwrap();
                    prop_assert!(WallTime::at(before, &zone) < wall);
                }
            }
        }

        #[test]
        fn written_and_read_again_it_is_the_same(minute in 0i64..4_000_000_000) {
            let start: DateTime = "1970-01-01T00:00".parse().unwrap();
            let wall = WallTime(start.checked_add(minute.minutes()).unwrap());
            prop_assert_eq!(WallTime::parse(&wall.to_string()).unwrap(), wall);
        }
    }
}
