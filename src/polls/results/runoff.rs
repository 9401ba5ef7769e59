//! Instant run-off: determines the winner of a ranked question, round by round. Pure.
//!
//! In each round a ballot counts for the option it ranks highest among those that remain. An option with more than half
//! of the ballots that still count wins. Otherwise the option with the fewest ballots is eliminated; a ballot that
//! ranks none of the remaining options is exhausted from then on. This is the count used in Burlington (Vermont) and
//! San Francisco, without a threshold.
//!
//! Ties, in this order:
//! 1. If all remaining options have the same number of ballots, they share the result: nothing is decided by lot.
//! 2. If those in last place together have fewer ballots than the next one above, they are eliminated together: the
//!    order among them cannot change the winner.
//! 3. Otherwise the one is eliminated that had fewer ballots in the latest earlier round in which they differ; if
//!    they never did, the one that fewer ballots rank at all; if even that is equal, the one that comes later in the
//!    poll. The round says so.

use crate::types::OptionId;

/// The count of a ranked question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    pub rounds: Vec<Round>,
    /// One: it won. Several: they share the result. None: there are no rankings.
    pub winners: Vec<OptionId>,
}

/// One round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// The remaining options, in the order of the poll, and the ballots that count for each.
    pub standing: Vec<(OptionId, i64)>,
    /// Ballots that rank none of them.
    pub exhausted: i64,
    /// The options eliminated after this round.
    pub leaving: Vec<OptionId>,
    /// Whether those in last place were tied, and rule 3 chose among them.
    pub by_rule: bool,
}

impl Round {
    /// Ballots that still count.
    pub fn continuing(&self) -> i64 {
        self.standing.iter().map(|(_, n)| n).sum()
    }

    /// The ballots of an option that remains.
    pub fn of(&self, option: OptionId) -> Option<i64> {
        let found = self.standing.iter().find(|(id, _)| *id == option);
        found.map(|(_, n)| *n)
    }
}

/// Counts the ballots. `options` are in the order of the poll; `ballots` are rankings, best first, with the
/// number of ballots for each.
pub fn count(options: &[OptionId], ballots: &[(&[OptionId], i64)]) -> Count {
    let mut rounds: Vec<Round> = Vec::new();
    let mut standing: Vec<OptionId> = options.to_vec();
    loop {
        let mut round = tallied(&standing, ballots);
        let most = round.standing.iter().map(|(_, n)| *n).max().unwrap_or(0);
        if most == 0 {
            return Count {
                rounds,
                winners: Vec::new(),
            };
        }
        let leading: Vec<OptionId> = round
            .standing
            .iter()
            .filter(|(_, n)| *n == most)
            .map(|(id, _)| *id)
            .collect();
        if 2 * most > round.continuing() || leading.len() == standing.len() {
            rounds.push(round);
            return Count {
                rounds,
                winners: leading,
            };
        }
        let (leaving, by_rule) = last(&round, &rounds, ballots);
        standing.retain(|id| !leaving.contains(id));
        (round.leaving, round.by_rule) = (leaving, by_rule);
        rounds.push(round);
    }
}

fn tallied(standing: &[OptionId], ballots: &[(&[OptionId], i64)]) -> Round {
    let mut counts = vec![0_i64; standing.len()];
    let mut exhausted = 0;
    for (ranking, n) in ballots {
        let place = ranking
            .iter()
            .find_map(|id| standing.iter().position(|s| s == id));
        match place {
            Some(place) => counts[place] += n,
            None => exhausted += n,
        }
    }
    Round {
        standing: standing.iter().copied().zip(counts).collect(),
        exhausted,
        leaving: Vec::new(),
        by_rule: false,
    }
}

/// The options to eliminate after this round, and whether rule 3 had to choose.
fn last(round: &Round, earlier: &[Round], ballots: &[(&[OptionId], i64)]) -> (Vec<OptionId>, bool) {
    let mut above: Vec<i64> = round.standing.iter().map(|(_, n)| *n).collect();
    above.sort_unstable();
    above.dedup();
    let fewest = above.first().copied().unwrap_or(0);
    let next = above.get(1).copied().unwrap_or(i64::MAX);
    let tied: Vec<OptionId> = round
        .standing
        .iter()
        .filter(|(_, n)| *n == fewest)
        .map(|(id, _)| *id)
        .collect();
    let together = i64::try_from(tied.len())
        .ok()
        .and_then(|many| fewest.checked_mul(many));
    if tied.len() == 1 || together.is_some_and(|together| together < next) {
        return (tied, false);
    }
    let mentions = |id: OptionId| -> i64 {
        let naming = ballots.iter().filter(|(ranking, _)| ranking.contains(&id));
        naming.map(|(_, n)| n).sum()
    };
    let mut left = tied;
    for round in earlier.iter().rev() {
        left = fewest_by(left, |id| round.of(id).unwrap_or(0));
    }
    left = fewest_by(left, mentions);
    (left.last().copied().into_iter().collect(), true)
}

/// The options for which `n` is smallest.
fn fewest_by(options: Vec<OptionId>, n: impl Fn(OptionId) -> i64) -> Vec<OptionId> {
    let fewest = options.iter().map(|id| n(*id)).min();
    options
        .into_iter()
        .filter(|id| Some(n(*id)) == fewest)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `"MKW"`: M first, then K, then W.
    fn counted(options: &str, ballots: &[(&str, i64)]) -> Count {
        let ids = |text: &str| -> Vec<OptionId> {
            text.bytes().map(|b| OptionId(i64::from(b))).collect()
        };
        let rankings: Vec<(Vec<OptionId>, i64)> =
            ballots.iter().map(|(r, n)| (ids(r), *n)).collect();
        let borrowed: Vec<(&[OptionId], i64)> =
            rankings.iter().map(|(r, n)| (r.as_slice(), *n)).collect();
        count(&ids(options), &borrowed)
    }

    fn names(ids: &[OptionId]) -> String {
        ids.iter()
            .map(|id| char::from(u8::try_from(id.0).unwrap_or(b'?')))
            .collect()
    }

    fn numbers(round: &Round) -> Vec<i64> {
        round.standing.iter().map(|(_, n)| *n).collect()
    }

    /// Burlington (Vermont), 3 March 2009, mayor, from the round with three candidates on: the ballots of Montroll,
    /// Kiss and Wright as published after the election (rangevoting.org/Burlington.html), a few more than the city's
    /// own 4,313 to 4,061. Montroll would have beaten either of them alone and is eliminated first.
    #[test]
    fn burlington_2009() {
        let ballots = [
            ("MKW", 1_332),
            ("MWK", 767),
            ("M", 455),
            ("KMW", 2_043),
            ("KWM", 371),
            ("K", 568),
            ("WMK", 1_513),
            ("WKM", 495),
            ("W", 1_289),
        ];
        let count = counted("MKW", &ballots);
        assert_eq!(numbers(&count.rounds[0]), [2_554, 2_982, 3_297]);
        assert_eq!(names(&count.rounds[0].leaving), "M");
        assert_eq!(numbers(&count.rounds[1]), [4_314, 4_064]);
        assert_eq!(count.rounds[1].exhausted, 455);
        assert_eq!(names(&count.winners), "K");
    }

    /// The capital of Tennessee, the worked example of Wikipedia's "Instant-runoff voting": Memphis leads, Knoxville wins.
    #[test]
    fn the_capital_of_tennessee() {
        let count = counted(
            "MNCK",
            &[("MNCK", 42), ("NCKM", 26), ("CKNM", 15), ("KCNM", 17)],
        );
        let rounds: Vec<Vec<i64>> = count.rounds.iter().map(numbers).collect();
        assert_eq!(
            rounds,
            [vec![42, 26, 15, 17], vec![42, 26, 32], vec![42, 58]]
        );
        let left: Vec<String> = count.rounds.iter().map(|r| names(&r.leaving)).collect();
        assert_eq!(left, ["C", "N", ""]);
        assert_eq!(names(&count.winners), "K");
    }

    #[test]
    fn a_majority_wins_at_once_and_nobody_wins_nothing() {
        let count = counted("ABC", &[("A", 6), ("BC", 3), ("C", 2)]);
        assert_eq!((count.rounds.len(), names(&count.winners)), (1, "A".into()));
        assert_eq!(counted("ABC", &[]).winners, []);
        assert_eq!(counted("ABC", &[("A", 0)]).winners, []);
    }

    #[test]
    fn equal_to_the_end_is_a_shared_result() {
        assert_eq!(names(&counted("AB", &[("AB", 5), ("BA", 5)]).winners), "AB");
        assert_eq!(
            names(&counted("ABC", &[("AB", 5), ("BC", 5), ("CA", 5)]).winners),
            "ABC"
        );
    }

    #[test]
    fn those_who_cannot_win_together_leave_together() {
        let count = counted("ABCD", &[("A", 10), ("B", 9), ("CB", 3), ("DB", 3)]);
        assert_eq!(names(&count.rounds[0].leaving), "CD");
        assert!(!count.rounds[0].by_rule);
        assert_eq!(names(&count.winners), "B");
    }

    #[test]
    fn a_tie_for_last_looks_back_then_at_mentions_then_at_the_order() {
        // After D is eliminated, B and C have 6 each; B had more in the first round.
        let back = counted("ABCD", &[("A", 8), ("B", 6), ("C", 4), ("DC", 2)]);
        assert_eq!(names(&back.rounds[1].leaving), "C");
        assert!(back.rounds[1].by_rule);
        // Tied in every round; more ballots rank C at all.
        let named = counted("ABC", &[("AC", 8), ("B", 5), ("C", 5)]);
        assert_eq!(names(&named.rounds[0].leaving), "B");
        // Tied in everything: the later one is eliminated.
        let order = counted("ABC", &[("A", 8), ("B", 5), ("C", 5)]);
        assert_eq!(names(&order.rounds[0].leaving), "C");
    }

    prop_compose! {
        fn ballots()(ballots in proptest::collection::vec(
            (Just((1_i64..=6).collect::<Vec<_>>()).prop_shuffle(), 0_usize..=6, 0_i64..40), 0..40)
        ) -> Vec<(Vec<OptionId>, i64)> {
            ballots
                .into_iter()
                .map(|(order, depth, n)| (order.into_iter().take(depth).map(OptionId).collect(), n))
                .collect()
        }
    }

    fn six(ballots: &[(Vec<OptionId>, i64)]) -> Count {
        let options: Vec<OptionId> = (1..=6).map(OptionId).collect();
        let borrowed: Vec<(&[OptionId], i64)> =
            ballots.iter().map(|(r, n)| (r.as_slice(), *n)).collect();
        count(&options, &borrowed)
    }

    proptest! {
        #[test]
        fn no_ballot_is_lost_or_made(ballots in ballots()) {
            let all: i64 = ballots.iter().map(|(_, n)| n).sum();
            for round in six(&ballots).rounds {
                prop_assert_eq!(round.continuing() + round.exhausted, all);
            }
        }

        #[test]
        fn who_wins_has_a_majority_and_who_shares_is_equal(ballots in ballots()) {
            let count = six(&ballots);
            let Some(last) = count.rounds.last() else { return Ok(()); };
            match count.winners.as_slice() {
                [winner] => prop_assert!(2 * last.of(*winner).unwrap_or(0) > last.continuing()),
                many => {
                    prop_assert_eq!(many.len(), last.standing.len());
                    prop_assert!(last.standing.iter().all(|(_, n)| *n == last.standing[0].1));
                }
            }
            // Every round but the last eliminates somebody, and never an option with the most ballots.
            for round in &count.rounds[..count.rounds.len() - 1] {
                prop_assert!(!round.leaving.is_empty());
                let most = round.standing.iter().map(|(_, n)| *n).max();
                prop_assert!(round.leaving.iter().all(|id| round.of(*id) < most));
            }
        }

        #[test]
        fn the_order_of_the_ballots_does_not_matter(ballots in ballots(), seed in 0_usize..40) {
            let mut turned = ballots.clone();
            if !turned.is_empty() {
                let at = seed % turned.len();
                turned.rotate_left(at);
                turned.reverse();
            }
            // It also makes no difference whether equal rankings are grouped.
            let mut split: Vec<(Vec<OptionId>, i64)> = turned.iter().map(|(r, n)| (r.clone(), n / 2)).collect();
            split.extend(turned.iter().map(|(r, n)| (r.clone(), n - n / 2)));
            prop_assert_eq!(six(&ballots), six(&turned));
            prop_assert_eq!(six(&ballots), six(&split));
        }
    }
}
