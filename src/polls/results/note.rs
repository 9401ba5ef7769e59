//! The note under every public result: who answered, when, where, and that it is not a sample. It follows the guidance
//! of the American Association for Public Opinion Research on opt-in samples.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::shares::grouped;
use crate::polls::model::Place;
use crate::types::UnixMillis;

/// The values in the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The readers counted in the result.
    pub voters: i64,
    /// Whether these are all who answered. If not, days and places are those of all: they are not counted by tier.
    pub all: bool,
    pub first: UnixMillis,
    pub last: UnixMillis,
    /// The places that answers came from, in the order they are named.
    pub places: Vec<Place>,
}

/// The values of the note, for notes in other languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = PollAnswered)]
pub struct Facts {
    /// The readers counted in the result.
    pub readers: i64,
    /// Whether these are all who answered. If not, days and places are those of all, because they are known only of
    /// all of them.
    pub all: bool,
    /// The day of the first answer in the poll's zone: `2026-11-03`.
    pub first: String,
    /// The day of the last.
    pub last: String,
    /// In the order they are named.
    pub places: Vec<Place>,
}

impl Facts {
    /// With days in `zone`.
    pub fn of(answered: &Answered, zone: &TimeZone) -> Self {
        Self {
            readers: answered.voters,
            all: answered.all,
            first: stamp(answered.first, zone, "%F"),
            last: stamp(answered.last, zone, "%F"),
            places: answered.places.clone(),
        }
    }
}

/// The note, with dates in `zone`.
pub fn note(answered: &Answered, zone: &TimeZone) -> String {
    let readers = if answered.voters == 1 {
        "1 reader".to_owned()
    } else {
        format!("{} readers", grouped(answered.voters))
    };
    let (when, places) = (between(answered, zone), places(&answered.places));
    if answered.all {
        format!(
            "{readers} chose to answer, {when}, {places}. They selected themselves; no margin of error applies."
        )
    } else {
        let are = if answered.voters == 1 { "is" } else { "are" };
        format!(
            "{readers} who chose to answer {are} counted here. All answers, including those not counted here, were given {when}, {places}. \
             Readers selected themselves; no margin of error applies."
        )
    }
}

/// When they answered: `on 3 November 2026`, `between 3 November 2026 and 9 November 2026`.
pub fn between(answered: &Answered, zone: &TimeZone) -> String {
    let (first, last) = (date(answered.first, zone), date(answered.last, zone));
    if first == last {
        format!("on {first}")
    } else {
        format!("between {first} and {last}")
    }
}

/// `22 November 2026`.
pub fn date(at: UnixMillis, zone: &TimeZone) -> String {
    stamp(at, zone, "%-d %B %Y")
}

/// `22 November 2026, 14:05 UTC`.
pub fn date_time(at: UnixMillis, zone: &TimeZone) -> String {
    stamp(at, zone, "%-d %B %Y, %H:%M %Z")
}

fn stamp(at: UnixMillis, zone: &TimeZone, format: &str) -> String {
    let time = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(zone.clone()).strftime(format).to_string()
}

fn places(places: &[Place]) -> String {
    match places {
        [] => "on this site".to_owned(),
        [one] => at(*one).to_owned(),
        [most @ .., last] => {
            let most: Vec<_> = most.iter().map(|place| at(*place)).collect();
            format!("{} and {}", most.join(", "), at(*last))
        }
    }
}

/// The place with its preposition, which differs from place to place.
fn at(place: Place) -> &'static str {
    match place {
        Place::PollPage => "on the poll’s page",
        Place::Article => "in an article",
        Place::Embed => "on pages that embed it",
        Place::Mail => "in the newsletter",
        Place::Api => "through connected services",
        Place::Elsewhere => "in another poll system, from which it was imported",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_says_who_when_where_and_what_it_is_not() {
        let answered = Answered {
            voters: 1_213,
            all: true,
            first: UnixMillis(1_793_700_000_000),
            last: UnixMillis(1_794_218_400_000),
            places: vec![Place::PollPage, Place::Article, Place::Mail],
        };
        assert_eq!(
            note(&answered, &TimeZone::UTC),
            "1,213 readers chose to answer, between 3 November 2026 and 9 November 2026, \
             on the poll’s page, in an article and in the newsletter. They selected themselves; no margin of error applies."
        );
        let facts = Facts::of(&answered, &TimeZone::UTC);
        assert_eq!(
            (facts.first.as_str(), facts.last.as_str()),
            ("2026-11-03", "2026-11-09")
        );
        assert_eq!(facts.readers, 1_213);
        assert_eq!(
            serde_json::to_value(&facts.places).expect("JSON"),
            serde_json::json!(["page", "article", "mail"])
        );
    }

    #[test]
    fn one_reader_is_not_readers() {
        let answered = Answered {
            voters: 1,
            all: true,
            first: UnixMillis(0),
            last: UnixMillis(0),
            places: vec![Place::Article],
        };
        assert!(
            note(&answered, &TimeZone::UTC)
                .starts_with("1 reader chose to answer, on 1 January 1970, in an article")
        );
    }

    #[test]
    fn days_and_places_of_all_are_not_said_of_those_who_are_counted() {
        let mut answered = Answered {
            voters: 12,
            all: false,
            first: UnixMillis(1_793_700_000_000),
            last: UnixMillis(1_794_218_400_000),
            places: vec![Place::Article, Place::Mail],
        };
        assert_eq!(
            note(&answered, &TimeZone::UTC),
            "12 readers who chose to answer are counted here. All answers, including those not counted here, were given \
             between 3 November 2026 and 9 November 2026, in an article and in the newsletter. \
             Readers selected themselves; no margin of error applies."
        );
        answered.voters = 1;
        assert!(
            note(&answered, &TimeZone::UTC)
                .starts_with("1 reader who chose to answer is counted here. All answers,")
        );
    }
}
