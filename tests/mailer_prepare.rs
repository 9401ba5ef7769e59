//! Freezing a large audience: in chunks, and exactly once with several preparing it.

use std::time::Duration;

use canvass::db::{self, Backend};
use canvass::mailer::mailing::{self, MailingState};
use tokio::time::Instant;

use crate::support::app::TestApp;
use crate::support::issues::{hand_over, until};

const READERS: i64 = 120_000;

/// Readers with dense ids, all subscribed, in two statements.
async fn subscribe_many(app: &TestApp, newsletter: i64) {
    let numbers = match app.app.db.backend() {
        Backend::Postgres => format!("SELECT n FROM generate_series(1, {READERS}) AS s(n)"),
        Backend::Sqlite => format!(
            "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {READERS}) SELECT n FROM s"
        ),
    };
    let txn = app.app.db.write_txn("test").await.unwrap();
    for sql in [
        format!(
            "INSERT INTO reader (id, email_key, email, created_ms)
             SELECT n, 'reader' || n || '@example.org', 'reader' || n || '@example.org', 1 FROM ({numbers}) AS numbers"
        ),
        format!(
            "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms)
             SELECT {newsletter}, id, 1, 1, 1 FROM reader"
        ),
    ] {
        db::run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_audience_is_frozen_once_however_many_do_it() {
    let app = TestApp::start().await;
    let daily = app.newsletter("daily").await;
    subscribe_many(&app, daily.id.0).await;
    let began = Instant::now();
    let issue = hand_over(&app, &daily, Duration::from_secs(3_600)).await;
    // The upkeep of the app is doing it as well.
    let ticks = (0..3).map(|_| mailing::tick(&app.app));
    let other_writes = async {
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            let asked = Instant::now();
            let txn = app.app.db.write_txn("test").await.unwrap();
            db::run(&*txn, "UPDATE newsletter SET name = name", [])
                .await
                .unwrap();
            txn.commit().await.unwrap();
            longest = longest.max(asked.elapsed());
            // One write after another, and not all in the first moment.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        longest
    };
    let (ticked, longest) = tokio::join!(futures::future::join_all(ticks), other_writes);
    for tick in ticked {
        tick.unwrap();
    }
    until(&app, issue, |p| p.state == MailingState::Sending).await;
    println!(
        "{READERS} readers are frozen after {:.0?}; another write waited at most {longest:.0?}",
        began.elapsed()
    );
    let progress = until(&app, issue, |_| true).await;
    assert_eq!(
        (progress.counts.audience, progress.counts.queued),
        (READERS, READERS)
    );
    // Ids are dense, so the ranges show whether any reader is missing or duplicated.
    let covered = "SELECT CAST(SUM(hi - lo + 1) AS BIGINT) FROM mail_batch";
    assert_eq!(app.count(covered).await, READERS);
    assert_eq!(
        app.count("SELECT COUNT(DISTINCT lo) FROM mail_batch").await,
        READERS / 500
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM mail_batch").await,
        READERS / 500
    );
}

#[tokio::test]
async fn what_an_earlier_try_left_behind_is_removed() {
    let app = TestApp::start_with(|config| config.mail.connections = 1).await;
    let daily = app.newsletter("daily").await;
    crate::support::issues::subscribe(&app, &daily, 35).await;
    // The state after a crash between two chunks: batches under a fence, and no one working on them.
    let txn = app.app.db.write_txn("test").await.unwrap();
    db::run(
        &*txn,
        "INSERT INTO issue (newsletter_id, slug, subject, body, state, created_ms, updated_ms)
         VALUES ($1, 'half', 'Half', '', 3, 1, 1)",
        [daily.id.0.into()],
    )
    .await
    .unwrap();
    let edition = serde_json::to_vec(&crate::support::issues::edition(&daily, "Half")).unwrap();
    db::run(
        &*txn,
        "INSERT INTO mailing (issue_id, newsletter_id, state, edition, not_before_ms, expires_ms, frozen_ms, prepare_fence)
         SELECT id, newsletter_id, 0, $1, $2, $2, $2, 4 FROM issue",
        [edition.into(), (i64::MAX / 2).into()],
    )
    .await
    .unwrap();
    for lo in [1i64, 11] {
        db::run(
            &*txn,
            "INSERT INTO mail_batch (issue_id, lo, hi, readers, state, not_before_ms)
             SELECT issue_id, $1, $1, $2, 0, 0 FROM mailing",
            [lo.into(), vec![1u8].into()],
        )
        .await
        .unwrap();
    }
    txn.commit().await.unwrap();
    app.app.db.bell().ring();
    app.wait_until("SELECT CAST(state AS BIGINT) FROM mailing", 1)
        .await;
    assert_eq!(app.count("SELECT audience FROM mailing").await, 35);
    assert_eq!(app.count("SELECT COUNT(*) FROM mail_batch").await, 4);
    let covered = "SELECT CAST(SUM(hi - lo + 1) AS BIGINT) FROM mail_batch";
    assert_eq!(app.count(covered).await, 35);
    assert_eq!(app.count("SELECT prepare_fence FROM mailing").await, 5);
}
