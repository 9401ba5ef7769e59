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
    let glance = watch.lock().get_mut(&poll).map(Seen::glance).expect("seen");
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
