//! Answers over time, in as many steps as a chart can hold.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::store::Hour;
use crate::polls::model::Tier;

/// The width of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Hour,
    Day,
    Month,
}

/// The answers of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its start, formatted for its unit.
    pub label: String,
    /// Answers of confirmed subscribers.
    pub confirmed: i64,
    /// Answers of everybody else.
    pub others: i64,
}

impl Bucket {
    /// All answers of the step.
    #[must_use]
    pub fn all(&self) -> i64 {
        self.confirmed + self.others
    }
}

/// Turnout in steps of one unit, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turnout {
    pub unit: Unit,
    pub buckets: Vec<Bucket>,
}

/// Up to this many hours are shown hour by hour.
const HOURS: i64 = 72;
/// Up to this many days are shown day by day.
const DAYS: i64 = 120;
/// The most months shown.
const MONTHS: usize = 240;
const HOUR_MS: i64 = 3_600_000;

/// Divides `hours` (oldest first) into steps of local time in `zone`; `None` without answers.
#[must_use]
pub fn turnout(hours: &[Hour], zone: &TimeZone) -> Option<Turnout> {
    let (first, last) = (hours.first()?.at.0, hours.last()?.at.0);
    let span = (last - first) / HOUR_MS + 1;
    let unit = match span {
        ..=HOURS => Unit::Hour,
        _ if span <= DAYS * 24 => Unit::Day,
        _ => Unit::Month,
    };
    let starts = starts(unit, first, last, zone);
    let mut buckets: Vec<Bucket> = starts
        .iter()
        .map(|(_, label)| Bucket {
            label: label.clone(),
            confirmed: 0,
            others: 0,
        })
        .collect();
    for hour in hours {
        let at = starts.partition_point(|(start, _)| *start <= hour.at.0);
        if let Some(bucket) = at.checked_sub(1).and_then(|at| buckets.get_mut(at)) {
            if hour.tier >= Tier::Subscriber {
                bucket.confirmed += hour.n;
            } else {
                bucket.others += hour.n;
            }
        }
    }
    Some(Turnout { unit, buckets })
}

/// The start of each step and its label.
fn starts(unit: Unit, first: i64, last: i64, zone: &TimeZone) -> Vec<(i64, String)> {
    let zoned = |ms: i64| {
        Timestamp::from_millisecond(ms)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_zoned(zone.clone())
    };
    if unit == Unit::Hour {
        let hours = (0..=(last - first) / HOUR_MS).map(|i| first + i * HOUR_MS);
        return hours
            .map(|at| (at, zoned(at).strftime("%-d %b, %H:%M").to_string()))
            .collect();
    }
    let begin = |date: Date| {
        let midnight = date.to_zoned(zone.clone());
        midnight.map_or(i64::MAX, |at| at.timestamp().as_millisecond())
    };
    let (mut date, step, format) = match unit {
        Unit::Month => (zoned(first).date().first_of_month(), 1.month(), "%B %Y"),
        _ => (zoned(first).date(), 1.day(), "%-d %b %Y"),
    };
    let mut starts = Vec::new();
    while begin(date) <= last && starts.len() < MONTHS {
        starts.push((begin(date), date.strftime(format).to_string()));
        match date.checked_add(step) {
            Ok(next) => date = next,
            Err(_) => break,
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UnixMillis;
    use proptest::prelude::*;

    fn hour(at: &str, tier: Tier, n: i64) -> Hour {
        let at: Timestamp = at.parse().unwrap();
        Hour {
            at: UnixMillis(at.as_millisecond()),
            tier,
            n,
        }
    }

    #[test]
    fn nobody_has_no_turnout() {
        assert_eq!(turnout(&[], &TimeZone::UTC), None);
    }

    #[test]
    fn a_short_poll_is_shown_by_the_hour_with_its_gaps() {
        let found = turnout(
            &[
                hour("2026-03-02T09:00:00Z", Tier::Anonymous, 5),
                hour("2026-03-02T09:00:00Z", Tier::Subscriber, 2),
                hour("2026-03-02T12:00:00Z", Tier::Worked, 1),
            ],
            &TimeZone::get("Europe/Berlin").unwrap(),
        )
        .unwrap();
        assert_eq!(found.unit, Unit::Hour);
        let seen: Vec<_> = found
            .buckets
            .iter()
            .map(|b| (b.label.as_str(), b.confirmed, b.others))
            .collect();
        assert_eq!(
            seen,
            [
                ("2 Mar, 10:00", 2, 5),
                ("2 Mar, 11:00", 0, 0),
                ("2 Mar, 12:00", 0, 0),
                ("2 Mar, 13:00", 0, 1)
            ]
        );
    }

    #[test]
    fn days_are_those_of_the_zone_also_when_clocks_change() {
        // 29 March 2026 has 23 hours in Berlin.
        let found = turnout(
            &[
                hour("2026-03-26T22:00:00Z", Tier::Anonymous, 1),
                hour("2026-03-28T23:00:00Z", Tier::Anonymous, 2),
                hour("2026-03-29T21:00:00Z", Tier::Anonymous, 4),
                hour("2026-03-29T22:00:00Z", Tier::Anonymous, 8),
            ],
            &TimeZone::get("Europe/Berlin").unwrap(),
        )
        .unwrap();
        let seen: Vec<_> = found
            .buckets
            .iter()
            .map(|b| (b.label.as_str(), b.others))
            .collect();
        assert_eq!(
            seen,
            [
                ("26 Mar 2026", 1),
                ("27 Mar 2026", 0),
                ("28 Mar 2026", 0),
                ("29 Mar 2026", 6),
                ("30 Mar 2026", 8)
            ]
        );
    }

    #[test]
    fn a_year_is_shown_by_the_month() {
        let hours = [
            hour("2025-01-31T09:00:00Z", Tier::Anonymous, 1),
            hour("2026-03-02T09:00:00Z", Tier::Anonymous, 1),
        ];
        let found = turnout(&hours, &TimeZone::UTC).unwrap();
        assert_eq!((found.unit, found.buckets.len()), (Unit::Month, 15));
    }

    proptest! {
        #[test]
        fn every_answer_is_in_one_step(hours in proptest::collection::vec((0_i64..20_000, 0_i64..50), 1..40)) {
            let mut hours: Vec<Hour> = hours
                .into_iter()
                .map(|(h, n)| Hour { at: UnixMillis(1_772_442_000_000 + h * HOUR_MS), tier: Tier::Anonymous, n })
                .collect();
            hours.sort_by_key(|h| h.at);
            let found = turnout(&hours, &TimeZone::get("Australia/Lord_Howe").unwrap()).unwrap();
            prop_assert_eq!(found.buckets.iter().map(Bucket::all).sum::<i64>(), hours.iter().map(|h| h.n).sum::<i64>());
        }
    }
}
