use super::*;
use proptest::prelude::*;

fn every_kind<'a>(network: Option<&'a [u8]>, choices: &'a [u8], n: i64) -> Vec<Entry<'a>> {
    let ballot = Ballot {
        voter: [7; 16],
        revision: n,
        tier: 2,
        place: 3,
        network,
        choices,
    };
    vec![
        Entry::Cast(ballot),
        Entry::Changed(ballot),
        Entry::Found {
            ballot,
            cast: UnixMillis(n),
            changed: UnixMillis(-n),
        },
        Entry::SetAside {
            voter: [1; 16],
            revision: n,
            removal: n,
        },
        Entry::GivenBack {
            voter: [2; 16],
            revision: n,
            removal: n,
        },
        Entry::Removal {
            number: n,
            reason: [3; 32],
            ballots: n,
        },
        Entry::Undone {
            number: n,
            ballots: n,
        },
        Entry::Ruled {
            option: n,
            words: [8; 16],
            shown: (n % 2 == 0).then_some([9; 32]),
        },
        Entry::Mailed {
            issue: n,
            ballots: n,
        },
        Entry::Whole,
        Entry::Wording(Wording {
            questions: vec![(n, [4; 32])],
            options: vec![(n, 1, [5; 32]), (2, 1, [6; 32])],
        }),
        Entry::Terms(Terms {
            poll: [1; 32],
            questions: vec![(n, [2; 32])],
            options: vec![(n, [3; 32]), (2, [4; 32])],
        }),
        Entry::Received {
            ballot,
            cast: UnixMillis(n),
        },
        Entry::HandedOver {
            voter: [8; 16],
            revision: n,
        },
    ]
}

proptest! {
    #[test]
    fn what_was_written_is_read(network in proptest::collection::vec(any::<u8>(), 1..9), choices in proptest::collection::vec(any::<u8>(), 0..40), n in 0..i64::MAX) {
        let entries = every_kind(Some(&network), &choices, n);
        let mut page = Vec::new();
        for entry in &entries {
            write(&mut page, entry);
        }
        prop_assert_eq!(read(&page).expect("readable"), entries);
    }

    #[test]
    fn nonsense_is_refused_and_not_followed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(entries) = read(&bytes) {
            prop_assert!(entries.len() <= bytes.len());
        }
    }

    #[test]
    fn one_flipped_bit_changes_the_hash(bit in 0_usize..8 * 40, choices in proptest::collection::vec(any::<u8>(), 40)) {
        let before = Head { seq: 3, hash: [9; 32] };
        let hash = page_hash(PollId(1), 0, before, UnixMillis(5), &choices);
        let mut flipped = choices;
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(page_hash(PollId(1), 0, before, UnixMillis(5), &flipped), hash);
    }
}

/// The layout is a public contract: every later version must compute the same hash as was published.
#[test]
fn the_layout_stays() {
    let mut page = Vec::new();
    for entry in every_kind(None, &[101], 300) {
        write(&mut page, &entry);
    }
    assert_eq!(&page[..24], b"\x01\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\xac\x02\x02\x03\x00\x01\x65");
    let head = page_hash(PollId(1), 2, Head::default(), UnixMillis(4), &page);
    assert_eq!(head.seq, 1);
    let mut by_hand = b"canvass ballot log 1\0".to_vec();
    for number in [1_i64, 2, 1, 4] {
        by_hand.extend(number.to_be_bytes());
    }
    by_hand.extend([0; 32]);
    by_hand.extend(page);
    assert_eq!(head.hash, sha256(&by_hand));
}
