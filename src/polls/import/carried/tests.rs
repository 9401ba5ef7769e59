use proptest::prelude::*;

use super::*;

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").expect("bundled")
}

#[test]
fn site_times_are_read_on_the_sites_clocks() {
    // 1 July 2024, 12:00 in Berlin, stored as if it were UTC.
    let summer = local(1_719_835_200).expect("a time");
    assert_eq!(
        instant(summer, &berlin()),
        Some(UnixMillis(1_719_828_000_000))
    );
    for (text, utc_ms) in [
        ("2024-01-15 12:00:00", 1_705_316_400_000),
        // Skipped: clocks went from 02:00 to 03:00.
        ("2024-03-31 02:30:00", 1_711_848_600_000),
        // Occurs twice: the first.
        ("2024-10-27 02:30", 1_729_989_000_000),
        ("2024-10-27T02:30", 1_729_989_000_000),
    ] {
        let local = written(text).expect("a time");
        assert_eq!(
            instant(local, &berlin()),
            Some(UnixMillis(utc_ms)),
            "{text}"
        );
    }
    assert_eq!(written("0000-00-00 00:00:00"), None);
    assert_eq!(local(0), None);
}

fn found(most: u64, counts: &[u64], voters: Option<u64>) -> Found {
    Found {
        questions: vec![FoundQuestion {
            text: "Which?".into(),
            most,
            options: (1..)
                .zip(counts)
                .map(|(id, count)| FoundOption {
                    id: id + 10,
                    label: format!("Answer {id}"),
                    count: *count,
                })
                .collect(),
        }],
        opens: written("2024-01-01 00:00:00"),
        closes: written("2024-02-01 00:00:00"),
        voters,
        ..Found::default()
    }
}

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

#[test]
fn the_log_is_kept_and_the_rest_becomes_ballots_without_one() {
    let mut poll = found(1, &[3, 1], Some(4));
    let late = written("2024-02-01 05:00:00");
    poll.log.insert((late, vec![11]), 2);
    let plan = poll.plan(&TimeZone::UTC, NOW).expect("a plan");
    assert_eq!(
        (plan.logged, plan.disagrees, plan.ballots.len()),
        (2, false, 4)
    );
    let last = UnixMillis(plan.closes_at.0 - 1);
    let at = |option| -> Vec<UnixMillis> {
        let of = plan.ballots.iter().filter(|b| b.options == [option]);
        of.map(|b| b.at).collect()
    };
    assert_eq!(
        at(1),
        [plan.opens_at, last, last],
        "a vote after the close is the last before it"
    );
    assert_eq!(at(2), [last]);
    assert!(plan.goes_on.is_none());
}

#[test]
fn a_count_that_cannot_be_is_refused_before_it_takes_memory() {
    let refused = found(1, &[u64::MAX, 3], None).plan(&TimeZone::UTC, NOW);
    assert!(refused.expect_err("absurd").contains("at most 10,000,000"));
    let mut poll = found(1, &[1, 1], None);
    poll.log.insert((None, vec![11]), MOST_VOTES);
    assert!(poll.plan(&TimeZone::UTC, NOW).is_err());
}

#[test]
fn a_vote_with_more_answers_than_may_be_given_later_is_kept() {
    let mut poll = found(1, &[3, 3, 1], None);
    poll.questions
        .insert(0, found(1, &[1, 0], None).questions.remove(0));
    for (question, from) in poll.questions.iter_mut().zip([30, 10]) {
        for (id, option) in (from + 1..).zip(&mut question.options) {
            option.id = id;
        }
    }
    let day = written("2024-01-02 05:00:00");
    poll.log.insert((day, vec![11, 12]), 2);
    let plan = poll.plan(&TimeZone::UTC, NOW).expect("a plan");
    let limits: Vec<_> = plan
        .questions
        .iter()
        .map(|q| (q.kind, q.max_choices))
        .collect();
    assert_eq!(limits, [(Kind::Single, 1), (Kind::Several, 2)]);
    assert!(plan.ballots.iter().filter(|b| b.options == [3, 4]).count() == 2);
    // Even ballots without a log have one answer each.
    let others = plan.ballots.iter().filter(|b| b.options != [3, 4]);
    assert!(others.clone().count() >= 3);
    for ballot in others {
        let second = ballot.options.iter().filter(|key| **key > 2).count();
        assert!(second <= 1, "{ballot:?}");
    }
}

proptest! {
    #[test]
    fn ballots_hold_exactly_the_counts(counts in proptest::collection::vec(0..30u64, 2..8), most in 1..5u64, people in proptest::option::of(0..100u64)) {
        let poll = found(most, &counts, people);
        let plan = poll.plan(&TimeZone::UTC, NOW).expect("a plan");
        for (key, count) in (1..).zip(&counts) {
            let n = plan.ballots.iter().filter(|b| b.options.contains(&key)).count();
            prop_assert_eq!(n as u64, *count);
        }
        let most = most.min(counts.len() as u64) as usize;
        for ballot in &plan.ballots {
            prop_assert!((1..=most).contains(&ballot.options.len()), "{:?}", ballot);
            prop_assert!(ballot.at >= plan.opens_at && ballot.at < plan.closes_at);
            let mut once = ballot.options.clone();
            once.dedup();
            prop_assert_eq!(&once, &ballot.options);
        }
    }
}
