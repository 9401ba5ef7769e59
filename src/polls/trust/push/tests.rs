use super::*;
use crate::polls::answer::{Choice, Sent, stored_options};
use crate::polls::model::{Role, example};

/// Ballots with these options, so many of each.
fn numbers(poll: &Poll, ballots: &[(&[i64], u64)]) -> Numbers {
    let mut numbers = Numbers::default();
    for (options, n) in ballots {
        numbers.add(said(poll, options), *n);
    }
    numbers
}

fn said(poll: &Poll, options: &[i64]) -> Said {
    let options: Vec<OptionId> = options.iter().map(|key| OptionId(key + 100)).collect();
    Said::of(poll, &options)
}

/// Whether a group pushes that cannot be a crowd.
fn push(group: &Numbers, rest: &Numbers) -> Option<Push> {
    super::push(group, rest, false)
}

fn abc() -> Poll {
    example::single(&["a", "b", "c"])
}

#[test]
fn what_everybody_says_is_no_push() {
    let poll = abc();
    let one = numbers(&poll, &[(&[1], 100)]);
    let agreed = numbers(&poll, &[(&[1], 900), (&[2], 50)]);
    assert_eq!(push(&one, &agreed), None);
    let divided = numbers(&poll, &[(&[1], 500), (&[2], 500)]);
    assert_eq!(push(&one, &divided), Some(Push::Yes(said(&poll, &[1]))));
    let third = numbers(&poll, &[(&[1], 50), (&[2], 50)]);
    assert_eq!(push(&third, &divided), None);
}

#[test]
fn a_group_alone_pushes_only_what_nearly_all_of_it_say() {
    let poll = abc();
    let few = numbers(&poll, &[(&[2], 19)]);
    let alone = |group: &[(&[i64], u64)]| push(&numbers(&poll, group), &few);
    let one = said(&poll, &[1]);
    assert_eq!(alone(&[(&[1], 80), (&[2], 20)]), Some(Push::Perhaps(one)));
    let nothing = Some(Push::Perhaps(Said::default()));
    assert_eq!(alone(&[(&[1], 79), (&[2], 21)]), nothing);
}

#[test]
fn decoys_hide_no_push() {
    let poll = abc();
    let usual = numbers(&poll, &[(&[1], 330), (&[2], 500), (&[3], 170)]);
    let decoys = numbers(&poll, &[(&[1], 75), (&[2], 25)]);
    assert_eq!(push(&decoys, &usual), Some(Push::Yes(said(&poll, &[1]))));
    // Nor does spreading what is taken from one option over the others.
    let labels: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let poll = example::single(&labels);
    let mut usual = numbers(&poll, &[(&[1], 500)]);
    let mut spread = Numbers::default();
    for key in 2..=20 {
        usual.add(said(&poll, &[key]), 26);
        spread.add(said(&poll, &[key]), 5 + u64::from(key == 7));
    }
    assert_eq!(push(&spread, &usual), Some(Push::Yes(said(&poll, &[7]))));
}

/// Several of a, b and c; and x or y, whose keys are 4 and 5.
fn two_questions() -> Poll {
    let mut poll = example::several(&["a", "b", "c"], 1, 3);
    let mut second = example::single(&["x", "y"]).questions.remove(0);
    second.key = 2;
    for option in &mut second.options {
        (option.key, option.id) = (option.key + 3, OptionId(option.id.0 + 3));
    }
    poll.questions.push(second);
    poll
}

#[test]
fn each_option_of_each_question_is_compared() {
    let poll = two_questions();
    let usual = numbers(&poll, &[(&[1, 2, 4], 50), (&[2, 3, 5], 50)]);
    // The favourite and something else, and anything in the other question.
    let group: [(&[i64], u64); 4] = [
        (&[1, 2, 4], 25),
        (&[1, 2, 5], 25),
        (&[1, 3, 4], 25),
        (&[1, 3, 5], 25),
    ];
    let pushed = push(&numbers(&poll, &group), &usual);
    assert_eq!(pushed, Some(Push::Yes(said(&poll, &[1]))));
    // In both questions.
    let pushed = push(&numbers(&poll, &[(&[1, 2, 4], 100)]), &usual);
    assert_eq!(pushed, Some(Push::Yes(said(&poll, &[1, 4]))));
    // Nothing more often than the others, but one option never.
    let without = numbers(&poll, &[(&[1], 50), (&[3], 50)]);
    let pushed = push(&without, &usual);
    assert_eq!(pushed, Some(Push::Yes(said(&poll, &[3]))));
    // Everything at most as often as the others, and b is on no ballot at all.
    let usual = numbers(&poll, &[(&[1, 3], 100)]);
    let without = numbers(&poll, &[(&[1], 90), (&[3], 10)]);
    let pushed = push(&without, &usual);
    assert_eq!(pushed, Some(Push::Yes(said(&poll, &[1]))));
}

#[test]
fn of_a_ranking_the_first_preference_counts_and_of_words_the_option() {
    let mut poll = example::ranked(&["a", "b", "c"], 1, 3);
    assert_eq!(said(&poll, &[2, 3, 1]), said(&poll, &[2]));
    assert_ne!(said(&poll, &[2, 3, 1]), said(&poll, &[1, 2, 3]));
    poll = abc();
    poll.questions[0].options[2].role = Role::Words;
    let sent = Sent::options(["3"]);
    let said_with = |words: &str| {
        let sent = sent.clone().with_words("3", words);
        let choice = Choice::read(&poll, &sent).expect("valid");
        assert!(!choice.words().is_empty());
        Said::of(&poll, choice.options())
    };
    assert_eq!(said_with("one"), said_with("two"));
    assert_eq!(said_with("one"), said(&poll, &[3]));
}

#[test]
fn the_largest_poll_has_room() {
    let labels: Vec<String> = (1..=200).map(|n| n.to_string()).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let poll = example::several(&labels, 1, 200);
    for key in [1, 63, 64, 128, 200] {
        let mut one = Numbers::default();
        one.add(said(&poll, &[key]), 1);
        assert_eq!(one.options.iter().sum::<u64>(), 1, "{key}");
        let stored = said(&poll, &[key]).to_stored(&poll);
        assert_eq!(stored_options(&stored), [OptionId(key + 100)]);
    }
    let all: Vec<i64> = (1..=200).collect();
    assert_eq!(said(&poll, &all).keys().count(), 200);
    assert!(std::mem::size_of::<Said>() <= 32);
}

#[test]
fn the_larger_a_group_the_less_it_takes() {
    let poll = abc();
    let pushes = |ones: u64, of: u64, others: u64| {
        let usual = numbers(&poll, &[(&[1], others / 2), (&[2], others / 2)]);
        push(&numbers(&poll, &[(&[1], ones), (&[2], of - ones)]), &usual).is_some()
    };
    assert!(!pushes(14, 20, 500), "an accident");
    assert!(pushes(16, 20, 500), "nearly all");
    assert!(!pushes(60, 100, 500));
    assert!(pushes(1_200, 2_000, 500));
    let many = 1_000_000;
    assert!(pushes(56 * many, 100 * many, many));
    assert!(!pushes(54 * many, 100 * many, many), "hardly anything");
}

/// Small groups of people who think like everybody, thousands of times. By simulation, one in 3,000 pushes.
#[test]
fn people_rarely_push_by_chance() {
    let few_choose_most = |options: u64| -> Vec<u64> { (1..=options).map(|n| 1_000 / n).collect() };
    let random = crate::types::Random::seeded(6);
    for weights in [
        vec![330, 500, 170],
        few_choose_most(20),
        few_choose_most(50),
    ] {
        let labels: Vec<String> = weights.iter().map(ToString::to_string).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let poll = example::single(&labels);
        let each: Vec<Said> = (1..=labels.len() as i64)
            .map(|key| said(&poll, &[key]))
            .collect();
        let mut usual = Numbers::default();
        for (says, weight) in each.iter().zip(&weights) {
            usual.add(*says, *weight);
        }
        let draw = || {
            let mut left = random.below(usual.ballots);
            let drawn = each.iter().zip(&weights).find(|(_, weight)| {
                let is_it = left < **weight;
                left = left.saturating_sub(**weight);
                is_it
            });
            drawn.map(|(says, _)| *says).unwrap_or_default()
        };
        let pushes = (0..3_000).filter(|round| {
            let mut group = Numbers::default();
            for _ in 0..20 + round % 100 {
                group.add(draw(), 1);
            }
            push(&group, &usual).is_some()
        });
        let n = pushes.count();
        assert!(n < 9, "{n} with {} options", labels.len());
    }
}

#[test]
fn a_group_that_may_be_a_crowd_pushes_only_what_nearly_all_of_it_say() {
    let poll = abc();
    let usual = numbers(&poll, &[(&[1], 350), (&[2], 650)]);
    let pushes = |ones: u64| {
        let group = numbers(&poll, &[(&[1], ones), (&[2], 1_000 - ones)]);
        (push(&group, &usual), super::push(&group, &usual, true))
    };
    let one = Some(Push::Yes(said(&poll, &[1])));
    assert_eq!(pushes(500), (one, None));
    assert_eq!(pushes(790), (one, None));
    assert_eq!(pushes(800), (one, one));
}

#[test]
fn what_is_added_can_be_taken_off() {
    let poll = abc();
    let some = numbers(&poll, &[(&[1], 3), (&[3], 4)]);
    let more = numbers(&poll, &[(&[1], 2), (&[2], 5)]);
    let both = some.clone().with(&more);
    assert_eq!(both, numbers(&poll, &[(&[1], 5), (&[2], 5), (&[3], 4)]));
    assert_eq!(both.without(&more), some);
    let mut none = some.clone();
    none.remove(said(&poll, &[3]), 9);
    assert!(none.share(3).abs() < 1e-9 && none.ballots == 0);
}

/// Of the ballots of a burst from before a restart only the pushed options are known.
#[test]
fn ballots_that_are_partly_known_leave_the_other_shares_as_they_are() {
    let poll = two_questions();
    let readers = numbers(&poll, &[(&[1, 2, 4], 20), (&[2, 3, 5], 20)]);
    let burst = numbers(&poll, &[(&[1, 2, 4], 30), (&[1, 3, 5], 30)]);
    let mut left = readers.clone().with(&burst);
    left.remove_partly_known(&poll, said(&poll, &[1]), 60);
    let shares = |of: &Numbers| [1, 2, 3, 4, 5].map(|key| (of.share(key) * 100.0).round() as u64);
    assert_eq!(left.ballots, 40);
    assert_eq!(shares(&left), [50, 70, 50, 50, 50]);
    // Who is known to say x does not say y.
    let mut left = readers.clone().with(&numbers(&poll, &[(&[1, 2, 4], 60)]));
    left.remove_partly_known(&poll, said(&poll, &[1, 2, 4]), 60);
    assert_eq!(left.options[4..], readers.options[4..]);
    left.remove_partly_known(&poll, said(&poll, &[1]), 99);
    assert_eq!(shares(&left), [0; 5]);
}
