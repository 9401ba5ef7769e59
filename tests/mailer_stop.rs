//! SIGTERM: mails in flight are finished, nothing new is begun, and the process ends within ten seconds.

use std::time::Duration;

use canvass::db;
use tokio::time::Instant;

use crate::support::smtp_server::{Act, At};
use crate::support::trial::Trial;
use crate::support::wait::PATIENCE;

/// What is promised is ten seconds; a machine may hang meanwhile, but not at every stop.
const PROMISED: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_nobody_and_doubles_nobody() {
    let mut trial = Trial::new("resend", 300).await;
    trial.calm(Duration::from_millis(10));
    trial.hand_over().await;
    let mut quickest = LIMIT;
    for stop in 1..=4 {
        let mut node = trial.setup.start();
        trial.server.wait_for(stop * 50, PATIENCE).await;
        // Twice, like programs that signal the process and then its group.
        let asked = Instant::now();
        node.signal("-TERM");
        node.signal("-TERM");
        assert!(node.ended(LIMIT).await.success());
        quickest = quickest.min(asked.elapsed());
        let in_hand = "SELECT COUNT(*) FROM mail_batch WHERE state = 1";
        let row = db::fetch_one(trial.db.read(), in_hand, []).await;
        let leased: i64 = row.unwrap().unwrap().try_get_by_index(0).unwrap();
        assert_eq!(leased, 0, "every batch was given back");
    }
    assert!(quickest < PROMISED, "{quickest:?}");
    let _node = trial.setup.start();
    trial.finish(PATIENCE).await;
    let verdict = trial.verdict().await;
    assert_eq!((verdict.mails, verdict.twice, verdict.unknown), (300, 0, 0));
}

/// The relay has the messages and does not reply: they are in doubt, and the policy decides, as after a crash.
async fn stalled(in_doubt: &'static str) -> (usize, usize) {
    let mut trial = Trial::new(in_doubt, 60).await;
    trial.setup.final_dot_seconds = 600;
    trial.server.rule(At::Dot, "", Act::Wait(PATIENCE), None);
    trial.hand_over().await;
    let mut node = trial.setup.start();
    trial
        .server
        .wait_for(trial.setup.connections, PATIENCE)
        .await;
    let asked = Instant::now();
    node.signal("-TERM");
    assert!(node.ended(LIMIT).await.success());
    println!("{in_doubt}: out after {:.1?}", asked.elapsed());
    let open = "SELECT COUNT(*) FROM delivery WHERE state = 1";
    let row = db::fetch_one(trial.db.read(), open, []).await;
    let open: i64 = row.unwrap().unwrap().try_get_by_index(0).unwrap();
    assert_eq!(open, 0, "what was on the wire is written down");
    trial.server.forgive();
    let _node = trial.setup.start();
    trial.finish(PATIENCE).await;
    let verdict = trial.verdict().await;
    (verdict.twice, verdict.unknown)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_relay_that_says_nothing() {
    assert_eq!(stalled("resend").await, (4, 0), "one a connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_during_a_relays_silence_is_held_where_the_policy_says_so() {
    assert_eq!(stalled("hold").await, (0, 4), "one a connection");
}
