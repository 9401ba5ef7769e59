use std::collections::HashSet;

use super::*;

/// A ballot as a program sends it: without proof of work, from a page that nobody opened.
fn bare(who: u32, network: u32, said: u64) -> Trace {
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
        said,
        taken: false,
    }
}

/// A ballot as a reader sends it, each from a different network and with a different browser.
fn read(who: u32, said: u64) -> Trace {
    Trace {
        shape: bare(0, who, 0).network,
        worked: Some(4_000),
        opened: Some(true),
        ..bare(who, who, said)
    }
}

/// Ballots that come while a look is running without the lock are not missed.
#[test]
fn what_comes_while_a_group_is_judged_joins_its_burst() {
    let (watch, poll) = (Watch::default(), PollId(1));
    for who in 0..40 {
        watch.cast(poll, read(1_000 + who, 2), &[2]);
    }
    for who in 0..30 {
        watch.cast(poll, bare(who, 7, 1), &[1]);
    }
    let glance = watch
        .lock()
        .get_mut(&poll)
        .map(|seen| seen.glance(UnixMillis(100)))
        .expect("seen");
    watch.cast(poll, bare(30, 7, 1), &[1]);
    watch.cast(poll, read(2_000, 1), &[1]);
    let found = glance.judged();
    assert_eq!(found.groups.len(), 1);
    let due = {
        let mut polls = watch.lock();
        let seen = polls.get_mut(&poll).expect("seen");
        seen.open(found);
        assert_eq!(seen.said.get(&1), Some(&1), "the reader's is left");
        seen.take(poll, UnixMillis(3_000))
    };
    let voters: HashSet<VoterKey> = due.iter().flat_map(|due| due.voters.clone()).collect();
    assert_eq!(voters.len(), 31);
    assert!(voters.contains(&bare(30, 7, 1).voter) && !voters.contains(&read(2_000, 1).voter));
    // Nor are ballots that come afterwards.
    watch.cast(poll, bare(31, 7, 1), &[1]);
    let later = UnixMillis(3_000 + TOGETHER.as_millis() as i64);
    watch.look(later);
    let due = watch.due(later);
    let voters: usize = due.iter().map(|due| due.voters.len()).sum();
    assert_eq!(voters, 1);
}

#[test]
fn a_burst_remembers_no_more_networks_than_it_may() {
    let (watch, poll) = (Watch::default(), PollId(1));
    for who in 0..40 {
        watch.cast(poll, read(1_000_000 + who, 2), &[2]);
    }
    for who in 0..60 {
        watch.cast(poll, bare(who, who, 1), &[1]);
    }
    watch.look(UnixMillis(100));
    assert!(!watch.due(UnixMillis(100)).is_empty());
    let many = MOST_NETWORKS as u32 + 100;
    for who in 60..many {
        watch.cast(poll, bare(who, who, 1), &[1]);
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
            watch.cast(poll, bare(who, who, 1), &[1]);
        }
        watch.look(UnixMillis(100));
    };
    for (others, held, aside) in [((1, 5), 60, 0), ((2, 50), 0, 60), ((1, 50), 0, 0)] {
        let (watch, poll) = (Watch::default(), PollId(1));
        program(&watch, poll, 60);
        assert!(watch.due(UnixMillis(100)).is_empty(), "not judged yet");
        let first = bare(0, 0, 1).at;
        assert_eq!(watch.short(UnixMillis(100)), [(poll, first)]);
        watch.learn(poll, HashMap::from([others]), UnixMillis(100));
        assert!(watch.short(UnixMillis(100)).is_empty());
        watch.look(UnixMillis(100));
        let due = watch.due(UnixMillis(100));
        let number = |count: fn(&Due) -> usize| due.iter().map(count).sum::<usize>();
        assert_eq!(number(|due| due.held), held, "{others:?}");
        assert_eq!(number(|due| due.voters.len()), aside, "{others:?}");
    }
    // What is held is handed out again with its number, and set aside when it is released.
    let (watch, poll) = (Watch::default(), PollId(1));
    program(&watch, poll, 60);
    watch.learn(poll, HashMap::new(), UnixMillis(100));
    watch.look(UnixMillis(100));
    let key = watch.due(UnixMillis(100))[0].key;
    watch.stored(poll, key, BurstId(7));
    watch.cast(poll, bare(60, 60, 1), &[1]);
    let later = |n: i64| UnixMillis(100 + n * TOGETHER.as_millis() as i64);
    assert_eq!(watch.due(later(1))[0].held, 61);
    assert!(watch.holds(poll, BurstId(7)) && watch.release(poll, BurstId(7)));
    assert_eq!(watch.due(later(1))[0].voters.len(), 61);
    assert!(!watch.holds(poll, BurstId(7)));
}
