//! The content of a poll's picture. Pure; equal sketches give the same picture.

use crate::polls::model::{Phase, Poll};
use crate::polls::results::shares::{grouped, shares};
use crate::polls::results::{QuestionResult, Results};
use crate::types::UnixMillis;

/// The content of a picture before it is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sketch {
    pub question: String,
    pub bars: Vec<Bar>,
    /// What has to be said with the numbers.
    pub foot: String,
    /// The host of the publisher.
    pub host: String,
}

/// An answer with its bar.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bar {
    pub label: String,
    pub value: String,
    /// The length of the bar, in tenths of a per cent of the full width.
    pub length: i64,
}

/// The most answers in a picture.
const MOST: usize = 4;

impl Sketch {
    /// The picture of `poll`, with `results` that the public may see, or with its question alone.
    pub fn of(poll: &Poll, results: Option<&Results>, now: UnixMillis, host: &str) -> Self {
        let question = results.and_then(|results| results.questions.first());
        let mut rows: Vec<_> = question
            .map(|q| q.rows.iter().collect())
            .unwrap_or_default();
        let all = rows.len();
        if all > MOST {
            // The options chosen most, in the order of the poll.
            let mut by_votes = rows.clone();
            by_votes.sort_by_key(|row| std::cmp::Reverse(row.votes));
            by_votes.truncate(MOST);
            rows.retain(|row| by_votes.iter().any(|kept| kept.key == row.key));
        }
        let last = question.and_then(last_round);
        let bars: Vec<Bar> = rows
            .iter()
            .map(|row| Bar {
                label: row.label.clone(),
                value: row.share.clone().unwrap_or_else(|| row.count.clone()),
                length: (row.width.clamp(0.0, 100.0) * 10.0).round() as i64,
            })
            .collect();
        let bars = match &last {
            Some((_, bars)) => bars.clone(),
            None => bars,
        };
        let open = matches!(poll.phase(now), Phase::Open { .. });
        let foot = match results {
            Some(results) if let Some(sample) = &results.sample => sample.line.clone(),
            Some(results) if results.voters > 0 => {
                let more = all.saturating_sub(bars.len());
                let more = match more {
                    0 => String::new(),
                    1 => " 1 more option not shown.".to_owned(),
                    n => format!(" {n} more options not shown."),
                };
                let readers = if results.voters == 1 {
                    "1 reader chose to answer".to_owned()
                } else {
                    format!("{} readers chose to answer", grouped(results.voters))
                };
                match last {
                    Some((1, _)) => format!("{readers}. Not a random sample. First choices.{more}"),
                    Some((rounds, _)) => {
                        format!("{readers}. Not a random sample. After {rounds} rounds.{more}")
                    }
                    None => format!("{readers}. Not a random sample.{more}"),
                }
            }
            _ if open => "We are asking our readers. Answer with one tap.".to_owned(),
            _ => "We asked our readers.".to_owned(),
        };
        Self {
            question: poll.headline().to_owned(),
            bars: if results.is_some_and(|r| r.voters > 0) {
                bars
            } else {
                Vec::new()
            },
            foot,
            host: host.to_owned(),
        }
    }
}

/// For a ranked question: the number of rounds in its count, and the options left in the last round, most ballots
/// first. First choices alone could suggest a different winner than the result.
fn last_round(question: &QuestionResult) -> Option<(usize, Vec<Bar>)> {
    let rounds = &question.runoff.as_ref()?.rounds;
    let last = rounds.last()?;
    let all: i64 = last.counts.iter().map(|count| count.votes).sum();
    let mut counts: Vec<_> = last.counts.iter().collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.votes));
    let votes: Vec<i64> = counts.iter().map(|count| count.votes).collect();
    let shown = shares(&votes, all, true);
    let label = |key: i64| question.rows.iter().find(|row| row.key == key);
    let bars = counts.iter().enumerate().take(MOST).map(|(at, count)| Bar {
        label: label(count.key).map_or_else(String::new, |row| row.label.clone()),
        value: shown
            .as_ref()
            .and_then(|shares| shares.get(at))
            .map_or_else(|| grouped(count.votes), |share| share.text()),
        length: (count.votes * 1_000).checked_div(all).unwrap_or(0),
    });
    Some((rounds.len(), bars.collect()))
}
