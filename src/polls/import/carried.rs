//! A poll of another system, with its ballots. Pure.
//!
//! These systems keep a count for each answer and, if configured to, a log of votes; the two need not agree. Every
//! vote in the log becomes a ballot with its hour. Votes that are in the counts but not in the log become ballots
//! without a time of their own.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::words::plain;
use crate::polls::definition::QuestionText;
use crate::polls::model::Kind;
use crate::types::UnixMillis;

const HOUR_MS: i64 = 3_600_000;
/// More votes than any newspaper's poll has, and few enough to be held in memory: a higher count is taken for an
/// error of the other system.
const MOST_VOTES: u64 = 10_000_000;

/// The number of votes with the same answers in the same hour of the site's local time (`None`: the log has no time).
pub type Votes = BTreeMap<(Option<DateTime>, Vec<u64>), u64>;

/// Votes, by table prefix and poll id.
pub type Log = BTreeMap<(String, u64), Votes>;

/// A poll as found in the tables.
#[derive(Debug, Default)]
pub struct Found {
    /// Its identity in the other system: system, table prefix, id and what it asks.
    pub key: String,
    pub questions: Vec<FoundQuestion>,
    pub opens: Option<DateTime>,
    pub closes: Option<DateTime>,
    /// It was accepting answers, or was going to.
    pub active: bool,
    /// It had not started.
    pub future: bool,
    /// Why it is not imported.
    pub gone: Option<&'static str>,
    /// The number of people who answered, if the system counted it.
    pub voters: Option<u64>,
    /// The votes in the log: by the hour in local time and the ids of the answers in the other system.
    pub log: Votes,
}

#[derive(Debug, Default)]
pub struct FoundQuestion {
    pub text: String,
    /// 1: one answer; more: several.
    pub most: u64,
    pub options: Vec<FoundOption>,
}

#[derive(Debug, Default)]
pub struct FoundOption {
    pub id: u64,
    pub label: String,
    pub count: u64,
}

/// A ballot to cast: the keys of its options, and when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ballot {
    pub at: UnixMillis,
    pub options: Vec<i64>,
}

/// What is to be stored for a poll.
#[derive(Debug)]
pub struct Plan {
    pub questions: Vec<QuestionText>,
    pub opens_at: UnixMillis,
    pub closes_at: UnixMillis,
    /// When it was going to close, if that is in the future; the inner `None`: it had no end.
    pub goes_on: Option<Option<UnixMillis>>,
    pub ballots: Vec<Ballot>,
    /// The number of ballots that come from the log.
    pub logged: usize,
    /// An answer has more votes in the log than in its count.
    pub disagrees: bool,
}

/// What the log of another system says.
struct Logged {
    /// The time of each ballot, if it is known, and the keys of its options.
    ballots: Vec<(Option<UnixMillis>, Vec<i64>)>,
    /// The votes for each option that are counted but not in the log.
    left: BTreeMap<i64, u64>,
    /// An answer has more votes in the log than in its count.
    disagrees: bool,
}

/// The ballots in the order of their times. The other system's close was not exact: a vote after it counts as the last
/// one before it. Ballots without a time get the last hour, except for the first one after the `logged` ones, which gets
/// the first hour.
fn timed(
    ballots: Vec<(Option<UnixMillis>, Vec<i64>)>,
    logged: usize,
    opens_at: UnixMillis,
    closes_at: UnixMillis,
) -> Vec<Ballot> {
    let last = UnixMillis(closes_at.0 - 1);
    let unlogged_at = |i: usize| if i == logged { opens_at } else { last };
    let mut ballots: Vec<Ballot> = ballots
        .into_iter()
        .enumerate()
        .map(|(i, (at, options))| Ballot {
            at: at.unwrap_or_else(|| unlogged_at(i)).clamp(opens_at, last),
            options,
        })
        .collect();
    ballots.sort();
    ballots
}

/// The instant of a local time. A time that occurs twice means the first; one that is skipped means the
/// first instant after the gap.
pub fn instant(local: DateTime, zone: &TimeZone) -> Option<UnixMillis> {
    let at = zone.to_ambiguous_timestamp(local).compatible().ok()?;
    Some(UnixMillis(at.as_millisecond()))
}

/// WordPress' `current_time('timestamp')`: a Unix timestamp shifted by the offset, so that it shows
/// local time when read as UTC.
pub fn local(shifted: i64) -> Option<DateTime> {
    let at = Timestamp::from_second(shifted)
        .ok()
        .filter(|_| shifted > 0)?;
    Some(TimeZone::UTC.to_datetime(at))
}

/// Parses `2024-03-31 02:30:00`, with or without seconds, also with a `T` in between; zeros mean no time.
pub fn written(text: &str) -> Option<DateTime> {
    let text = text.trim().replacen('T', " ", 1);
    let text = if text.len() == 16 {
        format!("{text}:00")
    } else {
        text
    };
    DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()
}

/// The hour that a time is in: when a single person answered need not be known more exactly.
pub fn hour(at: DateTime) -> DateTime {
    let whole = at.with().minute(0).second(0).subsec_nanosecond(0).build();
    whole.unwrap_or(at)
}

impl Found {
    /// What to store for this poll, as of `now`. `Err`: why it cannot be imported.
    pub fn plan(&self, zone: &TimeZone, now: UnixMillis) -> Result<Plan, String> {
        if let Some(why) = self.gone {
            return Err(why.to_owned());
        }
        let votes = self.votes();
        if votes > MOST_VOTES {
            return Err(format!(
                "its counts show {votes} votes; at most 10,000,000 can be imported"
            ));
        }
        let (mut questions, keys) = self.wording()?;
        let Logged {
            mut ballots,
            left,
            disagrees,
        } = self.logged(&keys, zone);
        let logged = ballots.len();
        let unlogged = self.unlogged(&questions, &left, logged);
        ballots.extend(unlogged.into_iter().map(|options| (None, options)));
        allow(&mut questions, ballots.iter().map(|(_, options)| options));

        let at = |local: Option<DateTime>| local.and_then(|local| instant(local, zone));
        let first = ballots.iter().filter_map(|(at, _)| *at).min();
        let opens_at = at(self.opens)
            .into_iter()
            .chain(first)
            .min()
            .unwrap_or(UnixMillis(0));
        let end = at(self.closes);
        let closes_at = end
            .filter(|end| *end <= now)
            .unwrap_or(now)
            .max(UnixMillis(opens_at.0 + 1));
        let goes_on = (self.active && end.is_none_or(|end| end > now)).then_some(end);
        Ok(Plan {
            questions,
            opens_at,
            closes_at,
            goes_on,
            ballots: timed(ballots, logged, opens_at, closes_at),
            logged,
            disagrees,
        })
    }

    /// The number of votes that its counts and its log show.
    fn votes(&self) -> u64 {
        let options = self.questions.iter().flat_map(|q| &q.options);
        let counted = options.map(|option| option.count);
        counted
            .chain(self.log.values().copied())
            .fold(0, u64::saturating_add)
    }

    /// The ballots in the log, given the key of each option.
    fn logged(&self, keys: &BTreeMap<u64, i64>, zone: &TimeZone) -> Logged {
        let mut left: BTreeMap<i64, u64> = BTreeMap::new();
        for option in self.questions.iter().flat_map(|q| &q.options) {
            if let Some(key) = keys.get(&option.id) {
                *left.entry(*key).or_default() += option.count;
            }
        }
        let (mut ballots, mut disagrees) = (Vec::new(), false);
        for ((hour, ids), n) in &self.log {
            let mut options: Vec<i64> = ids.iter().filter_map(|id| keys.get(id).copied()).collect();
            options.sort_unstable();
            options.dedup();
            if options.is_empty() {
                continue;
            }
            for key in &options {
                let count = left.entry(*key).or_default();
                disagrees |= *count < *n;
                *count = count.saturating_sub(*n);
            }
            let at = hour.and_then(|hour| instant(hour, zone));
            for _ in 0..*n {
                ballots.push((at, options.clone()));
            }
        }
        Logged {
            ballots,
            left,
            disagrees,
        }
    }

    /// The questions as asked here, and the key of each option by its id in the other system.
    fn wording(&self) -> Result<(Vec<QuestionText>, BTreeMap<u64, i64>), String> {
        let mut keys = BTreeMap::new();
        let mut key = 0;
        let mut questions = Vec::new();
        for question in &self.questions {
            let mut labels: Vec<String> = Vec::new();
            for option in &question.options {
                let mut label = plain(&option.label);
                if label.is_empty() {
                    label = format!("Answer {}", labels.len() + 1);
                }
                // Two answers with the same label stay separate.
                let mut n = 2;
                let words: String = label.chars().take(290).collect();
                while labels.contains(&label) {
                    label = format!("{words} ({n})");
                    n += 1;
                }
                key += 1;
                keys.insert(option.id, key);
                labels.push(label);
            }
            let most =
                i64::try_from(question.most.clamp(1, labels.len().max(1) as u64)).unwrap_or(1);
            questions.push(QuestionText {
                text: plain(&question.text),
                required: self.questions.len() == 1,
                kind: if most > 1 {
                    Kind::Several
                } else {
                    Kind::Single
                },
                max_choices: most,
                options: labels.into_iter().map(Into::into).collect(),
                ..QuestionText::default()
            });
        }
        if questions.is_empty() {
            return Err("it has no question with answers to choose from".into());
        }
        Ok((questions, keys))
    }

    /// Ballots for the votes that are in the counts but not in the log: as many as there are people left, each with
    /// as many answers as needed.
    fn unlogged(
        &self,
        questions: &[QuestionText],
        left: &BTreeMap<i64, u64>,
        logged: usize,
    ) -> Vec<Vec<i64>> {
        let people = self.voters.map(|all| all.saturating_sub(logged as u64));
        let mut ballots: Vec<Vec<i64>> = Vec::new();
        let mut key = 0;
        for question in questions {
            let counts: Vec<(i64, u64)> = question
                .options
                .iter()
                .map(|_| {
                    key += 1;
                    (key, left.get(&key).copied().unwrap_or(0))
                })
                .collect();
            let most = u64::try_from(question.max_choices).unwrap_or(1);
            for (i, options) in spread(&counts, people, most).into_iter().enumerate() {
                match ballots.get_mut(i) {
                    Some(ballot) => ballot.extend(options),
                    None => ballots.push(options),
                }
            }
        }
        ballots
    }
}

/// Raises the limit to the most answers that anybody gave: it may have been lowered in the other
/// system after votes were cast.
fn allow<'a>(questions: &mut [QuestionText], ballots: impl Iterator<Item = &'a Vec<i64>> + Clone) {
    let mut last = 0;
    for question in questions {
        let before = last;
        last += i64::try_from(question.options.len()).unwrap_or(0);
        let of = |options: &&Vec<i64>| {
            let keys = options.iter();
            keys.filter(|key| (before + 1..=last).contains(*key))
                .count()
        };
        let most = ballots.clone().map(|options| of(&options)).max();
        let most = most.and_then(|most| i64::try_from(most).ok()).unwrap_or(0);
        if most > question.max_choices {
            question.max_choices = most;
            question.kind = Kind::Several;
        }
    }
}

/// Distributes `counts` over `people`: every ballot has at least one answer, none twice, and at most `most`. If the
/// number of people does not allow that, the number is adjusted, not the counts.
fn spread(counts: &[(i64, u64)], people: Option<u64>, most: u64) -> Vec<Vec<i64>> {
    let all: u64 = counts.iter().map(|(_, n)| n).sum();
    let highest = counts.iter().map(|(_, n)| *n).max().unwrap_or(0);
    let least = highest.max(all.div_ceil(most.max(1)));
    let people = people.map_or(all, |people| people.clamp(least, all.max(least)));
    let Ok(size) = usize::try_from(people) else {
        return Vec::new();
    };
    let mut ballots = vec![Vec::new(); size];
    // Round robin: ballots differ by at most one answer, and no answer is put on the same ballot twice.
    let mut at = 0;
    for (key, n) in counts {
        for _ in 0..*n {
            ballots[at].push(*key);
            at = (at + 1) % size;
        }
    }
    ballots
}

/// The time that is stored, truncated to the hour.
pub fn coarse(at: UnixMillis) -> UnixMillis {
    UnixMillis(at.0 - at.0.rem_euclid(HOUR_MS))
}

#[cfg(test)]
mod tests;
