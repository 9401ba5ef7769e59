//! The stuffing drill with changed answers: a script that first says what everybody says, and readers who do change their
//! minds.

use std::time::Duration;

use canvass::polls::{Tier, watch_tick};
use canvass::types::Random;

use crate::polls_stuffing::Drill;
use crate::support::crowd::{Says, Visitor, people, run, script, ticks};

/// What everybody says.
fn spread(i: usize) -> Says {
    ticks(&[[1, 2, 2, 3, 1, 2][i % 6]])
}

/// `n` answers of a script, each with its own marker.
pub fn marked(n: usize, says: fn(usize) -> Says) -> Vec<Visitor> {
    script(n, |i| {
        let mut says = says(i);
        says.push(("marker", format!("{i:022}")));
        says
    })
}

/// A minute later, when the watch remembers how the answers came, and long after it has forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn polls_a_script_that_sends_twice_moves_nothing() {
    for (name, pause) in [("sent twice", 0), ("sent twice, later", 20)] {
        let drill = Drill::begin(71).await;
        let app = &drill.app;
        let ran = run(app, &marked(600, spread)).await;
        assert_eq!(ran.warned_after_ms, None, "it says what everybody says");
        assert_eq!(drill.voters(Tier::Anonymous).await, 550 + 600);
        app.advance(Duration::from_secs(pause * 60));
        watch_tick(&app.app).await.unwrap();
        let ran = run(app, &marked(600, |_| ticks(&[1]))).await;
        assert_eq!(ran.accepted, 600);
        drill.repelled(name, &ran).await;
        // What it says once its answers are set aside moves nothing, and needs no decision.
        app.advance(Duration::from_secs(20 * 60));
        watch_tick(&app.app).await.unwrap();
        let ran = run(app, &marked(600, |_| ticks(&[3]))).await;
        assert_eq!(ran.warned_after_ms, None, "{name}");
        assert_eq!(app.count("SELECT COUNT(*) FROM poll_burst").await, 1);
        let moved = drill.moved().await;
        assert!(moved.iter().all(|points| *points <= 1.0), "{moved:?}");
        app.assert_the_count_agrees("trust").await;
    }
}

/// All are changed before the database is asked, and there are so many that compared with themselves they would push
/// nothing.
#[tokio::test(flavor = "multi_thread")]
async fn polls_what_is_changed_after_a_restart_is_not_compared_with_itself() {
    let drill = Drill::fresh().await;
    let address = |i: usize| format!("198.51.{i}.7");
    let mut readers = people(&Random::seeded(74), 30, 20, address, |_| 1);
    for (i, reader) in readers.iter_mut().enumerate() {
        reader.says = spread(i);
    }
    for usual in [readers, marked(600, spread)] {
        let ran = run(&drill.app, &usual).await;
        assert_eq!(ran.warned_after_ms, None, "it says what everybody says");
    }
    let drill = drill.restarted().await;
    let mut quick = marked(600, |_| ticks(&[1]));
    for visitor in &mut quick {
        visitor.sends /= 20;
    }
    run(&drill.app, &quick).await;
    let bursts = "SELECT COUNT(*) FROM poll_burst";
    let found = drill.app.count(bursts).await;
    assert!(found > 0, "compared with themselves they push nothing");
    assert_eq!(drill.voters(Tier::Anonymous).await, 30);
}

/// Two looks at once would both record a burst that one of them is still writing down.
#[tokio::test(flavor = "multi_thread")]
async fn polls_the_watch_looks_once_at_a_time() {
    let drill = Drill::fresh().await;
    let app = drill.app.app.clone();
    let watch = app.polls.watch.clone();
    let turn = watch.turn().await;
    let looking = tokio::spawn(async move { watch_tick(&app).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!looking.is_finished());
    drop(turn);
    looking.await.unwrap().unwrap();
}

/// 400 readers from everywhere and a school have answered; then there is a debate, and nine of ten say Yes within five
/// minutes.
#[tokio::test(flavor = "multi_thread")]
async fn polls_readers_who_change_their_minds_are_counted_whole() {
    let drill = Drill::begin(72).await;
    let random = Random::seeded(73);
    let crowd = |minutes: i64, says: &dyn Fn(usize) -> Says| {
        let address = |i: usize| match i {
            0..400 => format!("198.51.{}.7", i % 250),
            _ => "203.0.113.9".to_owned(),
        };
        // In any order, so that the readers and the pupils come together.
        let who = |i: usize| i * 3 % 700;
        let mut readers = people(&random, 700, minutes, |i| address(who(i)), |_| 1);
        for (i, reader) in readers.iter_mut().enumerate() {
            reader.says = says(who(i));
            reader.marker = format!("{:022}", who(i));
        }
        readers
    };
    let ran = run(&drill.app, &crowd(20, &spread)).await;
    assert_eq!(ran.warned_after_ms, None);
    let debate = crowd(5, &|i| ticks(&[if i % 10 == 9 { 2 } else { 1 }]));
    let ran = run(&drill.app, &debate).await;
    assert_eq!(ran.warned_after_ms, None);
    assert_eq!(drill.voters(Tier::Anonymous).await, 550 + 700);
    let moved = drill.moved().await;
    assert!(moved[0] > 25.0, "they did change: {moved:?}");
}
