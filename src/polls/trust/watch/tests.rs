use std::collections::HashSet;

use super::*;
use crate::polls::model::example;
use crate::types::{OptionId, Random};

/// What a ballot for this option says.
fn option(key: u8) -> Said {
    let poll = example::single(&["a", "b", "c"]);
    Said::of(&poll, &[OptionId(100 + i64::from(key))])
}

/// `n` ballots for this option.
fn ballots(key: u8, n: u64) -> Numbers {
    let mut ballots = Numbers::default();
    ballots.add(option(key), n);
    ballots
}

/// A ballot as a program sends it: without proof of work, from a page that nobody opened.
fn bare(who: u32, network: u32, said: u8) -> Trace {
    let mut voter = [0; 16];
    voter[..4].copy_from_slice(&who.to_be_bytes());
    let mut from = [0; 8];
    from[..4].copy_from_slice(&network.to_be_bytes());
    Trace {
        at: UnixMillis(i64::from(who)),
        voter,
        network: from,
        shape: [1; 8],
        puzzled: true,
        worked: None,
        bad_proof: false,
        opened: Some(false),
        said: option(said),
        taken: false,
    }
}

/// A ballot as a reader sends it, each from a different network and with a different browser.
fn read(who: u32, said: u8) -> Trace {
    Trace {
        shape: bare(0, who, 1).network,
        worked: Some(4_000),
        opened: Some(true),
        ..bare(who, who, said)
    }
}

/// Whether the first burst that is due counts so far, and how many of its ballots are handed out.
fn handed_out(watch: &Watch, now: UnixMillis) -> (bool, usize) {
    let due = watch.due(now);
    (due[0].held, due[0].voters.len())
}

/// Ballots that come while a look is running without the lock are not missed.
#[test]
fn what_comes_while_a_group_is_judged_joins_its_burst() {
    let (watch, poll) = (Watch::default(), PollId(1));
    for who in 0..40 {
        watch.cast(poll, read(1_000 + who, 2));
    }
    for who in 0..30 {
        watch.cast(poll, bare(who, 7, 1));
    }
    let glance = watch
        .lock()
        .get_mut(&poll)
        .map(|seen| seen.glance(UnixMillis(100)))
        .expect("seen");
    watch.cast(poll, bare(30, 7, 1));
    watch.cast(poll, read(2_000, 1));
    let found = glance.judged();
    assert_eq!(found.groups.len(), 1);
    let due = {
        let mut polls = watch.lock();
        let seen = polls.get_mut(&poll).expect("seen");
        seen.open(found);
        let readers = ballots(2, 40).with(&ballots(1, 1));
        assert_eq!(seen.said, readers, "the reader's is left");
        seen.take(poll, UnixMillis(3_000))
    };
    let voters: HashSet<VoterKey> = due.iter().flat_map(|due| due.voters.clone()).collect();
    assert_eq!(voters.len(), 31);
    assert!(voters.contains(&bare(30, 7, 1).voter) && !voters.contains(&read(2_000, 1).voter));
    // Nor are ballots that come afterwards.
    watch.cast(poll, bare(31, 7, 1));
    let later = UnixMillis(3_000 + TOGETHER.as_millis() as i64);
    watch.look(later);
    let due = watch.due(later);
    let voters: usize = due.iter().map(|due| due.voters.len()).sum();
    assert_eq!(voters, 1);
}

/// So that what it says can be compared, and is right if an editor calls it a crowd.
#[test]
fn what_is_changed_while_a_group_is_judged_is_what_its_burst_says() {
    let (watch, poll) = (Watch::default(), PollId(1));
    for who in 0..40 {
        watch.cast(poll, read(1_000 + who, 2));
    }
    for who in 0..30 {
        watch.cast(poll, bare(who, 7, 1));
    }
    let mut polls = watch.lock();
    let seen = polls.get_mut(&poll).expect("seen");
    let glance = seen.glance(UnixMillis(100));
    seen.change(bare(0, 7, 2));
    seen.open(glance.judged());
    let says: Vec<&Numbers> = seen.bursts.values().map(|burst| &burst.says).collect();
    assert_eq!(says, [&ballots(1, 29).with(&ballots(2, 1))]);
    assert_eq!(seen.said, ballots(2, 40).with(&ballots(1, 0)));
}

#[test]
fn a_burst_remembers_no_more_networks_than_it_may() {
    let (watch, poll) = (Watch::default(), PollId(1));
    for who in 0..40 {
        watch.cast(poll, read(1_000_000 + who, 2));
    }
    for who in 0..60 {
        watch.cast(poll, bare(who, who, 1));
    }
    watch.look(UnixMillis(100));
    assert!(!watch.due(UnixMillis(100)).is_empty());
    let many = MOST_NETWORKS as u32 + 100;
    for who in 60..many {
        watch.cast(poll, bare(who, who, 1));
    }
    let polls = watch.lock();
    let bursts = polls.get(&poll).map(|seen| &seen.bursts).expect("seen");
    let known: Vec<usize> = bursts.values().map(|burst| burst.networks.len()).collect();
    assert_eq!(known, [MOST_NETWORKS]);
}

/// A program from many networks, alone: it is reported, but only once the database was asked for other ballots, and
/// again whenever it has grown.
#[test]
fn a_burst_is_held_only_if_the_database_has_no_others_either() {
    let program = |watch: &Watch, poll, n: u32| {
        for who in 0..n {
            watch.cast(poll, bare(who, who, 1));
        }
        watch.look(UnixMillis(100));
    };
    for (others, held, aside) in [((1, 5), 60, 0), ((2, 50), 0, 60), ((1, 50), 0, 0)] {
        let (watch, poll) = (Watch::default(), PollId(1));
        program(&watch, poll, 60);
        assert!(watch.due(UnixMillis(100)).is_empty(), "not judged yet");
        let first = bare(0, 0, 1).at;
        assert_eq!(watch.short(UnixMillis(100)), [(poll, first)]);
        watch.learn(poll, ballots(others.0, others.1), UnixMillis(100));
        assert!(watch.short(UnixMillis(100)).is_empty());
        watch.look(UnixMillis(100));
        let due = watch.due(UnixMillis(100));
        let number = |held: bool| {
            let due = due.iter().filter(|due| due.held == held);
            due.map(|due| due.voters.len()).sum::<usize>()
        };
        assert_eq!(number(true), held, "{others:?}");
        assert_eq!(number(false), aside, "{others:?}");
    }
    // What is held is handed out again with its number, and set aside when it is released.
    let (watch, poll) = (Watch::default(), PollId(1));
    program(&watch, poll, 60);
    watch.learn(poll, Numbers::default(), UnixMillis(100));
    watch.look(UnixMillis(100));
    let key = watch.due(UnixMillis(100))[0].key;
    watch.stored(poll, key, BurstId(7));
    watch.cast(poll, bare(60, 60, 1));
    let later = |n: i64| UnixMillis(100 + n * TOGETHER.as_millis() as i64);
    assert_eq!(handed_out(&watch, later(1)), (true, 61));
    assert!(watch.holds(poll, BurstId(7)) && watch.release(poll, BurstId(7)));
    assert_eq!(handed_out(&watch, later(1)), (false, 61));
    assert!(!watch.holds(poll, BurstId(7)));
}

/// 40 readers for b; and a program that has said what they say, and after a pause of so many milliseconds changes all of
/// it to a.
fn changed_by_a_program(pause: i64) -> (Watch, PollId) {
    let (watch, poll) = (Watch::default(), PollId(1));
    let later = |mut trace: Trace| {
        trace.at = UnixMillis(trace.at.0 + pause);
        trace
    };
    for who in 0..60 {
        watch.cast(poll, bare(who, 7, 2));
    }
    for who in 0..40 {
        watch.cast(poll, read(1_000 + who, 2));
    }
    watch.look(UnixMillis(2_000));
    assert!(watch.due(UnixMillis(2_000)).is_empty(), "as everybody says");
    // The poll is still read, so that it is not forgotten as a whole.
    watch.opened(poll, [9; 8], UnixMillis(pause));
    watch.look(UnixMillis(pause));
    for who in 0..60 {
        watch.change(poll, later(bare(who, 7, 1)));
    }
    (watch, poll)
}

#[test]
fn changed_ballots_are_judged_like_new_ones() {
    for pause in [5_000, 1_200_000] {
        let (watch, poll) = changed_by_a_program(pause);
        let now = UnixMillis(pause + 3_000);
        watch.look(now);
        let due = watch.due(now);
        let voters: Vec<VoterKey> = due.iter().flat_map(|due| due.voters.clone()).collect();
        assert_eq!(voters.len(), 60, "{pause}");
        assert_eq!(due[0].pushed, option(1));
        let polls = watch.lock();
        let seen = polls.get(&poll).expect("seen");
        // What they said before is taken off only as long as that is remembered.
        let before = if pause < 600_000 { 0 } else { 60 };
        assert_eq!(seen.said, ballots(2, 40 + before).with(&ballots(1, 0)));
    }
}

#[test]
fn a_change_adds_no_ballot() {
    let (watch, poll) = (Watch::default(), PollId(1));
    for who in 0..40 {
        watch.cast(poll, read(1_000 + who, 2));
    }
    for said in [1, 3, 1, 2, 1] {
        watch.change(poll, read(1_000, said));
    }
    {
        let polls = watch.lock();
        let seen = polls.get(&poll).expect("seen");
        assert_eq!(
            seen.said,
            ballots(2, 39).with(&ballots(1, 1)).with(&ballots(3, 0))
        );
        let live = seen.traces.iter().filter(|trace| !trace.taken);
        assert_eq!(live.count(), 40);
    }
    watch.look(UnixMillis(3_000));
    assert!(watch.due(UnixMillis(3_000)).is_empty());
}

/// 40 readers for b, and a program for a whose answers are burst 7.
fn with_a_burst() -> (Watch, PollId) {
    let (watch, poll) = (Watch::default(), PollId(1));
    cast_at(&watch, poll, 0);
    watch.look(UnixMillis(2_000));
    let key = watch.due(UnixMillis(2_000))[0].key;
    watch.stored(poll, key, BurstId(7));
    (watch, poll)
}

/// Both come, from `start` on.
fn cast_at(watch: &Watch, poll: PollId, start: i64) {
    let readers = (0..40).map(|who| read(1_000 + who, 2));
    for mut trace in readers.chain((0..60).map(|who| bare(who, 7, 1))) {
        trace.at = UnixMillis(start + trace.at.0);
        watch.cast(poll, trace);
    }
}

/// Editors seldom decide within the minutes for which a burst lasts.
#[test]
fn a_burst_that_is_over_can_still_be_a_crowd() {
    let hour = |n: i64| UnixMillis(n * 3_600_000);
    for (is_crowd, bursts) in [(true, 0), (false, 1)] {
        let (watch, poll) = with_a_burst();
        watch.look(hour(1));
        if is_crowd {
            watch.excuse(poll, BurstId(7), hour(2));
        }
        cast_at(&watch, poll, hour(3).0);
        let now = UnixMillis(hour(3).0 + 2_000);
        watch.look(now);
        assert_eq!(watch.due(now).len(), bursts, "{is_crowd}");
        // Neither it nor the decision is remembered for ever.
        watch.look(hour(30));
        assert!(watch.lock().is_empty(), "{is_crowd}");
    }
}

/// Once an editor said so, however often; and they may still change.
#[test]
fn what_a_crowd_says_is_usual() {
    let (watch, poll) = with_a_burst();
    let usual = || {
        let polls = watch.lock();
        let seen = polls.get(&poll).expect("seen");
        seen.said.clone()
    };
    assert_eq!(usual(), ballots(2, 40).with(&ballots(1, 0)));
    for _ in 0..2 {
        watch.excuse(poll, BurstId(7), UnixMillis(3_000));
        assert_eq!(usual(), ballots(2, 40).with(&ballots(1, 60)));
    }
    watch.change(poll, bare(0, 7, 2));
    assert_eq!(usual(), ballots(2, 41).with(&ballots(1, 59)));
}

/// Readers of a plain form on another site's page, in a busy minute: those with the most frequent browser are not quite of
/// the others' opinion, and after a debate none is of the opinion of those before.
#[test]
fn readers_of_a_plain_form_are_compared_with_one_another() {
    let random = Random::seeded(21);
    let crowd = |debate: bool, networks: u32| {
        let (watch, poll) = (Watch::default(), PollId(1));
        for who in 0..300 {
            watch.cast(poll, read(10_000 + who, 1 + u8::from(who % 3 > 0)));
        }
        let mut at = 0;
        for who in 0..1_500 {
            at += 1 + random.below(500) as i64;
            let frequent = random.below(3) == 0;
            let (tenth, other) = (random.below(10), 2 + random.below(200) as u8);
            let one = match (debate, frequent) {
                (true, true) => true,
                (true, false) => tenth < 9,
                (false, true) => tenth < 5,
                (false, false) => tenth < 4,
            };
            watch.cast(
                poll,
                Trace {
                    at: UnixMillis(at),
                    shape: [if frequent { 1 } else { other }; 8],
                    opened: None,
                    ..bare(who, who % networks, if one { 1 } else { 2 })
                },
            );
        }
        watch.look(UnixMillis(at));
        watch.due(UnixMillis(at))
    };
    for networks in [1, 1_500] {
        assert!(crowd(false, networks).is_empty(), "{networks}");
        assert!(crowd(true, networks).is_empty(), "{networks}");
    }
}

/// It agreed with the few others while it was held, and does no longer.
#[test]
fn a_held_burst_that_changes_its_mind_is_released() {
    let (watch, poll) = (Watch::default(), PollId(1));
    for who in 0..60 {
        watch.cast(poll, bare(who, 7, 2));
    }
    watch.learn(poll, Numbers::default(), UnixMillis(100));
    watch.look(UnixMillis(100));
    assert_eq!(handed_out(&watch, UnixMillis(100)), (true, 60));
    for who in 0..40 {
        watch.cast(poll, read(1_000 + who, 2));
    }
    let later = |n: i64| UnixMillis(100 + n * TOGETHER.as_millis() as i64);
    watch.look(later(1));
    let still = handed_out(&watch, later(1));
    assert_eq!(still, (true, 60), "as the others say");
    for who in 0..60 {
        watch.change(poll, bare(who, 7, 1));
    }
    watch.look(later(2));
    assert_eq!(handed_out(&watch, later(2)), (false, 60));
}

#[test]
fn what_is_remembered_of_voters_is_bounded() {
    let (watch, poll) = (Watch::default(), PollId(1));
    let many = MOST_TRACES as u32 + 100;
    for who in 0..many {
        watch.cast(poll, bare(who, who, 1));
        watch.change(poll, bare(who, who, 2));
    }
    let polls = watch.lock();
    let seen = polls.get(&poll).expect("seen");
    assert_eq!(seen.traces.len(), MOST_TRACES);
    assert_eq!(seen.last.len(), MOST_TRACES / 2);
    assert!(std::mem::size_of::<Trace>() <= 112);
}
