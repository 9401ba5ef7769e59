//! `kill -9` while a poll is being sealed, with the real program: at any moment the poll is either intact or sealed,
//! and the next process to start finishes the rest.

use std::time::Duration;

use canvass::config::SEAL_CRASH_POINTS;
use canvass::polls::ballots::{Slip, commit, watch_closes};
use canvass::types::UnixMillis;
use tokio::time::{Instant, sleep};

use crate::polls_ballot_box::{Box, NOON, opened};
use crate::polls_sealed::{DAY, count};
use crate::polls_verify::verified;
use crate::support::attacker::contains;
use crate::support::node::Setup;
use crate::support::wait;

const VOTERS: i64 = 3_000;

/// How far the sealing has come.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum State {
    Whole,
    Sealed,
    /// Nothing of it is left in the files either.
    Scrubbed,
}

/// A poll that was closed long enough ago by the program's clock, which is the system's.
async fn closed() -> Box {
    let ballots = opened(&["yes", "no"], 1, Some(NOON + DAY)).await;
    let slips: Vec<Slip> = (0..VOTERS as usize)
        .map(|who| Slip::from(ballots.answer(who, &[["1", "2"][who % 2]])))
        .collect();
    for group in slips.chunks(500) {
        commit(&ballots.db, &ballots.clock, 0, group).await.unwrap();
    }
    watch_closes(&ballots.db, NOON + DAY).await.unwrap();
    let today = canvass::types::Clock::System.now();
    assert!(
        today > UnixMillis((NOON + DAY * 8).0),
        "this machine's clock is wrong"
    );
    ballots
}

/// Reads the state, checks that it is one of the three, and everything that belongs to it.
async fn state(ballots: &Box, when: &str) -> State {
    let db = &ballots.db;
    let sealed = count(db, "SELECT COUNT(*) FROM poll WHERE sealed_ms IS NOT NULL").await == 1;
    let scrubbed = count(
        db,
        "SELECT COUNT(*) FROM poll WHERE scrubbed_ms IS NOT NULL",
    )
    .await
        == 1;
    let kept = if sealed {
        [0, 0, VOTERS]
    } else {
        [1, VOTERS, 0]
    };
    let found = [
        count(db, "SELECT COUNT(*) FROM poll_secret").await,
        count(db, "SELECT COUNT(*) FROM ballot").await,
        count(
            db,
            "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM sealed_ballot",
        )
        .await,
    ];
    assert_eq!(
        found, kept,
        "{when}: secret, ballots, and those that are only counted"
    );
    assert_eq!(
        verified(ballots).await.findings,
        Vec::<String>::new(),
        "{when}"
    );
    match (sealed, scrubbed) {
        (false, false) => State::Whole,
        (true, false) => State::Sealed,
        (true, true) => State::Scrubbed,
        (false, true) => panic!("{when}: scrubbed before it was sealed"),
    }
}

/// The secret is nowhere in SQLite's files. (What PostgreSQL keeps beside its tables is up to its operator.)
fn secret_is_gone(ballots: &Box) -> bool {
    ["", "-wal"].iter().all(|end| {
        let file = ballots.database.dir.path().join(format!("canvass.db{end}"));
        !contains(
            &std::fs::read(file).unwrap_or_default(),
            ballots.poll.secret.bytes(),
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(debug_assertions)]
async fn polls_a_crash_at_any_step_of_the_sealing_leaves_a_poll_whole_or_sealed() {
    let ballots = closed().await;
    let setup = Setup::new(&ballots.database, "smtp://127.0.0.1:9".to_owned());
    let expected = [State::Whole, State::Whole, State::Sealed, State::Sealed];
    for (point, expected) in SEAL_CRASH_POINTS.into_iter().zip(expected) {
        let mut setup = setup.clone();
        setup.crash_at = Some(point.to_owned());
        setup.start().aborted(wait::PATIENCE).await;
        assert_eq!(state(&ballots, point).await, expected, "{point}");
    }
    let _node = setup.start();
    wait::until("it is scrubbed", async || {
        state(&ballots, "left alone").await == State::Scrubbed
    })
    .await;
    assert!(secret_is_gone(&ballots));
}

const A_LITTLE: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_kill_at_any_moment_of_the_sealing_leaves_a_poll_whole_or_sealed() {
    let ballots = closed().await;
    let setup = Setup::new(&ballots.database, "smtp://127.0.0.1:9".to_owned());
    let end = Instant::now() + Duration::from_secs(900);
    let (mut lives, mut before, mut kills) = (Duration::from_millis(100), State::Whole, [0; 3]);
    // Each process lives a little longer than the one before, so that one of them dies at each step: by a twentieth,
    // because on a slow machine every step takes longer.
    while before != State::Scrubbed {
        assert!(Instant::now() < end, "never scrubbed: {kills:?}");
        assert!(lives < wait::PATIENCE, "not even if left alone: {kills:?}");
        let mut node = setup.start();
        sleep(lives).await;
        node.kill();
        let now = state(&ballots, &format!("killed after {lives:?}")).await;
        assert!(now >= before, "{before:?} became {now:?} again");
        kills[now as usize] += 1;
        (lives, before) = (lives + A_LITTLE.max(lives / 20), now);
    }
    println!("kills that left it whole, sealed, scrubbed: {kills:?}");
    assert!(secret_is_gone(&ballots));
}
