//! Estimates from the answers of a sample for the list it was drawn from. Pure.
//!
//! Estimates are those of a simple random sample of the size that answered, with the finite-population correction: they
//! cover the randomness of the draw. No calculation can tell whether those who did not answer think alike, which is why
//! the response rate is shown beside every estimate.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::Sample;
use crate::polls::results::note::{Answered, between, date};
use crate::polls::results::shares::{MIN_FOR_DECIMALS, MIN_FOR_PERCENT, grouped};
use crate::polls::statistics::interval::{mean_of_list, widest_of_list};
use crate::polls::statistics::{Interval, of_list};

/// What must be known to interpret the result of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = PollSample)]
pub struct Estimate {
    /// The newsletter whose confirmed subscribers the estimates are about.
    pub newsletter: String,
    /// Its confirmed subscribers when the sample was drawn.
    pub population: i64,
    /// How many of them were drawn and asked.
    pub drawn: i64,
    /// How many of those answered.
    pub answered: i64,
    /// Answered divided by drawn, from 0 to 1: AAPOR's response rate 1. Readers who could not be reached
    /// count as not having answered.
    pub response_rate: f64,
    /// The most points by which randomness in the draw may change a share, either way, in 95 of 100 draws;
    /// absent under 30 answers.
    pub margin: Option<f64>,
    /// All of this in one line.
    pub line: String,
}

/// The data about the estimate for `answered` ballots.
#[must_use]
pub fn estimate(sample: &Sample, answered: i64) -> Estimate {
    let (population, drawn) = (sample.population, sample.size());
    let margin = margin(answered, population);
    let line = format!(
        "A random sample of {} of {} subscribers: {} answered, {}.",
        grouped(drawn),
        grouped(population),
        grouped(answered),
        match margin {
            Some(points) => format!("± {points:.1} points"),
            None => "too few for an estimate".to_owned(),
        }
    );
    Estimate {
        newsletter: sample.name.clone(),
        population,
        drawn,
        answered,
        response_rate: if drawn > 0 {
            (answered as f64 / drawn as f64 * 10_000.0).round() / 10_000.0
        } else {
            0.0
        },
        margin,
        line,
    }
}

impl Estimate {
    /// The note that has to be shown with the numbers.
    #[must_use]
    pub fn note(&self, sample: &Sample, answered: Option<&Answered>, zone: &TimeZone) -> String {
        let drawn = date(sample.drawn_at, zone);
        let were_drawn = format!(
            "On {drawn}, {} of the {} confirmed subscribers of {} were selected at random",
            grouped(self.drawn),
            grouped(self.population),
            self.newsletter,
        );
        let Some(answered) = answered.filter(|_| self.answered > 0) else {
            // It is not known here whether the invitation has been sent.
            return format!("{were_drawn}. Nobody has answered yet.");
        };
        let came = format!(
            "{} answered {}: a response rate of {}.",
            grouped(self.answered),
            between(answered, zone),
            rate(self.response_rate),
        );
        let meaning = match self.margin {
            Some(_) => {
                "The ranges show how far the luck of the draw may have shifted a share: they hold in 95 of 100 such draws. They say nothing about subscribers who do not answer, or about anyone who does not subscribe."
            }
            None => "That is too few to say anything about the others.",
        };
        format!("{were_drawn} and asked by email. {came} {meaning}")
    }
}

/// A response rate as text: whole per cent, with one decimal under ten.
#[must_use]
pub fn rate(share: f64) -> String {
    let per_cent = share * 100.0;
    if per_cent < 10.0 {
        format!("{per_cent:.1}%")
    } else {
        format!("{per_cent:.0}%")
    }
}

/// The points in [`Estimate::margin`].
#[must_use]
pub fn margin(answered: i64, population: i64) -> Option<f64> {
    let half = widest_of_list(answered, population)?;
    (answered >= MIN_FOR_PERCENT).then(|| (half * 1_000.0).ceil() / 10.0)
}

/// The range of a share: `k` of `n` who answered the question, from a list of `population`. `None` under 30 answers.
#[must_use]
pub fn range(k: i64, n: i64, population: i64) -> Option<Interval> {
    (n >= MIN_FOR_PERCENT)
        .then(|| of_list(k, n, population))
        .flatten()
}

/// The range as text, as precise as the shares beside it and rounded outwards: `31 to 43%`.
#[must_use]
pub fn share_range(range: &Interval, answers: i64) -> String {
    let (unit, digits) = if answers < MIN_FOR_DECIMALS {
        (1.0, 0)
    } else {
        (10.0, 1)
    };
    // A tiny tolerance, so that a round number stays one.
    let low = (range.low * 100.0 * unit + 1e-9).floor() / unit;
    let high = (range.high * 100.0 * unit - 1e-9).ceil() / unit;
    format!("{low:.digits$} to {high:.digits$}%")
}

/// The range of a rating's mean as text, rounded outwards: `3.6 to 4.0`. `None` under 30 answers.
#[must_use]
pub fn range_of_mean(from: i64, counts: &[i64], population: i64) -> Option<String> {
    let answers: i64 = counts.iter().sum();
    let (unit, digits) = if answers < MIN_FOR_DECIMALS {
        (10.0, 1)
    } else {
        (100.0, 2)
    };
    let found = mean_of_list(from, counts, population).filter(|_| answers >= MIN_FOR_PERCENT)?;
    let low = (found.low * unit + 1e-9).floor() / unit;
    let high = (found.high * unit - 1e-9).ceil() / unit;
    Some(format!("{low:.digits$} to {high:.digits$}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::polls::model::Place;
    use crate::types::{NewsletterId, ReaderId, UnixMillis};

    fn sample(drawn: i64, population: i64) -> Sample {
        Sample {
            newsletter: NewsletterId(1),
            name: "The Morning".to_owned(),
            population,
            readers: (1..=drawn).map(ReaderId).collect::<Vec<_>>().into(),
            drawn_at: UnixMillis(1_793_700_000_000),
            beside: None,
        }
    }

    #[test]
    fn a_sample_is_told_in_a_line_with_its_margin() {
        let found = estimate(&sample(1_000, 12_480), 312);
        assert_eq!(
            found.line,
            "A random sample of 1,000 of 12,480 subscribers: 312 answered, ± 5.5 points."
        );
        assert!((found.response_rate - 0.312).abs() < 1e-9);
    }

    #[test]
    fn too_few_answers_have_no_margin_and_no_range() {
        let found = estimate(&sample(1_000, 12_480), 29);
        assert_eq!(found.margin, None);
        assert!(
            found
                .line
                .ends_with("29 answered, too few for an estimate.")
        );
        assert_eq!(range(10, 29, 12_480), None);
        assert_eq!(range_of_mean(1, &[10, 10, 9], 12_480), None);
        assert!(range(10, 30, 12_480).is_some());
    }

    #[test]
    fn nobody_asked_is_no_division_by_nothing() {
        assert_eq!(estimate(&sample(0, 0), 0).response_rate, 0.0);
    }

    #[test]
    fn whoever_is_left_out_shrinks_the_range_to_a_point() {
        assert_eq!(share_range(&range(30, 100, 100).unwrap(), 100), "30 to 30%");
        assert_eq!(margin(100, 100), Some(0.0));
        assert_eq!(share_range(&range(0, 40, 900).unwrap(), 40), "0 to 9%");
        let many = range(400, 1_600, 10_000).unwrap();
        assert_eq!(share_range(&many, 1_600), "23.1 to 27.0%");
    }

    #[test]
    fn the_note_says_who_was_asked_and_what_the_ranges_do_not_say() {
        let sample = Sample {
            readers: Arc::from((1..=500).map(ReaderId).collect::<Vec<_>>()),
            ..sample(0, 12_480)
        };
        let answered = Answered {
            all: true,
            voters: 48,
            first: UnixMillis(1_793_700_000_000),
            last: UnixMillis(1_794_218_400_000),
            places: vec![Place::Mail],
        };
        let found = estimate(&sample, 48);
        let note = found.note(&sample, Some(&answered), &TimeZone::UTC);
        assert!(note.starts_with(
            "On 3 November 2026, 500 of the 12,480 confirmed subscribers of The Morning were selected at random and asked by email. \
             48 answered between 3 November 2026 and 9 November 2026: a response rate of 9.6%."
        ), "{note}");
        assert!(note.contains("nothing about subscribers who do not answer"));
        let nobody = estimate(&sample, 0).note(&sample, None, &TimeZone::UTC);
        assert!(nobody.ends_with("Nobody has answered yet."), "{nobody}");
    }
}
