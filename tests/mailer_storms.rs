//! Faults while an issue is sent: the database is lost, restarted, full; the clock jumps. No reader is lost, none gets
//! the issue twice, and no operator has to intervene.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use canvass::db::group_commit::LONGEST_WRITE;
use canvass::db::{self, Backend};
use canvass::mailer::mailing::{self, MailingState};
use canvass::types::UnixMillis;

use crate::support::cluster::Cluster;
use crate::support::database::{TestDatabase, server_needed, sqlite_needed};
use crate::support::issues::{app_with, hand_over, subscribe, the_ledger_agrees, until};
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::trial::Trial;
use crate::support::wait;
use crate::support::wait::PATIENCE;

const HOUR: i64 = 3_600_000;

async fn relay() -> SmtpServer {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(10)), None);
    server
}

fn nobody_twice(server: &SmtpServer, readers: usize) {
    let mails = server.received();
    let to: BTreeSet<&str> = mails.iter().map(|m| m.to.as_str()).collect();
    assert_eq!((to.len(), mails.len()), (readers, readers));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_connections_to_the_database_are_ended_again_and_again() {
    // SQLite has no connection that another process could close.
    if server_needed().is_none() {
        return;
    }
    let relay = relay().await;
    // A batch that could neither be read nor given back waits until its lease runs out.
    let app = app_with(&relay, |config| config.mail.lease_seconds = 5).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 200).await;
    let outside = app.database.open().await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    for blow in 1..=6 {
        relay.wait_for(blow * 25, PATIENCE).await;
        let sql = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        // The test's own connections are closed as well; the next use opens new ones.
        let _ = db::fetch_one(outside.read(), sql, []).await;
    }
    relay.wait_for(200, PATIENCE).await;
    // The test's own queries get closed connections, until none is left.
    wait::until("a connection works", async || {
        mailing::progress(&app.app, issue).await.is_ok()
    })
    .await;
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    nobody_twice(&relay, 200);
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_stopped_without_warning_and_started_again() {
    let Some(cluster) = Cluster::needed() else {
        return;
    };
    let database = TestDatabase::on(&cluster.url()).await;
    let mut trial = Trial::on(database, "resend", 300).await;
    trial.calm(Duration::from_millis(10));
    trial.hand_over().await;
    let node = trial.setup.start();
    for stop in 1..=3 {
        trial.server.wait_for(stop * 60, PATIENCE).await;
        cluster.down();
        // Shorter and longer than the pauses after which connections are tried again.
        tokio::time::sleep(Duration::from_millis(700 * stop as u64)).await;
        cluster.up();
    }
    trial.finish(PATIENCE).await;
    let verdict = trial.verdict().await;
    println!("three immediate stops of PostgreSQL: {verdict}");
    assert_eq!((verdict.mails, verdict.twice, verdict.unknown), (300, 0, 0));
    drop(node);
    drop(trial);
}

/// The commit of a group goes on while nobody hears of it, for longer than a reader's request would wait: whoever wrote
/// the same outcomes again would count them twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_while_outcomes_are_written_counts_nobody_twice() {
    let relay = relay().await;
    let app = app_with(&relay, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 120).await;
    let outside = app.database.open().await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    relay.wait_for(30, PATIENCE).await;
    let hangs = match app.app.db.backend() {
        // The one writer is taken.
        Backend::Sqlite => app.app.db.write_txn("test").await.unwrap(),
        Backend::Postgres => {
            let txn = outside.write_txn("test").await.unwrap();
            let lock = "LOCK TABLE issue_tally IN EXCLUSIVE MODE";
            db::run(&*txn, lock, []).await.unwrap();
            txn
        }
    };
    // Real time, because it is the database's driver and the queue that must not run out of patience.
    tokio::time::sleep(LONGEST_WRITE + Duration::from_secs(4)).await;
    hangs.commit().await.unwrap();
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    nobody_twice(&relay, 120);
    the_ledger_agrees(&app, issue).await;
}

/// A small file system mounted over a directory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

impl SmallDisk {
    /// `None` if this process is not allowed to mount one.
    fn over(dir: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"])
            .arg(dir);
        let mounted = mount.stderr(Stdio::null()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(dir.to_owned()))
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        for piece in [1 << 20, 4_096, 1] {
            while ballast.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full_again_and_again() {
    // PostgreSQL without disk space stops and is restarted, which the test above covers.
    if !sqlite_needed() {
        return;
    }
    let database = TestDatabase::migrated().await;
    let file = database.dir.path().join("canvass.db");
    let bytes = std::fs::read(&file).unwrap();
    let Some(disk) = SmallDisk::over(database.dir.path()) else {
        eprintln!("skipped: a small file system cannot be mounted without privileges");
        return;
    };
    std::fs::write(&file, bytes).unwrap();
    let mut trial = Trial::on(database, "resend", 500).await;
    trial.calm(Duration::from_millis(10));
    trial.hand_over().await;
    let node = trial.setup.start();
    for full in 1..=3 {
        trial.server.wait_for(full * 80, PATIENCE).await;
        disk.fill();
        // Nothing is sent any more, because each mail needs its intent on disk first.
        // What is on the wire arrives within this pause, which is seventy times what a mail takes.
        let mut before = usize::MAX;
        while trial.server.count() != before {
            before = trial.server.count();
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        assert!(before < 500, "there was room for all");
        println!("{before} had gone when the disk was full");
        disk.empty();
    }
    trial.finish(PATIENCE).await;
    let verdict = trial.verdict().await;
    println!("a full disk, three times: {verdict}");
    assert_eq!((verdict.mails, verdict.twice, verdict.unknown), (500, 0, 0));
    drop(node);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_jumps_an_hour_either_way() {
    let relay = relay().await;
    let app = app_with(&relay, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 300).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let clock = &app.app.clock;
    let step = |by: i64| clock.set(UnixMillis(clock.now().0 + by));
    for (mails, by) in [
        (40, HOUR),
        (80, -HOUR),
        (120, -HOUR),
        (120, HOUR),
        (200, HOUR),
    ] {
        relay.wait_for(mails, PATIENCE).await;
        step(by);
    }
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    nobody_twice(&relay, 300);
    the_ledger_agrees(&app, issue).await;
}
