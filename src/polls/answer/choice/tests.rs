use super::*;
use crate::polls::model::{Scale, example};
use proptest::prelude::*;

fn read(poll: &Poll, options: &[&str]) -> Result<Choice, ChoiceError> {
    Choice::read(poll, &Sent::options(options.iter().copied()))
}

fn ranked(poll: &Poll, ranks: &[(i64, &str)]) -> Result<Vec<i64>, ChoiceError> {
    let sent = Sent {
        ranks: ranks
            .iter()
            .map(|(key, rank)| (key.to_string(), (*rank).to_owned()))
            .collect(),
        ..Sent::default()
    };
    Choice::read(poll, &sent).map(|c| c.options().iter().map(|id| id.0).collect())
}

#[test]
fn one_option_of_the_poll_is_an_answer() {
    let poll = example::single(&["yes", "no"]);
    let choice = read(&poll, &["2"]).expect("valid");
    assert_eq!(choice.options(), [OptionId(102)]);
    assert_eq!(stored_options(&choice.to_stored()), [OptionId(102)]);
}

#[test]
fn nothing_too_many_too_few_and_foreign_have_their_own_reason() {
    let poll = example::single(&["yes", "no"]);
    assert_eq!(
        Choice::read(&poll, &Sent::default()),
        Err(ChoiceError::Nothing { question: 1 })
    );
    assert_eq!(
        read(&poll, &["1", "2"]),
        Err(ChoiceError::TooMany {
            question: 1,
            max: 1
        })
    );
    for foreign in [
        "3",
        "0",
        "-1",
        "99999999999",
        "",
        " 1",
        "01",
        "+1",
        "yes\0",
        "１",
    ] {
        assert_eq!(
            read(&poll, &[foreign]),
            Err(ChoiceError::Unknown),
            "{foreign:?}"
        );
    }
    let several = example::several(&["a", "b", "c", "d"], 2, 3);
    assert_eq!(
        read(&several, &["1"]),
        Err(ChoiceError::TooFew {
            question: 1,
            min: 2
        })
    );
    assert_eq!(
        read(&several, &["1", "2", "3", "4"]),
        Err(ChoiceError::TooMany {
            question: 1,
            max: 3
        })
    );
}

#[test]
fn the_same_option_twice_is_one_choice() {
    let poll = example::single(&["yes", "no"]);
    assert_eq!(
        read(&poll, &["1", "1"]).map(|c| c.options().to_vec()),
        Ok(vec![OptionId(101)])
    );
}

#[test]
fn a_retired_option_is_no_longer_offered() {
    let mut poll = example::single(&["yes", "no"]);
    poll.questions[0].options[1].retired = true;
    assert_eq!(read(&poll, &["2"]), Err(ChoiceError::Unknown));
}

#[test]
fn an_optional_question_may_stay_open_but_not_the_whole_poll() {
    let mut poll = example::single(&["yes", "no"]);
    poll.questions[0].required = false;
    assert_eq!(
        Choice::read(&poll, &Sent::default()),
        Err(ChoiceError::Nothing { question: 1 })
    );
}

#[test]
fn ranks_give_the_order_and_may_have_gaps() {
    let poll = example::ranked(&["a", "b", "c", "d"], 1, 4);
    assert_eq!(
        ranked(&poll, &[(1, "3"), (4, "1"), (2, "4")]),
        Ok(vec![104, 101, 102])
    );
    assert_eq!(
        read(&poll, &["3", "1"]).map(|c| c.options().to_vec()),
        Ok(vec![OptionId(103), OptionId(101)])
    );
    let same = ChoiceError::SameRank {
        question: 1,
        rank: 2,
    };
    assert_eq!(ranked(&poll, &[(1, "2"), (4, "2")]), Err(same));
    assert!(same.message(&poll).contains("rank 2"));
    let bad = Err(ChoiceError::BadRank {
        question: 1,
        max: 4,
    });
    for rank in [
        "0",
        "5",
        "-1",
        "NaN",
        "1.0",
        "01",
        "1e0",
        "٣",
        "99999999999999999999",
        " 1",
    ] {
        assert_eq!(ranked(&poll, &[(1, rank)]), bad, "{rank}");
    }
    assert_eq!(ranked(&poll, &[(1, "1"), (1, "2")]), bad);
    assert_eq!(ranked(&poll, &[(9, "1")]), Err(ChoiceError::Unknown));
    assert_eq!(
        ranked(&poll, &[]),
        Err(ChoiceError::Unranked { question: 1 })
    );
    let deep = example::ranked(&["a", "b", "c", "d"], 2, 2);
    assert_eq!(
        ranked(&deep, &[(1, "1")]),
        Err(ChoiceError::TooFew {
            question: 1,
            min: 2
        })
    );
    assert_eq!(
        read(&deep, &["1", "2", "3"]),
        Err(ChoiceError::TooMany {
            question: 1,
            max: 2
        })
    );
    let single = example::single(&["a", "b"]);
    assert_eq!(ranked(&single, &[(1, "1")]), Err(ChoiceError::Unknown));
}

#[test]
fn own_words_choose_their_option() {
    let mut poll = example::single(&["a", "b", "Other"]);
    poll.questions[0].options[2].role = Role::Words;
    let wrote = |options: &[&str], key: &str, words: &str| {
        Choice::read(
            &poll,
            &Sent::options(options.iter().copied()).with_words(key, words),
        )
    };
    let choice = wrote(&[], "3", "  The   Pirates ").expect("an answer");
    assert_eq!(choice.options(), [OptionId(103)]);
    assert_eq!(
        choice.words(),
        [Words {
            option: OptionId(103),
            text: "The Pirates".into()
        }]
    );
    assert_eq!(Choice::from_stored(&choice.to_stored()), choice);
    assert_eq!(wrote(&["3"], "3", "x").map(|c| c.words().len()), Ok(1));
    assert_eq!(
        wrote(&["1"], "3", "x"),
        Err(ChoiceError::TwoAnswers { question: 1 })
    );
    assert_eq!(
        wrote(&[], "3", &"x".repeat(121)),
        Err(ChoiceError::LongWords { question: 1 })
    );
    assert_eq!(
        wrote(&[], "3", "a\u{202e}b"),
        Err(ChoiceError::BadWords { question: 1 })
    );
    // Words for an option that has no field for them.
    assert_eq!(wrote(&[], "1", "x"), Err(ChoiceError::Unknown));
    assert_eq!(wrote(&[], "9", "x"), Err(ChoiceError::Unknown));
    assert_eq!(read(&poll, &["3"]).map(|c| c.words().len()), Ok(0));
}

#[test]
fn none_of_these_stands_alone() {
    let mut poll = example::several(&["a", "b", "c", "None"], 2, 3);
    poll.questions[0].options[3].role = Role::Apart;
    assert_eq!(
        read(&poll, &["4"]).map(|c| c.options().to_vec()),
        Ok(vec![OptionId(104)])
    );
    assert_eq!(
        read(&poll, &["1", "4"]),
        Err(ChoiceError::NotAlone { question: 1 })
    );
    let told = ChoiceError::NotAlone { question: 1 }.message(&poll);
    assert!(told.starts_with("“None” cannot be combined"), "{told}");
    // Nobody is told first that there are too many, and then that the combination is impossible.
    assert_eq!(
        read(&poll, &["1", "2", "3", "4"]),
        Err(ChoiceError::NotAlone { question: 1 })
    );
}

#[test]
fn a_rating_is_one_point_of_its_scale() {
    let mut poll = example::single(&["1", "2", "3", "4", "5"]);
    poll.questions[0].kind = Kind::Rating;
    poll.questions[0].scale = Some(Scale {
        from: 1,
        low: "bad".into(),
        high: "good".into(),
    });
    assert_eq!(
        read(&poll, &["5"]).map(|c| c.options().to_vec()),
        Ok(vec![OptionId(105)])
    );
    assert_eq!(poll.questions[0].point(4), Some(5));
    for foreign in ["0", "6", "NaN", "4.5"] {
        assert_eq!(read(&poll, &[foreign]), Err(ChoiceError::Unknown));
    }
    assert_eq!(
        read(&poll, &["1", "2"]),
        Err(ChoiceError::TooMany {
            question: 1,
            max: 1
        })
    );
}

proptest! {
    #[test]
    fn whatever_is_sent_an_accepted_choice_is_within_the_rules(sent in proptest::collection::vec("[0-9a-z ,-]{0,3}", 0..8)) {
        let poll = example::several(&["a", "b", "c", "d", "e"], 2, 4);
        if let Ok(choice) = Choice::read(&poll, &Sent::options(sent)) {
            prop_assert!((2..=4).contains(&choice.options().len()));
            prop_assert!(choice.options().iter().all(|id| (101..=105).contains(&id.0)));
            prop_assert!(choice.options().is_sorted());
            prop_assert_eq!(stored_options(&choice.to_stored()), choice.options());
        }
    }

    #[test]
    fn what_is_stored_is_read_again(
        ids in proptest::collection::vec(1_i64..i64::MAX, 0..20),
        words in proptest::collection::vec((1_i64..9_999_999, ".{0,40}"), 0..4),
    ) {
        let choice = Choice {
            options: ids.into_iter().map(OptionId).collect(),
            words: words.into_iter().map(|(id, text)| Words { option: OptionId(id), text }).collect(),
        };
        prop_assert_eq!(Choice::from_stored(&choice.to_stored()), choice);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
        let _ = Choice::from_stored(&bytes);
    }
}
