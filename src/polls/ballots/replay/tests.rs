use super::*;
use crate::polls::ballots::log::{Ballot, write};
use crate::polls::model::example;
use crate::polls::results::VOTERS;

const VOTER: VoterKey = [7; 16];

fn ballot(revision: i64, choices: &[u8]) -> Ballot<'_> {
    Ballot {
        voter: VOTER,
        revision,
        tier: 0,
        place: 1,
        network: None,
        choices,
    }
}

fn page(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        write(&mut out, entry);
    }
    out
}

/// A ballot changed on two nodes ends up the same in whatever order their pages are read.
#[test]
fn pages_of_two_nodes_fit_together_in_one_way() {
    let one = page(&[
        Entry::Cast(ballot(0, &[101])),
        Entry::Changed(ballot(2, &[103])),
    ]);
    let other = page(&[
        Entry::Changed(ballot(1, &[102])),
        Entry::SetAside {
            voter: VOTER,
            revision: 3,
            removal: 1,
        },
    ]);
    let poll = example::single(&["a", "b", "c"]);
    let mut found = Vec::new();
    for order in [[(0, &one), (1, &other)], [(1, &other), (0, &one)]] {
        let mut replay = Replay::of(&poll);
        for (slot, entries) in order {
            replay
                .page(slot, UnixMillis(slot), entries)
                .expect("readable");
        }
        assert_eq!((replay.orphans(), replay.odd.len()), (0, 0));
        replay.tally.retain(|_, n| *n != 0);
        found.push((replay.ballots.clone(), replay.tally, replay.places));
    }
    assert_eq!(found[0], found[1]);
    let (ballots, tally, _) = &found[0];
    assert_eq!(
        (&ballots[&VOTER].choices[..], ballots[&VOTER].removed),
        (&[103][..], Some(1))
    );
    let voters: i64 = tally
        .iter()
        .filter(|((option, ..), _)| *option == VOTERS)
        .map(|(_, n)| n)
        .sum();
    assert_eq!(voters, 0, "what was set aside is not counted");
}

#[test]
fn what_does_not_follow_is_said() {
    let poll = example::single(&["a", "b"]);
    let mut replay = Replay::of(&poll);
    let pages = page(&[
        Entry::Cast(ballot(0, &[101])),
        Entry::Cast(ballot(0, &[102])),
        Entry::Changed(ballot(0, &[102])),
        Entry::Changed(ballot(9, &[102])),
        Entry::GivenBack {
            voter: VOTER,
            revision: 1,
            removal: 4,
        },
    ]);
    replay.page(0, UnixMillis(1), &pages).expect("readable");
    assert_eq!((replay.odd.len(), replay.orphans()), (3, 1));
    assert!(replay.page(0, UnixMillis(1), &[1, 2]).is_err());
}

#[test]
fn a_share_has_only_its_own_ballots_and_the_rest_is_counted_once() {
    let poll = example::single(&["a", "b"]);
    let mut entries = Vec::new();
    for key in [1u8, 2, 3] {
        let voter = [key; 16];
        entries.push(Entry::Cast(Ballot {
            voter,
            ..ballot(0, &[101])
        }));
    }
    entries.push(Entry::Mailed {
        issue: 4,
        ballots: 2,
    });
    let pages = page(&entries);
    let mut replay = Replay::of(&poll);
    let mut seen = Vec::new();
    for (above, to) in [
        (vec![], Some(vec![2; 16])),
        (vec![2; 16], Some(vec![2; 17])),
        (vec![2; 17], None),
    ] {
        replay.begin(Share { above, to });
        replay.page(0, UnixMillis(1), &pages).expect("readable");
        let mut keys: Vec<u8> = replay.ballots.keys().map(|voter| voter[0]).collect();
        keys.sort_unstable();
        seen.push(keys);
    }
    assert_eq!(seen, [vec![1, 2], vec![], vec![3]]);
    assert_eq!((replay.entries, replay.mails[&(4, 0)]), (4, 2));
    assert_eq!(replay.hours.values().sum::<i64>(), 3);
    let voters = |((option, ..), n): (&(_, _, _), &i64)| (*option == VOTERS).then_some(*n);
    assert_eq!(replay.tally.iter().filter_map(voters).sum::<i64>(), 3);
}
