//! A question's shares for editors: as counted, with an interval, and weighted to what is known about the readership.
//!
//! A weighted share is a sum over the cells of a table of groups and answers, with weights chosen by the editor: enough
//! of them would reveal every cell. So weighting is refused if that table would have a cell to hide ([`small_cells`]).

mod refused;

use self::refused::small_cells;
pub use self::refused::{NotWeighed, refused};
use super::answers::Counted;
use crate::polls::model::{Poll, Question};
use crate::polls::statistics::interval::{of_list_weighted, wilson_weighted};
use crate::polls::statistics::raking::{Margin, Pattern, Raked, Refusal, rake, weighted_share};
use crate::polls::statistics::{Interval, of_list, wilson};
use crate::types::OptionId;

/// An answer's shares.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    pub label: String,
    pub k: i64,
    /// As counted; `None` if there are no answers.
    pub raw: Option<f64>,
    pub interval: Option<Interval>,
    /// The weighted share, if margins were given and not refused.
    pub weighted: Option<(f64, Option<Interval>)>,
}

/// A question's shares.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// The number of readers in the shares.
    pub n: i64,
    pub shares: Vec<Share>,
    pub raked: Option<Result<Weights, NotWeighed>>,
}

/// The effect of the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    pub raked: Raked,
    /// Readers who answered every question used for weighting.
    pub used: i64,
    /// Readers who did not, and are left out.
    pub left_out: i64,
}

/// A question used for weighting, with the known share of each of its options, from 0 to 1, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Known<'a> {
    pub question: &'a Question,
    pub shares: Vec<f64>,
}

/// The questions that can be used for weighting: one answer per reader, and not the question that is asked about.
pub fn margins(poll: &Poll, of: i64) -> impl Iterator<Item = &Question> {
    poll.questions
        .iter()
        .filter(move |q| q.is_single() && q.key != of)
}

/// The shares of `question` among the readers who answered it, weighted by what is `known`, if anything is. `list` is
/// the size of the list, if these readers are a random draw from one.
#[must_use]
pub fn weigh(
    counted: &Counted,
    question: &Question,
    known: &[Known<'_>],
    cap: f64,
    list: Option<i64>,
) -> Weighed {
    let sorted = Sorted::of(counted, question, known);
    let raked = (!known.is_empty()).then(|| sorted.rake(counted, question, known, cap));
    let used = sorted.used();
    let shares = question.options.iter().map(|option| {
        let k = counted.with(option.id);
        let weighted = match &raked {
            Some(Ok(raked)) => sorted.share(option.id, raked).map(|(share, size)| {
                let interval = match list {
                    Some(list) => of_list_weighted(share, size, used, list),
                    None => wilson_weighted(share, size),
                };
                (share, interval)
            }),
            _ => None,
        };
        Share {
            label: option.label.clone(),
            k,
            raw: (sorted.n > 0).then(|| k as f64 / sorted.n as f64),
            interval: match list {
                Some(list) => of_list(k, sorted.n, list),
                None => wilson(k, sorted.n),
            },
            weighted,
        }
    });
    Weighed {
        n: sorted.n,
        shares: shares.collect(),
        raked: raked.map(|raked| {
            raked.map(|raked| Weights {
                raked,
                used,
                left_out: sorted.left_out,
            })
        }),
    }
}

/// The readers who answered the question, by the groups used for weighting.
struct Sorted<'c> {
    /// All of them.
    n: i64,
    /// Those who are in a group of each margin, and what they answered.
    patterns: Vec<Pattern>,
    said: Vec<&'c [OptionId]>,
    /// The number of those who are not.
    left_out: i64,
}

impl<'c> Sorted<'c> {
    fn of(counted: &'c Counted, question: &Question, known: &[Known<'_>]) -> Self {
        let mut sorted = Self {
            n: 0,
            patterns: Vec::new(),
            said: Vec::new(),
            left_out: 0,
        };
        let gave = |options: &[OptionId]| question.options.iter().any(|o| options.contains(&o.id));
        for alike in counted.alike.iter().filter(|alike| gave(&alike.options)) {
            sorted.n += alike.n;
            let group = |known: &Known<'_>| {
                let options = &known.question.options;
                options.iter().position(|o| alike.options.contains(&o.id))
            };
            let groups: Option<Vec<usize>> = known.iter().map(group).collect();
            match groups {
                Some(groups) => {
                    sorted.patterns.push(Pattern {
                        groups,
                        count: alike.n,
                    });
                    sorted.said.push(&alike.options);
                }
                None => sorted.left_out += alike.n,
            }
        }
        sorted
    }

    fn used(&self) -> i64 {
        self.patterns.iter().map(|p| p.count).sum()
    }

    /// The weights for what is `known`, or why there are none.
    fn rake(
        &self,
        counted: &Counted,
        question: &Question,
        known: &[Known<'_>],
        cap: f64,
    ) -> Result<Raked, NotWeighed> {
        let by: Vec<Margin> = known
            .iter()
            .map(|known| Margin {
                shares: known.shares.clone(),
            })
            .collect();
        match rake(&self.patterns, &by, cap) {
            // Errors in the given shares, or in a single group: their messages contain no number.
            Err(
                plain @ (Refusal::Nothing
                | Refusal::NoMargin { .. }
                | Refusal::SmallGroup { .. }
                | Refusal::NoSuchGroup { .. }),
            ) => Err(NotWeighed::Refused(plain)),
            _ if small_cells(counted, question, known) => Err(NotWeighed::SmallCells),
            raked => raked.map_err(NotWeighed::Refused),
        }
    }

    /// The weighted share of the readers who gave this answer, and its effective size.
    fn share(&self, option: OptionId, raked: &Raked) -> Option<(f64, f64)> {
        let gave = |i: usize| self.said[i].contains(&option);
        let share = weighted_share(&self.patterns, &raked.weights, gave)?;
        let size = raked.effective_size_of(&self.patterns, share, gave);
        Some((share, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::insight::store::Alike;
    use crate::polls::model::{Tier, example};
    use crate::types::UnixMillis;

    /// 300 in the town, of whom 100 say yes; 100 in the country, of whom 80 do; and 22 who do not say where
    /// they live, of whom 12 do.
    fn town_and_country() -> (Poll, Counted) {
        let mut poll = example::single(&["yes", "no"]);
        let mut second = poll.questions[0].clone();
        second.key = 2;
        for (i, (one, two)) in poll.questions[0]
            .options
            .iter_mut()
            .zip(&mut second.options)
            .enumerate()
        {
            one.id = OptionId(1 + i as i64);
            two.id = OptionId(3 + i as i64);
        }
        poll.questions.push(second);
        let alike = [
            (1, 3, 100),
            (2, 3, 200),
            (1, 4, 80),
            (2, 4, 20),
            (1, 0, 12),
            (2, 0, 10),
        ];
        let alike: Vec<Alike> = alike
            .into_iter()
            .map(|(a, b, n)| Alike {
                options: [a, b]
                    .into_iter()
                    .filter(|&o| o > 0)
                    .map(OptionId)
                    .collect(),
                n,
            })
            .collect();
        let counted = Counted {
            ballots: 422,
            alike,
            at: UnixMillis(0),
            tier: Tier::Anonymous,
        };
        (poll, counted)
    }

    #[test]
    fn weighting_moves_the_share_as_post_stratification_does() {
        let (poll, counted) = town_and_country();
        let known = [Known {
            question: &poll.questions[1],
            shares: vec![0.5, 0.5],
        }];
        let found = weigh(&counted, &poll.questions[0], &known, 5.0, None);
        assert_eq!((found.n, found.shares[0].k), (422, 192));
        let Some(Ok(weights)) = &found.raked else {
            panic!("{:?}", found.raked)
        };
        assert_eq!((weights.used, weights.left_out), (400, 22));
        // Half of a third and half of four fifths.
        let (share, interval) = found.shares[0].weighted.unwrap();
        assert!((share - (1.0 / 6.0 + 0.4)).abs() < 1e-9, "{share}");
        let interval = interval.unwrap();
        assert!(interval.low < share && share < interval.high);
        let sum: f64 = found
            .shares
            .iter()
            .filter_map(|s| s.weighted)
            .map(|w| w.0)
            .sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }

    #[test]
    fn without_margins_there_are_intervals_only() {
        let (poll, counted) = town_and_country();
        let found = weigh(&counted, &poll.questions[0], &[], 5.0, None);
        assert!(found.raked.is_none() && found.shares[0].weighted.is_none());
        assert_eq!(found.shares[0].interval, wilson(192, 422));
    }

    #[test]
    fn a_random_draw_from_a_list_is_more_exact_the_more_of_it_answered() {
        let (poll, counted) = town_and_country();
        let known = [Known {
            question: &poll.questions[1],
            shares: vec![0.5, 0.5],
        }];
        let width = |list: Option<i64>| {
            let found = weigh(&counted, &poll.questions[0], &known, 5.0, list);
            let (_, weighted) = found.shares[0].weighted.unwrap();
            let [plain, weighted] = [found.shares[0].interval, weighted].map(Option::unwrap);
            [plain.high - plain.low, weighted.high - weighted.low]
        };
        let (open, large, small) = (width(None), width(Some(1_000_000)), width(Some(500)));
        for at in 0..2 {
            assert!((open[at] - large[at]).abs() < 1e-4);
            assert!(small[at] < open[at] / 2.0, "{small:?} {open:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_answer_it_is_about() {
        let (poll, mut counted) = town_and_country();
        counted.alike.retain(|alike| alike.n != 80);
        counted.alike[2].n = 6;
        let known = [Known {
            question: &poll.questions[1],
            shares: vec![0.5, 0.5],
        }];
        let found = weigh(&counted, &poll.questions[0], &known, 5.0, None);
        let Some(Err(refusal)) = found.raked else {
            panic!("{found:?}")
        };
        let words = refused(refusal, &known);
        assert!(words.contains("Fewer than ten answered “no”"), "{words}");
        assert!(!words.contains('6'), "{words}");
    }

    /// With freely chosen margins, two weighted shares are two equations for the cells. Cells that the table hides must
    /// not be solvable this way.
    #[test]
    fn what_fewer_than_ten_said_is_not_weighted() {
        let (poll, counted) = town_and_country();
        let known = [Known {
            question: &poll.questions[1],
            shares: vec![0.9, 0.1],
        }];
        let weighed = |change: &dyn Fn(&mut Vec<Alike>)| {
            let mut counted = counted.clone();
            change(&mut counted.alike);
            weigh(&counted, &poll.questions[0], &known, 5.0, None).raked
        };
        assert!(matches!(weighed(&|_| {}), Some(Ok(_))));
        let small = Some(Err(NotWeighed::SmallCells));
        // One reader in the country said yes, or all but one; or nobody did; or few of those who do
        // not say where they live.
        assert_eq!(weighed(&|alike| alike[2].n = 1), small);
        assert_eq!(weighed(&|alike| alike[3].n = 9), small);
        assert_eq!(weighed(&|alike| alike.retain(|alike| alike.n != 80)), small);
        assert_eq!(weighed(&|alike| alike[4].n = 2), small);
        // Nobody left the question out, so there is no such group.
        assert!(matches!(weighed(&|alike| alike.truncate(4)), Some(Ok(_))));
    }
}
