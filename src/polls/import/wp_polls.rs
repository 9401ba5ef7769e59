//! WP-Polls: questions in `pollsq`, answers with their counts in `pollsa`, and one row for each answer
//! of each vote in `pollsip`.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::carried::{Found, FoundOption, FoundQuestion, Log, hour, local};
use super::tables::{Fields, Orphans, Table};

/// What has been read so far.
#[derive(Default)]
pub struct WpPolls {
    questions: BTreeMap<(String, u64), Question>,
    answers: BTreeMap<(String, u64), Vec<FoundOption>>,
    log: Log,
    /// The vote whose rows are being read. The rows of a vote are consecutive, and identical except for the answer.
    vote: Option<Vote>,
}

struct Question {
    text: String,
    begun: i64,
    ends: i64,
    state: i64,
    multiple: u64,
    voters: u64,
}

struct Vote {
    poll: (String, u64),
    /// Compared with the next row, then dropped.
    same: [String; 4],
    hour: Option<DateTime>,
    answers: Vec<u64>,
}

impl WpPolls {
    pub fn take(&mut self, prefix: &str, table: Table, row: &Fields) {
        match table {
            Table::Questions => {
                let question = Question {
                    text: row.text("pollq_question").to_owned(),
                    begun: row.signed("pollq_timestamp"),
                    ends: row.signed("pollq_expiry"),
                    state: row.signed("pollq_active"),
                    multiple: row.number("pollq_multiple"),
                    voters: row.number("pollq_totalvoters"),
                };
                let id = row.number("pollq_id");
                self.questions.insert((prefix.to_owned(), id), question);
            }
            Table::Answers => {
                let option = FoundOption {
                    id: row.number("polla_aid"),
                    label: row.text("polla_answers").to_owned(),
                    count: row.number("polla_votes"),
                };
                let poll = (prefix.to_owned(), row.number("polla_qid"));
                self.answers.entry(poll).or_default().push(option);
            }
            Table::Log => self.vote(prefix, row),
            _ => {}
        }
    }

    fn vote(&mut self, prefix: &str, row: &Fields) {
        let poll = (prefix.to_owned(), row.number("pollip_qid"));
        let answer = row.number("pollip_aid");
        let columns = [
            "pollip_ip",
            "pollip_timestamp",
            "pollip_user",
            "pollip_userid",
        ];
        let same = columns.map(|column| row.text(column).to_owned());
        let goes_on = self.vote.as_mut().filter(|vote| {
            vote.poll == poll && vote.same == same && !vote.answers.contains(&answer)
        });
        if let Some(vote) = goes_on {
            vote.answers.push(answer);
            return;
        }
        self.end_vote();
        self.vote = Some(Vote {
            poll,
            hour: local(row.signed("pollip_timestamp")).map(hour),
            same,
            answers: vec![answer],
        });
    }

    fn end_vote(&mut self) {
        if let Some(mut vote) = self.vote.take() {
            vote.answers.sort_unstable();
            let log = self.log.entry(vote.poll).or_default();
            *log.entry((vote.hour, vote.answers)).or_default() += 1;
        }
    }

    /// The polls, and the orphaned rows.
    pub fn polls(mut self) -> (Vec<Found>, Orphans) {
        self.end_vote();
        let mut polls = Vec::new();
        for ((prefix, id), question) in self.questions {
            let place = (prefix, id);
            let mut options = self.answers.remove(&place).unwrap_or_default();
            options.sort_by_key(|option| option.id);
            let several = question.multiple > 1;
            let mut log = BTreeMap::new();
            for ((hour, answers), n) in self.log.remove(&place).unwrap_or_default() {
                // If only one answer is allowed, identical rows are votes of several people behind one address.
                let votes = if several || answers.len() == 1 {
                    vec![answers]
                } else {
                    answers.into_iter().map(|answer| vec![answer]).collect()
                };
                for vote in votes {
                    *log.entry((hour, vote)).or_default() += n;
                }
            }
            polls.push(Found {
                key: format!("{}{id} {} {}", place.0, question.begun, question.text),
                questions: vec![FoundQuestion {
                    text: question.text,
                    most: question.multiple.max(1),
                    options,
                }],
                opens: local(question.begun),
                closes: local(question.ends),
                active: question.state != 0,
                future: question.state < 0,
                gone: None,
                voters: several.then_some(question.voters),
                log,
            });
        }
        let mut orphans = Orphans::default();
        for (place, answers) in self.answers {
            orphans.add(place, answers.len() as u64);
        }
        for (place, votes) in self.log {
            orphans.add(place, votes.values().sum());
        }
        (polls, orphans)
    }
}
