//! Several nodes on one PostgreSQL share an issue; a node that was suspended sends nothing that it no longer holds.

use std::collections::BTreeSet;
use std::time::Duration;

use canvass::db;

use crate::support::database::{server, server_needed};
use crate::support::smtp_server::{Act, At, Received};
use crate::support::trial::Trial;
use crate::support::wait::{PATIENCE, Waiting};

/// The workers that hold batches now.
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
    if server_needed().is_none() {
        return;
    }
    let mut trial = Trial::new("resend", 600).await;
    // No lease runs out here, whatever else the machine does.
    trial.setup.lease_seconds = 15;
    // Long enough for the second node, which looks for work every 2 s when it is idle.
    trial.calm(Duration::from_millis(30));
    let _nodes = [trial.setup.start(), trial.setup.start()];
    trial.hand_over().await;
    let mut seen = BTreeSet::new();
    let mut samples = 0;
    let waiting = Waiting::until("the issue is over");
    while !trial.finished().await {
        seen.extend(workers(&trial).await);
        trial.numbers_add_up().await;
        samples += 1;
        waiting.still(trial.server.count()).await;
    }
    let verdict = trial.verdict().await;
    println!("two nodes, {samples} samples: {verdict}");
    assert_eq!((verdict.mails, verdict.twice), (600, 0));
    assert_eq!(seen.len(), 2, "both sent");
    assert!(samples > 20);
}

/// While a node is suspended, another sends what it held. Of an issue that is over, the node may still send only the
/// mails that were in flight when it was suspended.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_longer_than_its_lease_sends_only_what_was_on_the_wire() {
    if server_needed().is_none() {
        return;
    }
    let mut trial = Trial::new("resend", 400).await;
    trial.calm(Duration::from_millis(10));
    let own = trial.another_server().await;
    own.rule(At::Dot, "", Act::Wait(Duration::from_millis(10)), None);
    let mut setup = trial.setup.clone();
    setup.smtp_url = own.url();
    trial.hand_over().await;
    let sleeper = setup.start();
    own.wait_for(60, PATIENCE).await;
    sleeper.signal("-STOP");
    let held = "SELECT COUNT(*) FROM mail_batch WHERE state = 1";
    let row = db::fetch_one(trial.db.read(), held, []).await.unwrap();
    let held: i64 = row.unwrap().try_get_by_index(0).unwrap();
    assert!(held > 0, "it fell asleep with batches in hand");
    let _other = trial.setup.start();
    trial.finish(PATIENCE).await;
    let before = own.count();
    sleeper.signal("-CONT");
    // It is awake once it takes part in a later issue; the other node may be quicker with the first of those.
    let waiting = Waiting::until("the node that slept sends of a later issue");
    let later = |mail: &Received| !mail.raw.contains("Subject: Issue 0\r\n");
    while !own.received()[before..].iter().any(later) {
        if trial.finished().await {
            trial.hand_over().await;
        }
        waiting.still(own.count()).await;
    }
    trial.finish(PATIENCE).await;
    let after = own.received();
    let late = after[before..].iter().filter(|mail| !later(mail));
    let late = late.count();
    let verdict = trial.verdict().await;
    println!("{held} batches in hand, {late} mails after it woke: {verdict}");
    assert!(late <= trial.setup.connections, "{late}");
    assert!(verdict.twice <= trial.setup.connections, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_nodes_stops_and_the_other_finishes() {
    if server_needed().is_none() {
        return;
    }
    let mut trial = Trial::new("resend", 500).await;
    trial.setup.lease_seconds = 15;
    // One node alone would take five seconds, and the other starts before that.
    let each = Duration::from_millis(40);
    trial.calm(each);
    trial.hand_over().await;
    let own = trial.another_server().await;
    own.rule(At::Dot, "", Act::Wait(each), None);
    let mut setup = trial.setup.clone();
    setup.smtp_url = own.url();
    let (mut leaving, _staying) = (setup.start(), trial.setup.start());
    own.wait_for(40, PATIENCE).await;
    trial.server.wait_for(40, PATIENCE).await;
    leaving.signal("-TERM");
    assert!(leaving.ended(Duration::from_secs(20)).await.success());
    let sent = own.count();
    trial.finish(PATIENCE).await;
    let verdict = trial.verdict().await;
    println!("{sent} by the one that stopped: {verdict}");
    assert_eq!(own.count(), sent);
    assert!(sent < 400, "it stopped in the middle");
    assert_eq!((verdict.mails, verdict.twice, verdict.unknown), (500, 0, 0));
}

/// All nodes share a relay's daily limit.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_a_days_limit() {
    const DAY: usize = 120;
    if server_needed().is_none() {
        return;
    }
    let mut trial = Trial::new("resend", 300).await;
    // One node alone would take nine seconds for the daily limit; the other starts, or looks for work every 2 s, long
    // before.
    let each = Duration::from_millis(300);
    trial.calm(each);
    let own = trial.another_server().await;
    own.rule(At::Dot, "", Act::Wait(each), None);
    let files = tempfile::tempdir().unwrap();
    let mut nodes = Vec::new();
    for (n, url) in [trial.server.url(), own.url()].into_iter().enumerate() {
        let file = files.path().join(format!("{n}.toml"));
        let relay =
            format!("[[mail.relays]]\nname = \"limited\"\nurl = \"{url}\"\nper_day = {DAY}\n");
        std::fs::write(&file, relay).unwrap();
        let mut setup = trial.setup.clone();
        setup.config = Some(file);
        nodes.push(setup.start());
    }
    trial.hand_over().await;
    let waiting = Waiting::until(&format!("{DAY} mails have gone"));
    while trial.server.count() + own.count() < DAY {
        waiting.still([trial.server.count(), own.count()]).await;
    }
    // Nothing more may go. Both look for work at least every two seconds.
    tokio::time::sleep(Duration::from_secs(3)).await;
    println!("{} and {} of {DAY}", trial.server.count(), own.count());
    assert_eq!(trial.server.count() + own.count(), DAY);
    assert!(trial.server.count() > 0 && own.count() > 0, "both sent");
    trial.numbers_add_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_keeps_a_lease_while_a_relay_takes_its_time() {
    let mut trial = Trial::new("resend", 30).await;
    // Three leases long.
    let slow = Act::Wait(Duration::from_secs(15));
    trial.setup.lease_seconds = 5;
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
