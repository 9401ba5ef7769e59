//! What each kind of question adds to a result: the rounds of a run-off, the mean of a rating,
//! readers' own words. Pure.

use serde::Serialize;

use super::rating::mean;
use super::runoff::{Count, Round, count};
use super::shares::grouped;
use super::store::Totals;
use crate::polls::model::{Kind, PollOption, Question, Role, Tier};
use crate::types::OptionId;

/// The instant run-off of a ranked question, round by round.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollRunoff)]
pub struct Runoff {
    pub rounds: Vec<RunoffRound>,
    /// Keys of the option with more than half in the last round, or of all options that are tied in it.
    pub winners: Vec<i64>,
    /// The same, one option per line: those that stayed longest first.
    pub lines: Vec<RunoffLine>,
    /// Exhausted ballots by round, formatted.
    pub exhausted: Vec<String>,
    /// What has to be said about ties that were broken by a rule.
    pub ties: Option<String>,
}

/// A round of a run-off.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollRunoffRound)]
pub struct RunoffRound {
    pub number: usize,
    pub counts: Vec<RunoffCount>,
    /// Ballots that rank none of the remaining options.
    pub exhausted: i64,
    /// Keys of the options that are eliminated after it.
    pub leaving: Vec<i64>,
    /// Whether those in last place were tied in every way that matters, so that the documented rule decided.
    pub by_rule: bool,
}

/// The ballots of an option in a round.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollRunoffCount)]
pub struct RunoffCount {
    pub key: i64,
    pub votes: i64,
}

/// An option through all rounds.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollRunoffLine)]
pub struct RunoffLine {
    pub key: i64,
    pub label: String,
    /// Ballots by round, formatted; empty once the option is eliminated.
    pub cells: Vec<String>,
    pub leads: bool,
}

/// Readers' own words that an editor approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = PollWords)]
pub struct OwnWords {
    pub text: String,
    pub votes: i64,
    /// `votes`, formatted.
    pub count: String,
}

/// The run-off of a ranked question among ballots of `tier` and better; `None` for other kinds.
pub fn runoff(question: &Question, totals: &Totals, tier: Tier) -> Option<(Runoff, Count)> {
    if question.kind != Kind::Ranked {
        return None;
    }
    let ballots: Vec<(&[OptionId], i64)> = totals
        .rankings
        .iter()
        .filter(|ranking| ranking.question == question.key && ranking.tier >= tier)
        .map(|ranking| (ranking.options.as_slice(), ranking.n))
        .collect();
    let options: Vec<OptionId> = question.options.iter().map(|o| o.id).collect();
    let counted = count(&options, &ballots);
    Some((Runoff::of(question, &counted), counted))
}

impl Runoff {
    fn of(question: &Question, counted: &Count) -> Self {
        let key = |id: &OptionId| question.options.iter().find(|o| o.id == *id).map(|o| o.key);
        let keys = |ids: &[OptionId]| ids.iter().filter_map(key).collect::<Vec<_>>();
        let rounds = (1..)
            .zip(&counted.rounds)
            .map(|(number, round)| RunoffRound {
                number,
                counts: round
                    .standing
                    .iter()
                    .filter_map(|(id, votes)| {
                        Some(RunoffCount {
                            key: key(id)?,
                            votes: *votes,
                        })
                    })
                    .collect(),
                exhausted: round.exhausted,
                leaving: keys(&round.leaving),
                by_rule: round.by_rule,
            });
        let by_rule = counted.rounds.iter().any(|round| round.by_rule);
        Self {
            rounds: rounds.collect(),
            winners: keys(&counted.winners),
            lines: lines(question, counted),
            exhausted: counted.rounds.iter().map(|r| grouped(r.exhausted)).collect(),
            ties: by_rule.then(|| {
                "When options were tied for last place, the one with fewer ballots in earlier rounds was eliminated; if those \
                 were equal too, the one that fewer readers had ranked; and if those were equal, the one listed later."
                    .to_owned()
            }),
        }
    }
}

fn lines(question: &Question, counted: &Count) -> Vec<RunoffLine> {
    let through = |option: &PollOption| -> Vec<i64> {
        counted
            .rounds
            .iter()
            .map_while(|round| round.of(option.id))
            .collect()
    };
    let mut options: Vec<(Vec<i64>, &PollOption)> = question
        .options
        .iter()
        .filter(|o| !o.retired || through(o).iter().any(|n| *n > 0))
        .map(|option| (through(option), option))
        .collect();
    // Sorted by how long they stayed, then by the ballots in their last round.
    options.sort_by_key(|(votes, _)| std::cmp::Reverse((votes.len(), votes.last().copied())));
    options
        .into_iter()
        .map(|(votes, option)| RunoffLine {
            key: option.key,
            label: option.label.clone(),
            cells: (0..counted.rounds.len())
                .map(|at| votes.get(at).map(|n| grouped(*n)).unwrap_or_default())
                .collect(),
            leads: counted.winners.contains(&option.id),
        })
        .collect()
}

/// First choices, in the order of `options`.
pub fn first_choices(counted: &Count, options: &[&PollOption]) -> Vec<i64> {
    let of = |option: &&PollOption| counted.rounds.first().and_then(|round| round.of(option.id));
    options
        .iter()
        .map(|option| of(option).unwrap_or(0))
        .collect()
}

/// The result in a sentence, if there is more to say than the rows do. `counts` has the answers for all options.
pub fn summary(question: &Question, counts: &[i64], counted: Option<&Count>) -> Option<String> {
    match (question.kind, &question.scale) {
        (Kind::Rating, Some(scale)) => {
            let mean = mean(scale.from, counts)?;
            let to = question.point(question.options.len().checked_sub(1)?)?;
            let answers = grouped(counts.iter().sum());
            Some(format!(
                "The mean of {answers} ratings is {mean}, on a scale from {} to {to}.",
                scale.from
            ))
        }
        (Kind::Ranked, _) => {
            let counted = counted?;
            let ballots = counted.rounds.first()?.continuing();
            let last = counted
                .rounds
                .last()
                .filter(|_| ballots >= MIN_FOR_ROUNDS)?;
            Some(ranked_summary(question, counted, last))
        }
        _ => None,
    }
}

/// With fewer ballots than this, rounds say less than the counts themselves.
const MIN_FOR_ROUNDS: i64 = 3;

fn ranked_summary(question: &Question, counted: &Count, last: &Round) -> String {
    let labels: Vec<&str> = question
        .options
        .iter()
        .filter(|o| counted.winners.contains(&o.id))
        .map(|o| o.label.as_str())
        .collect();
    let after = match counted.rounds.len() {
        1 => "In the first round".to_owned(),
        n => format!("After {n} rounds"),
    };
    let most = counted
        .winners
        .first()
        .and_then(|id| last.of(*id))
        .unwrap_or(0);
    match labels.as_slice() {
        [label] => format!(
            "{after}, {label} has {} of the {} ballots still in the count.",
            grouped(most),
            grouped(last.continuing())
        ),
        [first @ .., end] => format!(
            "{after}, {} and {end} are tied, with {} {} each.",
            first.join(", "),
            grouped(most),
            if most == 1 { "ballot" } else { "ballots" }
        ),
        [] => String::new(),
    }
}

/// The words that readers wrote for this option and editors approved, most frequent first; and the number of
/// other ballots for the option.
pub fn own_words(option: &PollOption, totals: &Totals, tier: Tier) -> (Vec<OwnWords>, i64) {
    if option.role != Role::Words {
        return (Vec::new(), 0);
    }
    let mut words: Vec<OwnWords> = Vec::new();
    let of_this = totals
        .words
        .iter()
        .filter(|w| w.option == option.id && w.tier >= tier);
    for approved in of_this {
        match words.iter_mut().find(|w| w.text == approved.shown) {
            Some(same) => same.votes += approved.n,
            None => words.push(OwnWords {
                text: approved.shown.clone(),
                votes: approved.n,
                count: String::new(),
            }),
        }
    }
    words.sort_by(|a, b| b.votes.cmp(&a.votes).then_with(|| a.text.cmp(&b.text)));
    for words in &mut words {
        words.count = grouped(words.votes);
    }
    let shown: i64 = words.iter().map(|w| w.votes).sum();
    (words, (totals.option(option.id, tier) - shown).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::ballots::details_store::{Approved, Ranking};
    use crate::polls::model::{Scale, example};

    fn ranking(options: &[i64], tier: Tier, n: i64) -> Ranking {
        Ranking {
            question: 1,
            options: options.iter().map(|id| OptionId(*id)).collect(),
            tier,
            n,
        }
    }

    #[test]
    fn a_run_off_counts_the_headline_tier_and_better() {
        let poll = example::ranked(&["Memphis", "Nashville", "Chattanooga", "Knoxville"], 1, 4);
        let mut totals = Totals::default();
        totals.rankings = vec![
            ranking(&[101, 102, 103, 104], Tier::Subscriber, 42),
            ranking(&[102, 103, 104, 101], Tier::Subscriber, 26),
            ranking(&[103, 104, 102, 101], Tier::SignedIn, 15),
            ranking(&[104, 103, 102, 101], Tier::Subscriber, 17),
            ranking(&[101], Tier::Anonymous, 10_000),
        ];
        let question = &poll.questions[0];
        let (runoff, counted) = runoff(question, &totals, Tier::Subscriber).expect("ranked");
        assert_eq!(runoff.winners, [4]);
        let lines: Vec<(&str, Vec<&str>)> = runoff
            .lines
            .iter()
            .map(|l| {
                (
                    l.label.as_str(),
                    l.cells.iter().map(String::as_str).collect(),
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                ("Knoxville", vec!["17", "32", "58"]),
                ("Memphis", vec!["42", "42", "42"]),
                ("Nashville", vec!["26", "26", ""]),
                ("Chattanooga", vec!["15", "", ""]),
            ]
        );
        let all: Vec<&PollOption> = question.options.iter().collect();
        assert_eq!(first_choices(&counted, &all), [42, 26, 15, 17]);
        assert_eq!(
            summary(question, &[], Some(&counted)).as_deref(),
            Some("After 3 rounds, Knoxville has 58 of the 100 ballots still in the count.")
        );
        let (_, stuffed) = super::runoff(question, &totals, Tier::Anonymous).expect("ranked");
        assert_eq!(stuffed.winners, [OptionId(101)]);
        assert!(
            super::runoff(
                &example::single(&["a", "b"]).questions[0],
                &totals,
                Tier::Anonymous
            )
            .is_none()
        );
    }

    #[test]
    fn equal_to_the_end_is_said_so() {
        let poll = example::ranked(&["a", "b", "c"], 1, 3);
        let question = &poll.questions[0];
        for (n, ballots) in [(5, "5 ballots"), (1, "1 ballot")] {
            let mut totals = Totals::default();
            totals.rankings = [101, 102, 103]
                .map(|id| ranking(&[id], Tier::Anonymous, n))
                .into();
            let (_, counted) = runoff(question, &totals, Tier::Anonymous).expect("ranked");
            let words = format!("In the first round, a, b and c are tied, with {ballots} each.");
            assert_eq!(summary(question, &[], Some(&counted)), Some(words));
        }
    }

    #[test]
    fn a_rating_names_its_scale() {
        let mut poll = example::single(&["1", "2", "3"]);
        poll.questions[0].kind = Kind::Rating;
        poll.questions[0].scale = Some(Scale {
            from: 1,
            low: String::new(),
            high: String::new(),
        });
        assert_eq!(
            summary(&poll.questions[0], &[10, 10, 11], None).as_deref(),
            Some("The mean of 31 ratings is 2.0, on a scale from 1 to 3.")
        );
        assert_eq!(summary(&poll.questions[0], &[1, 0, 0], None), None);
    }

    #[test]
    fn words_shown_alike_are_counted_together() {
        let mut poll = example::single(&["a", "Other"]);
        poll.questions[0].options[1].role = Role::Words;
        let approved = |shown: &str, tier, n| Approved {
            option: OptionId(102),
            shown: shown.into(),
            tier,
            n,
        };
        let mut totals = Totals::default();
        totals.words = vec![
            approved("The Greens", Tier::Anonymous, 2),
            approved("The Greens", Tier::Subscriber, 3),
            approved("Pirates", Tier::Subscriber, 4),
        ];
        let other = &poll.questions[0].options[1];
        let (words, rest) = own_words(other, &totals, Tier::Anonymous);
        let said: Vec<(&str, i64)> = words.iter().map(|w| (w.text.as_str(), w.votes)).collect();
        assert_eq!((said, rest), (vec![("The Greens", 5), ("Pirates", 4)], 0));
        assert_eq!(
            own_words(&poll.questions[0].options[0], &totals, Tier::Anonymous).0,
            []
        );
    }
}
