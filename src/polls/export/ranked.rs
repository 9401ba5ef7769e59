//! What ranked questions add to the export. Whole rankings are left out: a ranking that only one reader gave
//! can identify that reader.

use serde::Serialize;

use crate::polls::model::{Kind, Poll};
use crate::polls::results::{Totals, kinds};

/// How often an option was given a rank.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportRanked)]
pub struct Ranked {
    pub question_key: i64,
    pub option_key: i64,
    pub option: String,
    pub rank: usize,
    pub answers: i64,
}

/// An option's ballots in a round of the run-off.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportRound)]
pub struct Round {
    pub question_key: i64,
    pub round: usize,
    /// `null`: ballots that rank none of the remaining options.
    pub option_key: Option<i64>,
    pub option: String,
    pub ballots: i64,
}

/// Every option at every possible rank.
pub fn ranks(poll: &Poll, totals: &Totals) -> Vec<Ranked> {
    let tier = poll.headline_tier;
    let mut rows = Vec::new();
    for question in poll.questions.iter().filter(|q| q.kind == Kind::Ranked) {
        let rankings = || {
            totals
                .rankings
                .iter()
                .filter(move |ranking| ranking.question == question.key && ranking.tier >= tier)
        };
        let deepest = rankings().map(|r| r.options.len()).max().unwrap_or(0);
        for option in &question.options {
            for rank in 1..=deepest {
                let stands = rankings().filter(|r| r.options.get(rank - 1) == Some(&option.id));
                rows.push(Ranked {
                    question_key: question.key,
                    option_key: option.key,
                    option: option.label.clone(),
                    rank,
                    answers: stands.map(|r| r.n).sum(),
                });
            }
        }
    }
    rows
}

/// The rounds of every run-off, each with its exhausted ballots.
pub fn rounds(poll: &Poll, totals: &Totals) -> Vec<Round> {
    let mut rows = Vec::new();
    for question in &poll.questions {
        let Some((runoff, _)) = kinds::runoff(question, totals, poll.headline_tier) else {
            continue;
        };
        let label = |key: i64| {
            let option = question.options.iter().find(|o| o.key == key);
            option.map_or_else(String::new, |o| o.label.clone())
        };
        for round in &runoff.rounds {
            rows.extend(round.counts.iter().map(|count| Round {
                question_key: question.key,
                round: round.number,
                option_key: Some(count.key),
                option: label(count.key),
                ballots: count.votes,
            }));
            rows.push(Round {
                question_key: question.key,
                round: round.number,
                option_key: None,
                option: String::new(),
                ballots: round.exhausted,
            });
        }
    }
    rows
}
