//! Polls to test with.

use super::*;

pub fn ranked(labels: &[&str], min_choices: i64, max_choices: i64) -> Poll {
    let mut poll = several(labels, min_choices, max_choices);
    poll.questions[0].kind = Kind::Ranked;
    poll
}

pub fn single(labels: &[&str]) -> Poll {
    several(labels, 1, 1)
}

pub fn several(labels: &[&str], min_choices: i64, max_choices: i64) -> Poll {
    let options = (1_i64..)
        .zip(labels)
        .map(|(key, label)| PollOption {
            id: OptionId(key + 100),
            key,
            label: (*label).to_owned(),
            role: Role::Plain,
            picture: None,
            retired: false,
        })
        .collect();
    Poll {
        id: PollId(1),
        slug: "sample".to_owned(),
        title: "Sample".to_owned(),
        intro: String::new(),
        state: PollState::Published,
        opens_at: None,
        closes_at: None,
        seen_closed: None,
        sealed_at: None,
        visibility: Visibility::Always,
        headline_tier: Tier::Anonymous,
        newsletter: None,
        linking: None,
        sampling: Sampling::Open,
        time_zone: "UTC".to_owned(),
        secret: PollSecret::new(vec![7; 32]),
        revision: 0,
        questions: vec![Question {
            key: 1,
            text: "Sample?".to_owned(),
            required: true,
            kind: if max_choices > 1 {
                Kind::Several
            } else {
                Kind::Single
            },
            min_choices,
            max_choices,
            order: Order::Fixed,
            scale: None,
            options,
        }],
    }
}
