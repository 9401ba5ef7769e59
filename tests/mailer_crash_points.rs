//! A crash at every crash point of sending an issue, in the real program: the same verdict as after a kill.
#![cfg(debug_assertions)]

use std::time::Duration;

use canvass::config::CRASH_POINTS;

use crate::support::trial::Trial;
use crate::support::wait::PATIENCE;

/// Crash points that an issue passes once or only a few times: crash at the first pass.
const RARE: [&str; 6] = [
    "prepare_begun",
    "prepare_chunk",
    "prepare_end",
    "in_batch_end",
    "after_batch_end",
    "in_finish",
];

/// Sends an issue with a crash at each point in turn, and lets an undisturbed program finish it.
async fn survive(in_doubt: &'static str) {
    let mut trial = Trial::new(in_doubt, 700).await;
    trial.setup.connections = 2;
    trial.calm(Duration::from_millis(1));
    trial.hand_over().await;
    for point in CRASH_POINTS {
        let visit = if RARE.contains(&point) { 1 } else { 3 };
        let mut setup = trial.setup.clone();
        if point.starts_with("prepare") {
            // Small batches, and enough of them that the first chunk is not the last.
            setup.connections = 20;
        }
        setup.crash_at = Some(format!("{point}:{visit}"));
        let mut node = setup.start();
        let crashed = tokio::time::timeout(PATIENCE, node.aborted(PATIENCE)).await;
        assert!(crashed.is_ok(), "nothing ever came to {point}");
    }
    let _node = trial.setup.start();
    trial.finish(PATIENCE).await;
    let verdict = trial.verdict().await;
    println!("{} crash points, {in_doubt}: {verdict}", CRASH_POINTS.len());
    assert_eq!(verdict.failed + verdict.skipped, 0);
    if in_doubt == "hold" {
        assert_eq!(verdict.twice, 0);
        // At a crash, each connection can have one mail in flight.
        assert!(verdict.unknown <= CRASH_POINTS.len() * trial.setup.connections);
    } else {
        assert!(verdict.twice <= CRASH_POINTS.len() * trial.setup.connections);
    }
}

/// A crash while single mails are on their way, before and after the final dot.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_no_single_mail() {
    for in_doubt in ["resend", "hold"] {
        let mut trial = Trial::new(in_doubt, 1).await;
        trial.setup.connections = 2;
        trial.calm(Duration::from_millis(1));
        for point in ["in_body", "after_dot"] {
            trial.enqueue(5).await;
            let mut setup = trial.setup.clone();
            setup.crash_at = Some(format!("{point}:3"));
            let mut node = setup.start();
            let crashed = tokio::time::timeout(PATIENCE, node.aborted(PATIENCE)).await;
            assert!(crashed.is_ok(), "nothing ever came to {point}");
            trial.note_kill(trial.setup.connections).await;
        }
        let _node = trial.setup.start();
        trial.finish(PATIENCE).await;
        let verdict = trial.verdict().await;
        println!("two crashes at single mails, {in_doubt}: {verdict}");
        assert!(in_doubt == "hold" || verdict.singles >= 10, "{verdict}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_loses_nobody() {
    survive("resend").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_doubles_nobody_where_doubts_are_held() {
    survive("hold").await;
}
