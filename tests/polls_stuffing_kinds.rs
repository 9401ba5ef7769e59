//! The stuffing drill with ballots that are not alike, in every kind of poll: one option is pushed, and the rest of the
//! ballot is noise. A school that says the same is counted whole.

use canvass::polls::{Definition, Kind, QuestionText, Tier};
use canvass::types::Random;

use crate::polls_stuffing::{Drill, hand};
use crate::support::crowd::{Says, people, run, script, ticks};

/// A poll, what its readers say, and what those say who push the same option, each in a different way.
struct Case {
    name: &'static str,
    asking: fn(&mut Definition),
    readers: fn(usize) -> Says,
    pushes: fn(usize) -> Says,
}

const CASES: [Case; 5] = [
    Case {
        name: "decoys",
        asking: |_| {},
        readers: |i| ticks(&[[1, 2, 2, 3, 1, 2][i % 6]]),
        pushes: |i| ticks(&[if i % 4 == 3 { 2 } else { 1 }]),
    },
    Case {
        name: "two questions",
        asking: |poll| {
            poll.questions.push(QuestionText {
                text: "How good is the tram?".into(),
                options: ["Good", "Bad"].map(Into::into).into(),
                ..QuestionText::default()
            });
        },
        readers: |i| ticks(&[[1, 2, 2, 3, 1, 2][i % 6], [4, 5, 5][i / 2 % 3]]),
        pushes: |i| ticks(&[1, [4, 5, 5][i / 2 % 3]]),
    },
    Case {
        name: "ranked",
        asking: |poll| {
            let question = &mut poll.questions[0];
            question.options = ["Tram", "Bus", "Ferry", "Bicycle"].map(Into::into).into();
            (question.kind, question.max_choices) = (Kind::Ranked, 2);
        },
        readers: |i| ticks(&[1 + (i % 4) as u8, 1 + ((i + 1) % 4) as u8]),
        pushes: |i| ticks(&[1, 2 + (i % 3) as u8]),
    },
    Case {
        name: "several choices",
        asking: |poll| {
            let question = &mut poll.questions[0];
            question.options = ["Tram", "Bus", "Ferry", "Bicycle", "Car"]
                .map(Into::into)
                .into();
            (question.kind, question.max_choices) = (Kind::Several, 2);
        },
        readers: |i| ticks(&[1 + (i % 5) as u8, 1 + ((i + 1) % 5) as u8]),
        pushes: |i| ticks(&[1, 2 + (i % 4) as u8]),
    },
    Case {
        name: "own words",
        asking: |poll| poll.questions[0].other = Some("Another answer".into()),
        readers: |i| match i % 10 {
            0 => words(i),
            n => ticks(&[1 + (n % 3) as u8]),
        },
        pushes: words,
    },
];

fn words(i: usize) -> Says {
    let mut says = ticks(&[4]);
    says.push(("words.4", format!("Opinion number {i}")));
    says
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_script_whose_ballots_are_not_alike_moves_nothing() {
    for Case {
        name,
        asking,
        readers,
        pushes,
    } in CASES
    {
        let drill = Drill::asking(61, asking, readers).await;
        let ran = run(&drill.app, &script(600, pushes)).await;
        assert_eq!(ran.accepted, 600);
        drill.repelled(name, &ran).await;
    }
}

/// After a restart there are only the answers in the database to compare with.
#[tokio::test(flavor = "multi_thread")]
async fn polls_decoys_after_a_restart_move_nothing() {
    let drill = Drill::begin(62).await.restarted().await;
    let mut script = hand(&Random::seeded(63), 2, true);
    for (i, visitor) in script.iter_mut().enumerate() {
        visitor.says = (CASES[0].pushes)(i);
    }
    let ran = run(&drill.app, &script).await;
    drill.repelled("decoys after a restart", &ran).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_school_is_counted_whole_in_every_kind_of_poll() {
    for Case {
        name,
        asking,
        readers,
        pushes,
    } in CASES
    {
        let drill = Drill::asking(64, asking, readers).await;
        let random = Random::seeded(65);
        let mut pupils = people(&random, 300, 12, |_| "203.0.113.9".into(), |_| 1);
        for (i, pupil) in pupils.iter_mut().enumerate() {
            pupil.says = pushes(i);
        }
        let ran = run(&drill.app, &pupils).await;
        assert_eq!(ran.warned_after_ms, None, "{name}");
        let counted = drill.voters(Tier::Anonymous).await - 550;
        assert_eq!(counted, 300, "{name}");
        let moved = drill.moved().await;
        assert!(moved[0] > 10.0, "{name}: it pushes: {moved:?}");
    }
}
