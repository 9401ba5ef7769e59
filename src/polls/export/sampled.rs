//! What a random sample adds to the export.

use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::app::App;
use crate::polls::model::{Kind, Poll};
use crate::polls::results::{Totals, kinds};
use crate::polls::sample::{estimate, range, store};
use crate::web::Problem;

/// An option's share among everybody on the list, as estimated from the sample.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportEstimated)]
pub struct Estimated {
    pub question_key: i64,
    pub option_key: i64,
    pub option: String,
    pub answers: i64,
    pub of: i64,
    /// From 0 to 1.
    pub share: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

/// How a sample was drawn, and how many answered.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportDraw)]
pub struct Draw {
    pub newsletter: String,
    pub drawn_at: String,
    pub population: i64,
    pub drawn: i64,
    pub answered: i64,
    pub response_rate: f64,
    pub margin: Option<f64>,
    pub method: &'static str,
    pub seed: String,
    pub frame_sha256: String,
}

const METHOD: &str = "Simple random sample without replacement: the readers with the smallest HMAC-SHA256(seed, reader’s number as eight bytes, big-endian).";

/// The estimates; none for a poll without a sample.
pub fn estimated(poll: &Poll, totals: &Totals) -> Vec<Estimated> {
    let Some(sample) = poll.sample() else {
        return Vec::new();
    };
    let tier = poll.headline_tier;
    let mut rows = Vec::new();
    for question in &poll.questions {
        let options: Vec<_> = question.options.iter().collect();
        let ranked = kinds::runoff(question, totals, tier);
        let counts: Vec<i64> = match &ranked {
            Some((_, counted)) => kinds::first_choices(counted, &options),
            None => options.iter().map(|o| totals.option(o.id, tier)).collect(),
        };
        let of = match question.kind {
            Kind::Several => totals.voters(tier),
            _ => counts.iter().sum(),
        };
        for (option, answers) in options.iter().zip(counts) {
            let found = range(answers, of, sample.population);
            rows.push(Estimated {
                question_key: question.key,
                option_key: option.key,
                option: option.label.clone(),
                answers,
                of,
                share: found.map(|_| answers as f64 / of as f64),
                low: found.map(|found| found.low),
                high: found.map(|found| found.high),
            });
        }
    }
    rows
}

/// The draw, as a list with at most one element.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn drawn(app: &App, poll: &Poll, answered: i64) -> Result<Vec<Draw>, Problem> {
    let (Some(sample), Some(record)) = (poll.sample(), store::record(&app.db, poll.id).await?)
    else {
        return Ok(Vec::new());
    };
    let found = estimate(sample, answered);
    Ok(vec![Draw {
        newsletter: found.newsletter,
        drawn_at: sample.drawn_at.timestamp().to_string(),
        population: found.population,
        drawn: found.drawn,
        answered,
        response_rate: found.response_rate,
        margin: found.margin,
        method: METHOD,
        seed: record.seed,
        frame_sha256: HEXLOWER.encode(&record.frame_sha256),
    }])
}
