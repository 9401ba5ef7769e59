//! Writes each list of the export as lines of its file, with the columns in the order of the dictionary.

use super::dictionary::Entry;
use super::document::{Answer, At, Cell, Hour, Refused, Taken, Voters};
use super::ranked::{Ranked, Round};
use super::sampled::{Draw, Estimated};

/// A row of a list, as a line of its file.
pub trait Line {
    /// One cell for each field that the dictionary lists for the file; hidden or unknown values are empty.
    fn cells(&self) -> Vec<String>;
}

fn number(n: Option<i64>) -> String {
    n.map(|n| n.to_string()).unwrap_or_default()
}

/// A share from 0 to 1.
fn share(share: Option<f64>) -> String {
    share.map(|share| format!("{share:.4}")).unwrap_or_default()
}

impl Line for Answer {
    fn cells(&self) -> Vec<String> {
        vec![
            self.question_key.to_string(),
            self.question.clone(),
            self.kind.name().into(),
            self.option_key.to_string(),
            self.option.clone(),
            self.tier.name().into(),
            number(self.answers),
        ]
    }
}

impl Line for Voters {
    fn cells(&self) -> Vec<String> {
        vec![self.tier.name().into(), self.readers.to_string()]
    }
}

impl Line for Hour {
    fn cells(&self) -> Vec<String> {
        vec![
            self.hour.clone(),
            self.tier.into(),
            self.answers.to_string(),
        ]
    }
}

impl Line for At {
    fn cells(&self) -> Vec<String> {
        vec![
            self.place.into(),
            number(self.looks),
            self.answers.to_string(),
        ]
    }
}

impl Line for Taken {
    fn cells(&self) -> Vec<String> {
        vec![self.step.into(), self.count.to_string()]
    }
}

impl Line for Refused {
    fn cells(&self) -> Vec<String> {
        vec![self.reason.into(), self.count.to_string()]
    }
}

impl Line for Cell {
    fn cells(&self) -> Vec<String> {
        vec![
            self.row_question_key.to_string(),
            self.row.clone(),
            self.column_question_key.to_string(),
            self.column.clone(),
            number(self.answers),
        ]
    }
}

impl Line for Ranked {
    fn cells(&self) -> Vec<String> {
        vec![
            self.question_key.to_string(),
            self.option_key.to_string(),
            self.option.clone(),
            self.rank.to_string(),
            self.answers.to_string(),
        ]
    }
}

impl Line for Round {
    fn cells(&self) -> Vec<String> {
        vec![
            self.question_key.to_string(),
            self.round.to_string(),
            number(self.option_key),
            self.option.clone(),
            self.ballots.to_string(),
        ]
    }
}

impl Line for Estimated {
    fn cells(&self) -> Vec<String> {
        vec![
            self.question_key.to_string(),
            self.option_key.to_string(),
            self.option.clone(),
            self.answers.to_string(),
            self.of.to_string(),
            share(self.share),
            share(self.low),
            share(self.high),
        ]
    }
}

impl Line for Draw {
    fn cells(&self) -> Vec<String> {
        vec![
            self.newsletter.clone(),
            self.drawn_at.clone(),
            self.population.to_string(),
            self.drawn.to_string(),
            self.answered.to_string(),
            share(Some(self.response_rate)),
            self.margin.map(|m| m.to_string()).unwrap_or_default(),
            self.method.into(),
            self.seed.clone(),
            self.frame_sha256.clone(),
        ]
    }
}

impl Line for Entry {
    fn cells(&self) -> Vec<String> {
        [self.file, self.field, self.kind, self.meaning]
            .map(str::to_owned)
            .to_vec()
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::Value;

    use super::super::dictionary::DICTIONARY;
    use super::super::sheets::FILES;
    use super::*;
    use crate::polls::model::{Kind, Tier};

    /// Each cell holds the field named in the heading, with the same value as in JSON.
    fn is_as_headed<L: Line + Serialize>(list: &str, row: &L) {
        let name = format!("{list}.csv");
        let file = FILES.iter().find(|file| file.name == name).expect("a file");
        let (heading, cells) = (file.heading(), row.cells());
        assert_eq!(heading.len(), cells.len(), "{list}");
        let json = serde_json::to_value(row).expect("a row");
        for (field, cell) in heading.iter().zip(&cells) {
            let same = match &json[*field] {
                Value::Null => cell.is_empty(),
                Value::String(text) => cell == text,
                // Shares are cut off after the fourth decimal place.
                number => cell.parse::<f64>().ok() == number.as_f64(),
            };
            assert!(same, "{list}: {field} is {}, not {cell:?}", json[*field]);
        }
        let fields = json.as_object().map(serde_json::Map::len);
        assert_eq!(fields, Some(cells.len()), "{list}: a field is left out");
    }

    #[test]
    fn every_line_has_the_cells_its_heading_names() {
        is_as_headed(
            "results",
            &Answer {
                question_key: 1,
                question: "Which bath?".into(),
                kind: Kind::Single,
                option_key: 2,
                option: "The lake".into(),
                tier: Tier::Subscriber,
                answers: Some(3),
            },
        );
        let (tier, hour) = (Tier::Worked, "2026-11-27T02:00:00Z".to_owned());
        is_as_headed("voters", &Voters { tier, readers: 1 });
        is_as_headed(
            "turnout",
            &Hour {
                hour,
                tier: tier.name(),
                answers: 1,
            },
        );
        is_as_headed(
            "places",
            &At {
                place: "embed",
                looks: None,
                answers: 1,
            },
        );
        is_as_headed(
            "steps",
            &Taken {
                step: "looked",
                count: 1,
            },
        );
        let (reason, count) = ("closed", 1);
        is_as_headed("refusals", &Refused { reason, count });
        is_as_headed(
            "tables",
            &Cell {
                row_question_key: 1,
                row: "The lake".into(),
                column_question_key: 2,
                column: "Daily".into(),
                answers: None,
            },
        );
        is_as_headed(
            "ranks",
            &Ranked {
                question_key: 1,
                option_key: 2,
                option: "The lake".into(),
                rank: 3,
                answers: 4,
            },
        );
        is_as_headed(
            "rounds",
            &Round {
                question_key: 1,
                round: 2,
                option_key: None,
                option: "None of those left".into(),
                ballots: 3,
            },
        );
        is_as_headed(
            "sample",
            &Estimated {
                question_key: 1,
                option_key: 2,
                option: "The lake".into(),
                answers: 3,
                of: 4,
                share: Some(0.75),
                low: Some(0.5),
                high: None,
            },
        );
        is_as_headed(
            "draw",
            &Draw {
                newsletter: "The Daily".into(),
                drawn_at: "2026-11-27T02:00:00Z".into(),
                population: 1,
                drawn: 2,
                answered: 3,
                response_rate: 0.25,
                margin: Some(4.5),
                method: "by lot",
                seed: "00".into(),
                frame_sha256: "ff".into(),
            },
        );
        is_as_headed("dictionary", &DICTIONARY[0]);
    }
}
