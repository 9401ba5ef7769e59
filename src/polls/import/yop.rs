//! YOP Poll 6 and 7: polls, their elements (questions), subelements (answers with counts), and votes with all
//! their answers in one column.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use serde_json::Value;

use super::carried::{Found, FoundOption, FoundQuestion, Log, hour, written};
use super::php;
use super::tables::{Fields, Orphans, Table};

/// What has been read so far, by table prefix and id.
#[derive(Default)]
pub struct Yop {
    polls: BTreeMap<(String, u64), Poll>,
    elements: BTreeMap<(String, u64), Vec<Element>>,
    options: BTreeMap<(String, u64), Vec<(u64, FoundOption)>>,
    /// Answers written by voters that became options, by their text: a vote refers to them only by that.
    written: BTreeMap<(String, u64, String), u64>,
    votes: Log,
    /// The number of rows that refer to a poll, by poll.
    mentioned: BTreeMap<(String, u64), u64>,
}

struct Poll {
    name: String,
    status: String,
    begins: Option<DateTime>,
    ends: Option<DateTime>,
}

struct Element {
    id: u64,
    order: i64,
    text: String,
    most: u64,
}

impl Yop {
    pub fn take(&mut self, prefix: &str, table: Table, row: &Fields) {
        let of = |column: &str| (prefix.to_owned(), row.number(column));
        if !matches!(table, Table::Polls) {
            *self.mentioned.entry(of("poll_id")).or_default() += 1;
        }
        match table {
            Table::Polls => {
                let meta = php::value(row.text("meta_data")).unwrap_or_default();
                let options = &meta["options"]["poll"];
                let custom = |which: &str, date: &str| {
                    let chosen = matches!(options[which].as_str(), Some("custom" | "custom-date"));
                    let date = options[date].as_str().filter(|_| chosen);
                    date.and_then(written)
                };
                let poll = Poll {
                    name: row.text("name").to_owned(),
                    status: row.text("status").to_owned(),
                    begins: custom("startDateOption", "startDateCustom")
                        .or_else(|| written(row.text("added_date"))),
                    ends: custom("endDateOption", "endDateCustom"),
                };
                self.polls.insert(of("id"), poll);
            }
            Table::Elements if is_question(row) => {
                let meta = php::value(row.text("meta_data")).unwrap_or_default();
                let several = is_yes(&meta["allowMultipleAnswers"]);
                let element = Element {
                    id: row.number("id"),
                    order: row.signed("sorder"),
                    text: row.text("etext").to_owned(),
                    // If the question has no limit of its own, all answers may be chosen.
                    most: match number(&meta["multipleAnswersMaxim"]) {
                        _ if !several => 1,
                        Some(0) | None => u64::MAX,
                        Some(most) => most,
                    },
                };
                self.elements
                    .entry(of("poll_id"))
                    .or_default()
                    .push(element);
            }
            Table::Subelements if !is_deleted(row) => {
                let option = FoundOption {
                    id: row.number("id"),
                    label: row.text("stext").to_owned(),
                    count: row.number("total_submits"),
                };
                if row.text("stype") == "other" {
                    let words = option.label.trim().to_owned();
                    let place = (prefix.to_owned(), row.number("element_id"), words);
                    self.written.insert(place, option.id);
                }
                let options = self.options.entry(of("element_id")).or_default();
                options.push((row.number("sorder"), option));
            }
            Table::Votes if row.text("status") == "active" => {
                let mut answers = php::value(row.text("vote_data"))
                    .map(|data| self.answers(prefix, &data))
                    .unwrap_or_default();
                answers.sort_unstable();
                answers.dedup();
                let at = written(row.text("added_date")).map(hour);
                let votes = self.votes.entry(of("poll_id")).or_default();
                *votes.entry((at, answers)).or_default() += 1;
            }
            _ => {}
        }
    }

    /// The ids of all chosen answers. An answer in the voter's own words has the id 0. It is found if it became an
    /// option before the vote is read, as in the order of a dump; other texts are not imported.
    fn answers(&self, prefix: &str, data: &Value) -> Vec<u64> {
        let mut chosen = Vec::new();
        for element in entries(&data["elements"]) {
            for item in entries(&element["data"]) {
                match number(&item["id"]) {
                    Some(0) => {
                        let words = item["data"].as_str().or_else(|| item["data"][0].as_str());
                        let of = number(&element["id"]).unwrap_or(0);
                        let words = words.unwrap_or_default().trim().to_owned();
                        chosen.extend(self.written.get(&(prefix.to_owned(), of, words)));
                    }
                    id => chosen.extend(id),
                }
            }
        }
        chosen
    }

    /// The polls, and the orphaned rows.
    pub fn polls(mut self) -> (Vec<Found>, Orphans) {
        let mut orphans = Orphans::default();
        for (place, rows) in self.mentioned {
            if !self.polls.contains_key(&place) {
                orphans.add(place, rows);
            }
        }
        let mut polls = Vec::new();
        for (place, poll) in self.polls {
            let mut elements = self.elements.remove(&place).unwrap_or_default();
            elements.sort_by_key(|element| (element.order, element.id));
            let mut questions = Vec::new();
            for element in elements {
                let of = (place.0.clone(), element.id);
                let mut options = self.options.remove(&of).unwrap_or_default();
                options.sort_by_key(|(order, option)| (*order, option.id));
                questions.push(FoundQuestion {
                    text: element.text,
                    most: element.most,
                    options: options.into_iter().map(|(_, option)| option).collect(),
                });
            }
            polls.push(Found {
                key: format!("{}{} {}", place.0, place.1, poll.name),
                questions,
                opens: poll.begins,
                closes: poll.ends,
                active: poll.status == "published",
                future: false,
                gone: (poll.status == "deleted").then_some("it was deleted there"),
                voters: None,
                log: self.votes.remove(&place).unwrap_or_default(),
            });
        }
        (polls, orphans)
    }
}

fn is_question(row: &Fields) -> bool {
    let kinds = [
        "text-question",
        "media-question",
        "question-text",
        "question-media",
    ];
    kinds.contains(&row.text("etype")) && !is_deleted(row)
}

fn is_deleted(row: &Fields) -> bool {
    matches!(row.text("status"), "deleted" | "trash")
}

/// `yes` before version 7, `1` from then on.
fn is_yes(value: &Value) -> bool {
    matches!(value.as_str(), Some("yes" | "1"))
        || value == &Value::Bool(true)
        || value == &Value::from(1)
}

fn number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

/// The elements of a list, or of a map with numeric keys, which PHP does not distinguish.
fn entries(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_name_their_answers_in_either_way() {
        let json = r#"{"elements":[{"id":"1","type":"question","data":[{"id":"5","data":["A"]},{"id":"0","data":["mine"]}]}],"user":{"weight":1}}"#;
        let php = r#"a:1:{s:8:"elements";a:1:{i:0;a:2:{s:2:"id";s:1:"1";s:4:"data";a:1:{i:0;a:2:{s:2:"id";s:1:"5";s:4:"data";s:1:"A";}}}}}"#;
        let mut yop = Yop::default();
        for stored in [json, php] {
            let data = php::value(stored).expect("readable");
            assert_eq!(yop.answers("wp_", &data), [5], "{stored}");
        }
        assert_eq!(yop.answers("wp_", &Value::Null), [0_u64; 0]);
        // What a voter wrote became an answer that others could choose, so it counts there.
        let place = ("wp_".to_owned(), 1, "mine".to_owned());
        yop.written.insert(place, 9);
        let data = php::value(json).expect("readable");
        assert_eq!(yop.answers("wp_", &data), [5, 9]);
        assert_eq!(yop.answers("wp_2_", &data), [5], "another site\'s");
    }
}
