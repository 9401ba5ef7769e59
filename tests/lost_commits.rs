//! The connection to PostgreSQL breaks exactly at `COMMIT`, before or after it arrives: increments are still applied
//! exactly once.

use std::time::Duration;

use canvass::db::group_commit::{GroupCommit, Queue};
use canvass::db::{self, Db, TURN, Turns};
use canvass::mailer::mailing::MailingState;
use canvass::polls;
use canvass::polls::ballots::{Answer, Slip};
use canvass::types::{Secret, UnixMillis};

use crate::polls_ballot_box::answer_to;
use crate::support::cluster::Cluster;
use crate::support::cutting_proxy::{Cut, CuttingProxy, WRITERS};
use crate::support::database::{TestDatabase, server_needed, sqlite_needed};
use crate::support::issues::{app_with, hand_over, subscribe, the_ledger_agrees, until};
use crate::support::smtp_server::SmtpServer;
use crate::support::wait;

async fn count(db: &Db, sql: &str) -> i64 {
    let row = db::fetch_one(db.read(), sql, []).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

/// A database, and a connection to it through a proxy that cuts connections. `None` on SQLite, which runs in the same
/// process, so that no response can be lost.
pub async fn unreliable() -> Option<(CuttingProxy, TestDatabase, Db)> {
    let proxy = CuttingProxy::before(&server_needed()?).await;
    let database = TestDatabase::migrated().await;
    let cut = Db::open(&Secret::new(proxy.url(&database.url)), 4).await;
    Some((proxy, database, cut.unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_is_added_once() {
    let Some((proxy, database, cut)) = unreliable().await else {
        return;
    };
    let direct = database.open().await;
    proxy.cut(3, &[Cut::Before, Cut::After, Cut::Vanish]);
    let line = Queue {
        name: "test",
        capacity: 100,
        largest: 10,
    };
    let queue = GroupCommit::start(line, move |group: Vec<i64>| {
        let db = cut.clone();
        async move {
            let txn = db.write_txn("test").await?;
            let sql = "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES (1, 2, 0, 0, $1)
                 ON CONFLICT (issue_id, state, reason, slot) DO UPDATE SET n = issue_tally.n + excluded.n";
            db::run(&*txn, sql, [group.iter().sum::<i64>().into()]).await?;
            txn.commit().await?;
            Ok(group)
        }
    });
    for n in 1..=20 {
        assert_eq!(
            queue.submit(n).await.unwrap(),
            n,
            "in the end it is written"
        );
    }
    let cuts = proxy.cuts();
    println!("{cuts} connections cut at COMMIT");
    assert!(cuts >= 6);
    assert_eq!(count(&direct, "SELECT n FROM issue_tally").await, 210);
}

/// The server crashes before anything of a transaction is on disk, and reuses its transaction id for another.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_transaction_with_its_id_did_is_not_taken_for_its_own() {
    let Some(cluster) = Cluster::needed() else {
        return;
    };
    let database = TestDatabase::on(&cluster.url()).await;
    let proxy = CuttingProxy::before(&cluster.url()).await;
    let cut = Db::open(&Secret::new(proxy.url(&cluster.url())), 4)
        .await
        .unwrap();
    let insert = "INSERT INTO setting (name, value) VALUES ($1, '')";
    let id = "SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)";
    let mut given_again = false;
    for round in 0..5 {
        let txn = cut.write_txn("test").await.unwrap();
        let lost = format!("lost {round}");
        db::run(&*txn, insert, [lost.clone().into()]).await.unwrap();
        let row = db::fetch_one(&*txn, id, []).await.unwrap().unwrap();
        let ours: i64 = row.try_get_by_index(0).unwrap();
        proxy.cut(1, &[Cut::Vanish]);
        let cuts = proxy.cuts();
        let commit = tokio::spawn(txn.commit());
        wait::until("the commit is cut", async || proxy.cuts() > cuts).await;
        proxy.close(true);
        proxy.cut(0, &[]);
        cluster.down();
        cluster.up();
        // The others.
        let outside = database.open().await;
        let mut latest = 0;
        while latest < ours {
            let txn = outside.write_txn("test").await.unwrap();
            let row = db::fetch_one(&*txn, id, []).await.unwrap().unwrap();
            latest = row.try_get_by_index(0).unwrap();
            given_again |= latest == ours;
            txn.commit().await.unwrap();
        }
        proxy.close(false);
        let error = commit.await.unwrap().expect_err("nothing of it stands");
        assert!(db::connection_lost(&error), "{error}");
        let found = db::fetch_one(
            outside.read(),
            "SELECT 1 FROM setting WHERE name = $1",
            [lost.into()],
        );
        assert!(found.await.unwrap().is_none());
        outside.close().await.unwrap();
        if given_again {
            return;
        }
    }
    panic!("no id was given again: this test tests nothing");
}

/// A statement that is a transaction of its own: done, never done, or still in flight after the writer has given it up.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_in_one_statement_is_added_once() {
    let Some((proxy, database, cut)) = unreliable().await else {
        return;
    };
    let direct = database.open().await;
    proxy.cut(3, &[Cut::Before, Cut::After, Cut::Vanish, Cut::Late]);
    let mut turns = Turns::new(&cut, "test", format!("{}of a test", WRITERS[0]));
    let sql = format!(
        "WITH {TURN} INSERT INTO issue_tally (issue_id, state, reason, slot, n) SELECT 1, 2, 0, 0, $4 FROM turn
         ON CONFLICT (issue_id, state, reason, slot) DO UPDATE SET n = issue_tally.n + excluded.n RETURNING n"
    );
    let (mut lost, mut never) = (0, 0);
    for n in 1..=40i64 {
        loop {
            match turns.run(&sql, vec![n.into()], UnixMillis(n)).await {
                Ok(Some(_)) => break,
                Ok(None) => {
                    lost += 1;
                    break;
                }
                Err(error) if db::connection_lost(&error) => never += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    let cuts = proxy.cuts();
    proxy.cut(0, &[]);
    println!("{cuts} cuts: {lost} answers lost, {never} statements never carried out");
    assert!(lost >= 2 && never >= 4, "{lost} lost, {never} never");
    // Late statements arrive within 400 ms. That they add nothing shows only afterwards.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(count(&direct, "SELECT n FROM issue_tally").await, 820);
}

/// Two writers with the same name disturb each other, but neither counts twice, and none hangs.
#[tokio::test]
async fn a_writer_that_lost_its_turn_to_another_writes_nothing_and_finds_it_again() {
    if server_needed().is_none() {
        return;
    }
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    let writer = || Turns::new(&db, "test", "writer".to_owned());
    let (mut one, mut two) = (writer(), writer());
    let sql = format!(
        "WITH {TURN} INSERT INTO issue_tally (issue_id, state, reason, slot, n) SELECT 1, 2, 0, 0, $4 FROM turn
         ON CONFLICT (issue_id, state, reason, slot) DO UPDATE SET n = issue_tally.n + excluded.n RETURNING n"
    );
    let now = UnixMillis(1);
    assert!(one.run(&sql, vec![1i64.into()], now).await.is_ok());
    assert!(two.run(&sql, vec![1i64.into()], now).await.is_ok());
    let refused = one.run(&sql, vec![1i64.into()], now).await;
    assert!(refused.is_err(), "its number is another's by now");
    assert_eq!(count(&db, "SELECT n FROM issue_tally").await, 2);
    assert!(one.run(&sql, vec![1i64.into()], now).await.is_ok());
    // A month later the next process that starts removes the row of one that is gone.
    let later = UnixMillis(40 * 86_400_000);
    let mut three = Turns::new(&db, "test", "another".to_owned());
    assert!(three.run(&sql, vec![1i64.into()], later).await.is_ok());
    let writers = "SELECT COUNT(*) FROM write_turn WHERE writer NOT LIKE 'connection %'";
    assert_eq!(count(&db, writers).await, 1);
    assert!(one.run(&sql, vec![1i64.into()], later).await.is_err());
    assert!(one.run(&sql, vec![1i64.into()], later).await.is_ok());
    assert_eq!(count(&db, "SELECT n FROM issue_tally").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_and_a_poll_count_right_while_commits_are_cut() {
    let Some(server) = server_needed() else {
        return;
    };
    let proxy = CuttingProxy::before(&server).await;
    let relay = SmtpServer::start().await;
    let app = app_with(&relay, |config| {
        let direct = config.database.url.expose().to_owned();
        config.database.url = Secret::new(proxy.url(&direct));
    })
    .await;
    let daily = app.newsletter("daily").await;
    let poll = app.poll("trust").await;
    subscribe(&app, &daily, 90).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    proxy.cut(4, &[Cut::Before, Cut::After, Cut::Late]);
    let poll = std::sync::Arc::new(polls::by_id(&app.app.db, poll).await.unwrap().unwrap());
    let voting = (0..40).map(|who| {
        // Some voters are new and take one round trip; the others need a query first.
        let answer = Answer {
            is_new: who % 4 > 0,
            ..answer_to(&poll, who, &["1"])
        };
        app.app.polls.queue.submit(Slip::from(answer))
    });
    for outcome in futures::future::join_all(voting).await {
        outcome.unwrap();
    }
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    let cuts = proxy.cuts();
    proxy.cut(0, &[]);
    println!("{cuts} connections cut at COMMIT");
    assert!(cuts >= 10);
    assert_eq!(
        (done.counts.sent, relay.count()),
        (90, 90),
        "nobody lost, nobody twice"
    );
    the_ledger_agrees(&app, issue).await;
    let voters = "SELECT CAST(SUM(n) AS BIGINT) FROM tally WHERE option_id = 0";
    assert_eq!(app.count(voters).await, 40);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 40);
}

/// SQLite ends a transaction by itself if the disk is full. Later writes must not hang because of it.
#[tokio::test]
async fn a_full_disk_does_not_swallow_the_writes_after_it() {
    if !sqlite_needed() {
        return;
    }
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    let insert = "INSERT INTO setting (name, value) VALUES ($1, $2)";
    for round in 0..3 {
        let txn = db.write_txn("test").await.unwrap();
        let limit = "PRAGMA max_page_count = 1";
        db::fetch_all(&*txn, limit, []).await.unwrap();
        let large = "x".repeat(20 << 20);
        let full = db::run(
            &*txn,
            insert,
            [format!("large {round}").into(), large.into()],
        )
        .await;
        assert!(full.unwrap_err().to_string().contains("full"));
        drop(txn);
        for _ in 0..2 {
            // One transaction that is rolled back, and one that counts.
            let given_up = db.write_txn("test").await.unwrap();
            drop(given_up);
        }
        let txn = db.write_txn("test").await.unwrap();
        let small = [format!("small {round}").into(), "".into()];
        db::run(&*txn, insert, small).await.unwrap();
        txn.commit().await.unwrap();
    }
    // Read by another connection: it sees only what was committed.
    assert_eq!(
        count(&db, "SELECT COUNT(*) FROM setting WHERE name LIKE 'small%'").await,
        3
    );
}
