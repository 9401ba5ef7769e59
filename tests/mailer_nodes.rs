//! Several nodes on one PostgreSQL share an issue; one that slept too long sends nothing it no longer holds.

use std::collections::BTreeSet;
use std::time::Duration;

use canvass::db;

use crate::support::database::server;
use crate::support::smtp_server::{Act, At};
use crate::support::trial::Trial;

const PATIENCE: Duration = Duration::from_secs(60);

/// Who holds batches now.
async fn workers(trial: &Trial) -> BTreeSet<String> {
    let sql = "SELECT DISTINCT worker FROM mail_batch WHERE state = 1";
    let rows = db::fetch_all(trial.db.read(), sql, []).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_an_issue_and_the_numbers_add_up_at_every_instant() {
    // One process owns a SQLite directory.
    if server().is_none() {
        return;
    }
    let mut trial = Trial::new("resend", 600).await;
    // Long enough for the second node, which looks for work every 2 s when it is idle.
    trial.calm(Duration::from_millis(30));
    let _nodes = [trial.setup.start(), trial.setup.start()];
    trial.hand_over().await;
    let mut seen = BTreeSet::new();
    let mut samples = 0;
    let end = tokio::time::Instant::now() + PATIENCE;
    while !trial.finished().await {
        assert!(tokio::time::Instant::now() < end, "it does not end");
        seen.extend(workers(&trial).await);
        trial.numbers_add_up().await;
        samples += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let verdict = trial.verdict().await;
    println!("two nodes, {samples} samples: {verdict}");
    assert_eq!((verdict.mails, verdict.twice), (600, 0));
    assert_eq!(seen.len(), 2, "both sent");
    assert!(samples > 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_longer_than_its_lease_sends_only_what_it_holds() {
    if server().is_none() {
        return;
    }
    let mut trial = Trial::new("resend", 500).await;
    trial.calm(Duration::from_millis(10));
    trial.hand_over().await;
    let (sleeper, _other) = (trial.setup.start(), trial.setup.start());
    for sleep in 1..=2 {
        trial.server.wait_for(sleep * 120, PATIENCE).await;
        sleeper.signal("-STOP");
        // The lease is 2 s: the other one takes over what the sleeper had in hand.
        tokio::time::sleep(Duration::from_secs(4)).await;
        sleeper.signal("-CONT");
    }
    trial.finish(PATIENCE).await;
    let verdict = trial.verdict().await;
    println!("a node that slept twice: {verdict}");
    assert!(verdict.twice <= 2 * trial.setup.connections, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_keeps_a_lease_while_a_relay_takes_its_time() {
    let mut trial = Trial::new("resend", 30).await;
    // Three leases long.
    let slow = Act::Wait(Duration::from_secs(6));
    trial.server.rule(At::Dot, "reader1@", slow, Some(1));
    trial.setup.final_dot_seconds = 600;
    trial.hand_over().await;
    let mut nodes = vec![trial.setup.start()];
    if server().is_some() {
        nodes.push(trial.setup.start());
    }
    trial.finish(PATIENCE).await;
    let verdict = trial.verdict().await;
    assert_eq!((verdict.mails, verdict.twice, verdict.unknown), (30, 0, 0));
}
