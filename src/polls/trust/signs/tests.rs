use super::*;
use crate::types::Random;

/// `n` ballots for one option, with these intervals.
fn group(n: usize, gap: impl Fn(usize) -> i64, change: impl Fn(usize, &mut Trace)) -> Vec<Trace> {
    let mut at = 0;
    (0..n)
        .map(|i| {
            at += gap(i).max(1);
            let mut trace = Trace {
                at: UnixMillis(at),
                voter: [0; 16],
                network: [1; 8],
                shape: [1; 8],
                puzzled: true,
                worked: Some(4_000),
                bad_proof: false,
                opened: Some(true),
                said: Said::default(),
                taken: false,
            };
            change(i, &mut trace);
            trace
        })
        .collect()
}

fn exponential(random: &Random, mean_ms: f64) -> i64 {
    let unit = (random.below(1 << 30) as f64 + 1.0) / (1u64 << 30) as f64;
    (-unit.ln() * mean_ms) as i64
}

#[test]
fn a_hand_is_told_by_its_rhythm() {
    let random = Random::seeded(1);
    let hand = group(
        20,
        |_| 1_500 + random.below(750) as i64,
        |_, t| t.worked = Some(1_200),
    );
    let found = signs(&hand, true).expect("a hand");
    assert!(
        found.contains(&Sign::EvenPace) && found.contains(&Sign::OneAtATime),
        "{found:?}"
    );
}

#[test]
fn a_program_is_told_by_what_it_leaves_out() {
    let bare = |_: usize, t: &mut Trace| (t.worked, t.opened) = (None, Some(false));
    assert!(signs(&group(20, |_| 10, bare), true).is_some());
    // Changing its description with every answer helps a program little.
    assert!(signs(&group(20, |_| 10, bare), false).is_some());
    // If no proof of work is asked for, none is left out.
    let random = Random::seeded(2);
    let press = |puzzled: bool| {
        let of = |_: usize, t: &mut Trace| (t.worked, t.puzzled) = (None, puzzled);
        group(60, |_| exponential(&random, 500.0), of)
    };
    assert!(signs(&press(true), true).is_some());
    assert_eq!(signs(&press(false), true), None);
    assert!(press(true)[0].is_machine_like() && !press(false)[0].is_machine_like());
    let hasty = |_: usize, t: &mut Trace| t.worked = Some(30);
    assert!(signs(&group(20, |_| 300, hasty), false).is_some());
}

/// 500 pupils within 20 minutes, a thousand times: with their own phones or identical school computers,
/// with or without JavaScript.
#[test]
fn a_school_is_no_burst() {
    for seed in 0..1_000 {
        let random = Random::seeded(seed);
        let js = seed % 2 == 0;
        let school = group(
            500,
            |_| exponential(&random, 2_400.0),
            |_, t| t.worked = js.then(|| 2_000 + random.below(9_000) as i64),
        );
        for window in school.chunks(250) {
            assert_eq!(signs(window, true), None, "seed {seed}");
            assert_eq!(signs(window, false), None, "seed {seed}");
        }
    }
}

/// A growing group is asked about at every look. With a limit of 0.5 below 40 ballots, one in two hundred was even.
#[test]
fn a_school_is_rarely_even_at_any_look() {
    let random = Random::seeded(7);
    let even = (0..3_000).filter(|_| {
        let pupils = group(60, |_| exponential(&random, 2_400.0), |_, _| {});
        (SMALLEST_GROUP..=60).any(|n| is_even(&pupils[..n]))
    });
    let n = even.count();
    assert!(n < 10, "{n}");
    let missed = (0..1_000).filter(|_| {
        let hand = group(30, |_| 1_500 + random.below(750) as i64, |_, _| {});
        !(SMALLEST_GROUP..=30).any(|n| is_even(&hand[..n]))
    });
    assert_eq!(missed.count(), 0);
}

/// The description of one of a newspaper's readers: 200 different ones, the ten most frequent with more than half of the
/// answers.
fn readers_shape(random: &Random) -> [u8; 8] {
    let share = |rank: f64| rank.powf(-1.1);
    let all: f64 = (1..=200).map(|rank| share(f64::from(rank))).sum();
    let mut left = all * random.below(1 << 30) as f64 / f64::from(1 << 30);
    let rank = (1..200).find(|rank| {
        left -= share(f64::from(*rank));
        left < 0.0
    });
    [rank.unwrap_or(200) as u8; 8]
}

/// A newspaper's readers without JavaScript, whose answers come as fast as they may, a thousand times.
#[test]
fn readers_are_alike_and_a_programs_inventions_are_not() {
    for seed in 0..1_000 {
        let random = Random::seeded(seed);
        let n = 50 + random.below(450) as usize;
        let gap = |_| exponential(&random, 350.0);
        let readers = group(n, gap, |_, t| {
            (t.worked, t.shape) = (None, readers_shape(&random));
        });
        assert_eq!(signs(&readers, false), None, "seed {seed}");
        let invented = group(n, gap, |i, t| {
            (t.worked, t.shape) = (None, (i as u64).to_be_bytes());
        });
        let found = signs(&invented, false).unwrap_or_default();
        assert!(found.contains(&Sign::Unalike), "seed {seed}");
    }
}

/// Readers inside an app have a description each, and come at once from their provider's network; but they work.
#[test]
fn a_description_of_ones_own_is_a_sign_only_without_work() {
    let random = Random::seeded(3);
    let readers = |puzzled: bool, worked: Option<i64>| {
        let gap = |_| exponential(&random, 150.0);
        group(500, gap, |i, t| {
            (t.puzzled, t.worked, t.shape) = (puzzled, worked, (i as u64).to_be_bytes());
        })
    };
    assert_eq!(signs(&readers(true, Some(4_000)), false), None);
    assert_eq!(signs(&readers(false, None), false), None);
    assert!(signs(&readers(true, None), false).is_some());
}

#[test]
fn a_torrent_without_work_comes_from_one_network() {
    let random = Random::seeded(4);
    let of = |networks: u64| {
        let gap = |_| exponential(&random, 150.0);
        group(200, gap, |i, t| {
            (t.worked, t.shape) = (None, readers_shape(&random));
            t.network = (i as u64 % networks).to_be_bytes();
        })
    };
    let found = signs(&of(1), false).unwrap_or_default();
    assert!(found.contains(&Sign::Torrent), "{found:?}");
    assert_eq!(signs(&of(50), false), None);
}

/// An answer from another site's page speaks neither for its group nor against it.
#[test]
fn what_cannot_be_seen_has_no_weight() {
    let of = |unseen: usize, opened: bool| {
        let random = Random::seeded(5);
        let gap = |_| exponential(&random, 500.0);
        group(100, gap, |i, t| {
            t.opened = (i % 100 >= unseen).then_some(opened);
            t.bad_proof = i % 5 == 0;
        })
    };
    let unopened = |group: &[Trace]| signs(group, false).map(|s| s.contains(&Sign::Unopened));
    assert_eq!(unopened(&of(0, false)), Some(true));
    assert_eq!(unopened(&of(40, false)), Some(true), "most were seen");
    assert_eq!(unopened(&of(60, false)), None, "most were not");
    assert_eq!(unopened(&of(0, true)), None);
}

#[test]
fn bits_survive_the_round_trip() {
    let all = Sign::of_bits(i64::MAX);
    assert_eq!(all.len(), 10);
    assert_eq!(Sign::of_bits(all.iter().map(|sign| sign.bit()).sum()), all);
    assert!(
        all.iter().all(|sign| sign.weight() < ENOUGH),
        "one is never enough"
    );
}
