use super::*;
use crate::polls::statistics::interval::of_list_weighted;
use crate::types::Random;
use proptest::prelude::*;

fn table(cells: &[&[i64]]) -> Vec<Pattern> {
    let cell = |(row, line): (usize, &&[i64])| -> Vec<Pattern> {
        line.iter()
            .enumerate()
            .map(|(column, &count)| Pattern {
                groups: vec![row, column],
                count,
            })
            .collect()
    };
    cells.iter().enumerate().flat_map(cell).collect()
}

fn margin(shares: &[f64]) -> Margin {
    Margin {
        shares: shares.to_vec(),
    }
}

/// The worked example of Wikipedia's article "Iterative proportional fitting", which the documentation of `ipfn` solves
/// as well: a table of 4 × 4, its target margins, and the fitted table after the few steps printed there.
#[test]
fn the_published_fit_of_a_table() {
    let cells = [
        &[40, 30, 20, 10][..],
        &[35, 50, 100, 75],
        &[30, 80, 70, 120],
        &[20, 30, 40, 50],
    ];
    let published = [
        64.61, 46.28, 35.42, 3.83, 49.95, 68.15, 156.49, 25.37, 56.70, 144.40, 145.06, 53.76,
        28.74, 41.18, 63.03, 17.03,
    ];
    let patterns = table(&cells);
    let margins = [
        margin(&[0.15, 0.3, 0.4, 0.15]),
        margin(&[0.2, 0.3, 0.4, 0.1]),
    ];
    let raked = rake(&patterns, &margins, 100.0).unwrap();
    // The margins sum to 1,000; the weights preserve the number of answers.
    let n: f64 = patterns.iter().map(|p| p.count as f64).sum();
    let found: Vec<f64> = patterns
        .iter()
        .zip(&raked.weights)
        .map(|(p, w)| p.count as f64 * w * 1_000.0 / n)
        .collect();
    for (found, given) in found.iter().zip(published) {
        assert!((found - given).abs() < 0.15, "{found} for {given}");
    }
    // Raking preserves the association: every odds ratio.
    let odds = |c: &[f64]| c[0] * c[5] / (c[1] * c[4]);
    let before: Vec<f64> = patterns.iter().map(|p| p.count as f64).collect();
    assert!((odds(&found) / odds(&before) - 1.0).abs() < 1e-6);
}

/// One margin is post-stratification, in closed form: share given / share found (Holt & Smith 1979).
#[test]
fn one_margin_is_weighted_in_closed_form() {
    let patterns = [(0, 300), (1, 100)].map(|(group, count)| Pattern {
        groups: vec![group],
        count,
    });
    let raked = rake(&patterns, &[margin(&[0.5, 0.5])], USUAL_CAP).unwrap();
    assert!((raked.weights[0] - 2.0 / 3.0).abs() < 1e-9);
    assert!((raked.weights[1] - 2.0).abs() < 1e-9);
    // (Σw)² / Σw² = 400² / (300·4/9 + 100·4) = 300.
    assert!((raked.effective_size - 300.0).abs() < 1e-6);
    assert!(!raked.capped);
    let share = weighted_share(&patterns, &raked.weights, |i| i == 1).unwrap();
    assert!((share - 0.5).abs() < 1e-9);
}

/// Groups that answered at different rates, and in which an answer is more or less common. All bounds were computed in
/// a separate simulation.
#[test]
fn ninety_five_of_a_hundred_weighted_intervals_hold_the_truth() {
    const ROUNDS: i32 = 1_500;
    const LIST: i64 = 1_000_000;
    let random = Random::seeded(1_965);
    let happens = |chance: f64| (random.below(1_000_000) as f64) < chance * 1e6;
    // The first group's share of the list and of those who answer, and how many say yes in each group.
    for (n, of_list, of_answers, yes) in [
        (200, 0.5, 0.5, [0.3, 0.3]),
        (150, 0.3, 0.15, [0.2, 0.02]),
        (120, 0.5, 0.2, [0.5, 0.0]),
        (150, 0.5, 0.17, [0.2, 0.0]),
        (100, 0.3, 0.3, [0.9, 0.2]),
    ] {
        let truth = of_list * yes[0] + (1.0 - of_list) * yes[1];
        let (mut held, mut given) = (0, 0);
        for _ in 0..ROUNDS {
            let mut cells = [[0_i64; 2]; 2];
            for _ in 0..n {
                let group = usize::from(!happens(of_answers));
                cells[group][usize::from(happens(yes[group]))] += 1;
            }
            let patterns = table(&[&cells[0], &cells[1]]);
            let by_rows: Vec<Pattern> = patterns
                .iter()
                .map(|p| Pattern {
                    groups: vec![p.groups[0]],
                    count: p.count,
                })
                .collect();
            let known = [margin(&[of_list, 1.0 - of_list])];
            let Ok(raked) = rake(&by_rows, &known, USUAL_CAP) else {
                continue;
            };
            let said_yes = |i: usize| patterns[i].groups[1] == 1;
            let share = weighted_share(&by_rows, &raked.weights, said_yes).unwrap();
            let size = raked.effective_size_of(&by_rows, share, said_yes);
            assert!(size <= raked.effective_size);
            let found = of_list_weighted(share, size, n, LIST).unwrap();
            given += 1;
            held += i32::from(found.low <= truth && truth <= found.high);
        }
        let share = f64::from(held) / f64::from(given);
        assert!((0.93..=0.995).contains(&share), "{n}, {yes:?}: {share}");
        assert!(given > ROUNDS / 2, "{n}, {yes:?}: {given}");
    }
}

/// An answer that nobody gave has the effective size of the weights.
#[test]
fn what_nobody_said_is_worth_as_much_as_the_weights() {
    let patterns = [(0, 300), (1, 100)].map(|(group, count)| Pattern {
        groups: vec![group],
        count,
    });
    let raked = rake(&patterns, &[margin(&[0.5, 0.5])], USUAL_CAP).unwrap();
    let size = raked.effective_size_of(&patterns, 0.0, |_| false);
    assert_eq!(size, raked.effective_size);
}

#[test]
fn what_cannot_stand_for_its_group_is_refused() {
    let few = table(&[&[9], &[500]]);
    let by_rows = margin(&[0.5, 0.5]);
    assert_eq!(
        rake(&few, &[by_rows.clone(), margin(&[1.0])], USUAL_CAP),
        Err(Refusal::SmallGroup {
            margin: 0,
            group: 0,
            count: 9
        })
    );
    let uneven = table(&[&[12], &[4_000]]);
    let Err(Refusal::Capped { missed }) =
        rake(&uneven, &[by_rows.clone(), margin(&[1.0])], USUAL_CAP)
    else {
        panic!("a weight of 167 was accepted");
    };
    assert!(missed > 0.4);
    let little = table(&[&[10], &[40]]);
    let far = rake(&little, &[margin(&[0.8, 0.2]), margin(&[1.0])], USUAL_CAP);
    assert!(
        matches!(far, Err(Refusal::TooLittle { effective_size }) if effective_size < 20.0),
        "{far:?}"
    );
    // Rows and columns are the same question twice, with different shares.
    let twice = table(&[&[100, 0], &[0, 100]]);
    let no = rake(
        &twice,
        &[margin(&[0.3, 0.7]), margin(&[0.6, 0.4])],
        USUAL_CAP,
    );
    assert_eq!(no, Err(Refusal::NoFit));
}

#[test]
fn margins_that_are_none_are_refused() {
    let patterns = table(&[&[100], &[100]]);
    for shares in [
        &[0.5, 0.4][..],
        &[0.5, f64::NAN],
        &[1.2, -0.2],
        &[f64::INFINITY, 0.0],
        &[1.0],
    ] {
        let refused = rake(&patterns, &[margin(shares), margin(&[1.0])], USUAL_CAP);
        assert_eq!(refused, Err(Refusal::NoMargin { margin: 0 }), "{shares:?}");
    }
    assert_eq!(rake(&patterns, &[], USUAL_CAP), Err(Refusal::Nothing));
    assert_eq!(
        rake(&[], &[margin(&[1.0])], USUAL_CAP),
        Err(Refusal::Nothing)
    );
    assert_eq!(
        rake(&patterns, &[margin(&[1.0, 0.0]), margin(&[1.0])], USUAL_CAP),
        Err(Refusal::NoSuchGroup {
            margin: 0,
            group: 1,
            count: 100
        })
    );
}

proptest! {
    #[test]
    fn margins_hold_and_weights_keep_the_cap(
        cells in proptest::collection::vec(20_i64..400, 12),
        rows in proptest::collection::vec(1_u32..20, 3),
        columns in proptest::collection::vec(1_u32..20, 4),
        cap in 1.0_f64..10.0,
    ) {
        let lines: Vec<&[i64]> = cells.chunks(4).collect();
        let patterns = table(&lines);
        let shares = |of: &[u32]| {
            let whole = f64::from(of.iter().sum::<u32>());
            margin(&of.iter().map(|&s| f64::from(s) / whole).collect::<Vec<_>>())
        };
        let margins = [shares(&rows), shares(&columns)];
        if let Ok(raked) = rake(&patterns, &margins, cap) {
            let n: f64 = cells.iter().sum::<i64>() as f64;
            let total: f64 = patterns.iter().zip(&raked.weights).map(|(p, w)| p.count as f64 * w).sum();
            prop_assert!((total - n).abs() < 1e-6 * n);
            prop_assert!(raked.largest <= cap * 1.02);
            prop_assert!(raked.effective_size <= n + 1e-6);
            for (i, m) in margins.iter().enumerate() {
                for (group, share) in m.shares.iter().enumerate() {
                    let found = weighted_share(&patterns, &raked.weights, |p| patterns[p].groups[i] == group).unwrap();
                    prop_assert!((found - share).abs() <= TOLERANCE + 1e-9);
                }
            }
        }
    }

    #[test]
    fn margins_that_hold_already_change_nothing(cells in proptest::collection::vec(20_i64..400, 4)) {
        let lines: Vec<&[i64]> = cells.chunks(2).collect();
        let patterns = table(&lines);
        let n = cells.iter().sum::<i64>() as f64;
        let rows = margin(&[(cells[0] + cells[1]) as f64 / n, (cells[2] + cells[3]) as f64 / n]);
        let columns = margin(&[(cells[0] + cells[2]) as f64 / n, (cells[1] + cells[3]) as f64 / n]);
        let raked = rake(&patterns, &[rows, columns], USUAL_CAP).unwrap();
        prop_assert!(raked.weights.iter().all(|w| (w - 1.0).abs() < 1e-6));
        prop_assert!((raked.effective_size - n).abs() < 1e-3);
    }
}
