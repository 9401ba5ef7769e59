//! When a poll is sealed: once, some days after its close, and never because of a wrong clock alone.

use canvass::db::{self, Db, Unfinished};
use canvass::polls::ballots::record::{self, record_closed};
use canvass::polls::ballots::seal::{scrub, seal_due};
use canvass::polls::ballots::{set_closes_back, watch_closes};
use canvass::polls::{self, Phase, PollState, close_tick, seal_tick};
use canvass::types::UnixMillis;
use tokio::time::{Duration, Instant};

use crate::polls_ballot_box::{NOON, opened};
use crate::polls_sealed::{DAY, close, count, sealed};
use crate::polls_verify::{eventful, verified};
use crate::support::app::{START, TestApp};
use crate::support::database::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn polls_sealing_is_done_once_and_resumed() {
    let ballots = eventful().await;
    close(&ballots).await;
    ballots.clock.advance(DAY * 7);
    let now = ballots.clock.now();
    let other = ballots.database.open().await;
    let both = tokio::join!(seal_due(&ballots.db, now, 7), seal_due(&other, now, 7));
    assert_eq!(
        both.0.unwrap().polls.len() + both.1.unwrap().polls.len(),
        1,
        "one of two nodes seals it"
    );
    let pending = "SELECT COUNT(*) FROM poll WHERE scrubbed_ms IS NULL";
    assert_eq!(count(&ballots.db, pending).await, 1);
    // Killed here: the next process to start continues. A reader with an older snapshot is waited for.
    let reader = other.snapshot().await.unwrap();
    count_in(&reader).await;
    let txn = ballots.db.write_txn("test").await.unwrap();
    db::run(&*txn, "UPDATE poll SET title = 'later'", [])
        .await
        .unwrap();
    txn.commit().await.unwrap();
    let log = ballots.database.dir.path().join("canvass.db-wal");
    let long = || std::fs::metadata(&log).map_or(0, |log| log.len());
    let before = long();
    for _ in 0..3 {
        assert!(
            !scrub(&ballots.db, now).await.unwrap(),
            "an older moment is being read"
        );
    }
    assert_eq!(long(), before, "the log of SQLite grows while it is read");
    assert_eq!(count(&ballots.db, pending).await, 1);
    reader.rollback().await.unwrap();
    scrubbed(&ballots.db, now).await;
    assert_eq!(count(&ballots.db, pending).await, 0);
    // Repeating it changes nothing.
    let before = crate::support::dump::Dump::of(&ballots.db).await;
    assert_eq!(seal_due(&ballots.db, now, 7).await.unwrap().polls.len(), 0);
    scrubbed(&ballots.db, now).await;
    record_closed(&ballots.db, now).await.unwrap();
    let after = crate::support::dump::Dump::of(&ballots.db).await;
    assert_eq!(before.differences(&after, &[]), Vec::<String>::new());
    assert_eq!(verified(&ballots).await.findings, Vec::<String>::new());
}

/// Such a transaction has a number and no snapshot, and VACUUM keeps what was deleted since.
#[tokio::test(flavor = "multi_thread")]
async fn polls_sealing_waits_for_a_transaction_between_two_statements() {
    let ballots = eventful().await;
    if ballots.db.backend() == db::Backend::Sqlite {
        println!("skipped: SQLite has one writer");
        return;
    }
    close(&ballots).await;
    ballots.clock.advance(DAY * 7);
    let now = ballots.clock.now();
    let other = ballots.database.open().await;
    let older = other.write_txn("test").await.unwrap();
    db::fetch_one(&*older, "SELECT pg_current_xact_id()::text", [])
        .await
        .unwrap();
    assert_eq!(seal_due(&ballots.db, now, 7).await.unwrap().polls.len(), 1);
    assert!(!scrub(&ballots.db, now).await.unwrap());
    older.commit().await.unwrap();
    scrubbed(&ballots.db, now).await;
}

/// VACUUM counts transactions of all databases of a cluster, and those that were prepared. Only the ones that began
/// before the sealing matter: whatever begins later is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn polls_sealing_waits_for_another_database_but_not_for_later_transactions() {
    let ballots = eventful().await;
    if ballots.db.backend() == db::Backend::Sqlite {
        println!("skipped: SQLite has one writer");
        return;
    }
    close(&ballots).await;
    ballots.clock.advance(DAY * 7);
    let now = ballots.clock.now();
    let elsewhere = TestDatabase::migrated().await;
    let other = elsewhere.open().await;
    let number = "SELECT pg_current_xact_id()::text";
    let older = other.write_txn("test").await.unwrap();
    db::fetch_one(&*older, number, []).await.unwrap();
    assert_eq!(seal_due(&ballots.db, now, 7).await.unwrap().polls.len(), 1);
    assert!(!scrub(&ballots.db, now).await.unwrap());
    older.commit().await.unwrap();
    let here = ballots.database.open().await;
    let later = here.snapshot().await.unwrap();
    db::fetch_all(&later, "SELECT COUNT(*) FROM setting", [])
        .await
        .unwrap();
    let writes = here.write_txn("test").await.unwrap();
    db::fetch_one(&*writes, number, []).await.unwrap();
    scrubbed(&ballots.db, now).await;
    drop((later, writes));
}

/// Scrubs until it is done: other tests have transactions in the same cluster.
async fn scrubbed(db: &Db, now: UnixMillis) {
    let end = Instant::now() + Duration::from_secs(60);
    while !scrub(db, now).await.unwrap() {
        assert!(Instant::now() < end, "never scrubbed");
    }
}

async fn count_in(moment: &sea_orm::DatabaseTransaction) {
    db::fetch_all(moment, "SELECT COUNT(*) FROM ballot", [])
        .await
        .unwrap();
}

#[tokio::test]
async fn polls_only_what_was_closed_for_days_is_sealed() {
    let ballots = opened(&["yes", "no"], 1, Some(NOON + DAY)).await;
    ballots.cast(1, &["1"]).await;
    let due = |at: UnixMillis| {
        let db = &ballots.db;
        async move {
            canvass::polls::ballots::watch_closes(db, at).await.unwrap();
            record_closed(db, at).await.unwrap();
            seal_due(db, at, 7).await.unwrap().polls.len()
        }
    };
    let before_close = due(NOON).await;
    let nothing = record::latest(&ballots.db, ballots.poll.id).await.unwrap();
    assert_eq!(
        (before_close, nothing),
        (0, None),
        "no code before the close"
    );
    // A clock that jumps years ahead closes the poll, but destroys nothing.
    assert_eq!(due(NOON + DAY * 800).await, 0);
    assert_eq!(due(NOON + DAY * 806).await, 0);
    assert_eq!(due(NOON + DAY * 807).await, 1);
    // A poll that never closes is never sealed.
    let open = opened(&["yes", "no"], 1, None).await;
    assert_eq!(
        seal_due(&open.db, NOON + DAY * 9_999, 7)
            .await
            .unwrap()
            .polls
            .len(),
        0
    );
}

/// Otherwise the secret would be kept for as long as the clock was ahead.
#[tokio::test]
async fn polls_sealing_counts_from_the_moment_a_clock_that_was_ahead_is_corrected() {
    for by_editor in [false, true] {
        let closes = Some(NOON + DAY).filter(|_| !by_editor);
        let ballots = opened(&["yes", "no"], 1, closes).await;
        let (db, id, ahead) = (&ballots.db, ballots.poll.id, NOON + DAY * 800);
        ballots.cast(1, &["1"]).await;
        if by_editor {
            let txn = db.write_txn("test").await.unwrap();
            polls::set_state(
                &txn,
                ahead,
                id,
                None,
                PollState::Published,
                PollState::Closed,
            )
            .await
            .unwrap();
            // A poll of that clock from the beginning.
            let sql = "UPDATE poll SET created_ms = $1";
            db::run(&*txn, sql, [ahead.into()]).await.unwrap();
            txn.commit().await.unwrap();
        }
        watch_closes(db, ahead).await.unwrap();
        assert_eq!(closed(db).await, ahead.0);
        // It stays closed, even by a clock that shows a time before the close.
        for at in [NOON + DAY / 2, NOON + DAY * 2] {
            set_closes_back(db, at).await.unwrap();
            let poll = polls::by_id(db, id).await.unwrap().unwrap();
            assert!(matches!(poll.phase(at), Phase::Closed { .. }));
        }
        let corrected = match by_editor {
            true => NOON + DAY / 2,
            false => NOON + DAY,
        };
        assert_eq!(closed(db).await, corrected.0);
        for (days, expected) in [(6, 0), (9, 1)] {
            let at = NOON + DAY * days;
            set_closes_back(db, at).await.unwrap();
            record_closed(db, at).await.unwrap();
            assert_eq!(seal_due(db, at, 7).await.unwrap().polls.len(), expected);
        }
    }
}

/// A clock that lost its time: by it the days since the close would be over as soon as it is right again.
#[tokio::test]
async fn polls_sealing_does_not_count_from_before_the_last_answer() {
    for slow in [UnixMillis(1), NOON + DAY * 2] {
        let ballots = opened(&["yes", "no"], 1, None).await;
        let db = &ballots.db;
        ballots.cast(1, &["1"]).await;
        ballots.clock.advance(DAY * 10);
        ballots.cast(2, &["1"]).await;
        let (answered, now) = (ballots.clock.now(), ballots.clock.now() + DAY);
        let txn = db.write_txn("test").await.unwrap();
        let sql = "UPDATE poll SET state = 2, closed_ms = $1";
        db::run(&*txn, sql, [now.into()]).await.unwrap();
        txn.commit().await.unwrap();
        set_closes_back(db, slow).await.unwrap();
        assert_eq!(closed(db).await, answered.0);
        assert_eq!(seal_due(db, now, 7).await.unwrap().polls.len(), 0);
    }
}

/// By such a clock, too, the days since the close would be over as soon as it is right again.
#[tokio::test]
async fn polls_sealing_does_not_count_from_an_editors_close_by_a_clock_that_is_behind() {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    let app = TestApp::start().await;
    let id = app.poll("trust").await;
    let vote = [("option", "1")];
    app.reader().post("/p/trust", &vote).await.expect(200);
    let behind = START - DAY * 30;
    app.app.clock.set(behind);
    let txn = app.app.db.write_txn("test").await.unwrap();
    let (open, shut) = (PollState::Published, PollState::Closed);
    let turned = polls::set_state(&txn, behind, id, None, open, shut).await;
    assert!(turned.unwrap());
    txn.commit().await.unwrap();
    app.app.clock.set(START);
    for (passes, secrets) in [(Duration::ZERO, 1), (HOUR * 2, 1), (DAY * 7, 0)] {
        app.advance(passes);
        seal_tick(&app.app).await.unwrap();
        let sql = "SELECT COUNT(*) FROM poll_secret";
        assert_eq!(app.count(sql).await, secrets, "after {passes:?} more");
    }
}

/// Who is wrong, the clock of the close or that of now, is believed after an hour.
#[tokio::test]
async fn polls_sealing_ignores_a_clock_that_is_slow_for_a_minute() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let db = &app.app.db;
    app.advance(DAY * 10);
    let right = app.app.clock.now();
    let txn = db.write_txn("test").await.unwrap();
    let sql = "UPDATE poll SET state = 2, closed_ms = $1";
    db::run(&*txn, sql, [right.into()]).await.unwrap();
    txn.commit().await.unwrap();
    app.app.clock.set(START + DAY);
    for minutes in [0, 59] {
        app.advance(Duration::from_secs(60) * minutes);
        close_tick(&app.app).await.unwrap();
        assert_eq!(closed(db).await, right.0);
    }
    app.advance(Duration::from_secs(60));
    close_tick(&app.app).await.unwrap();
    assert_eq!(closed(db).await, app.app.clock.now().0);
}

/// The poll was closed long before: only monotonic time tells that the clock is wrong. After a restart nothing does.
#[tokio::test]
async fn polls_sealing_does_not_believe_a_clock_that_was_set_within_the_hour() {
    const SECRETS: &str = "SELECT COUNT(*) FROM poll_secret";
    const MINUTE: Duration = Duration::from_secs(60);
    let app = TestApp::start().await;
    app.poll_with("trust", |poll| poll.closes_at = Some(START + DAY))
        .await;
    let vote = [("option", "1")];
    app.reader().post("/p/trust", &vote).await.expect(200);
    app.advance(DAY);
    watch_closes(&app.app.db, app.app.clock.now())
        .await
        .unwrap();
    let right = app.app.clock.now();
    for (set, passes) in [
        (right + DAY * 400, MINUTE * 59),
        (right + MINUTE * 59, MINUTE * 59),
        (right + MINUTE * 118, DAY),
    ] {
        app.app.clock.set(set);
        seal_tick(&app.app).await.unwrap();
        app.advance(passes);
        seal_tick(&app.app).await.unwrap();
        assert_eq!(app.count(SECRETS).await, 1, "destroyed at {set}");
    }
    app.app.clock.set(right + DAY * 8);
    let app = app.restarted().await;
    for (passes, secrets) in [(MINUTE * 59, 1), (MINUTE, 0)] {
        app.advance(passes);
        seal_tick(&app.app).await.unwrap();
        assert_eq!(app.count(SECRETS).await, secrets);
    }
}

async fn closed(db: &Db) -> i64 {
    count(db, "SELECT closed_ms FROM poll").await
}

/// The chain of one poll is broken: it is not sealed, which is reported, but the next one is.
#[tokio::test]
async fn polls_sealing_goes_on_past_a_poll_that_cannot_be_sealed() {
    let app = TestApp::start_with(|config| config.polls.seal_days = 7).await;
    for slug in ["broken", "whole"] {
        app.poll_with(slug, |poll| poll.closes_at = Some(START + DAY))
            .await;
        let reader = app.reader();
        let form = reader
            .get(&format!("/p/{slug}"))
            .await
            .expect(200)
            .the_form();
        reader.submit(form.choose("option", "1")).await.expect(200);
    }
    let db = &app.app.db;
    let txn = db.write_txn("test").await.unwrap();
    let sql = "UPDATE ballot_chain SET hash = $1 WHERE poll_id = (SELECT MIN(id) FROM poll)";
    db::run(&*txn, sql, [vec![7_u8].into()]).await.unwrap();
    txn.commit().await.unwrap();
    app.advance(DAY * 2);
    watch_closes(db, app.app.clock.now()).await.unwrap();
    app.advance(DAY * 8);
    let scrubbed = "SELECT COUNT(*) FROM poll WHERE scrubbed_ms IS NOT NULL";
    let end = Instant::now() + Duration::from_secs(60);
    while app.count(scrubbed).await == 0 {
        assert!(Instant::now() < end, "never scrubbed");
        let left = seal_tick(&app.app).await;
        assert!(
            matches!(left, Err(Unfinished::Logged)),
            "the broken one is logged once, with its number: {left:?}"
        );
    }
    let secrets =
        "SELECT COUNT(*) FROM poll_secret s JOIN poll p ON p.id = s.poll_id WHERE p.slug =";
    assert_eq!(app.count(&format!("{secrets} 'whole'")).await, 0);
    assert_eq!(app.count(&format!("{secrets} 'broken'")).await, 1);
    assert_eq!(app.count(scrubbed).await, 1, "and its files are scrubbed");
    let numbers = app.reader().get("/metrics").await.expect(200).body;
    let overdue = numbers
        .lines()
        .find(|line| line.starts_with("canvass_polls_overdue_for_sealing "));
    assert!(overdue.is_some(), "it is told of");
}

/// If a ballot is changed between the close and the sealing, no record agrees with it.
#[tokio::test]
async fn polls_sealing_records_nothing_that_is_not_in_the_log() {
    let ballots = eventful().await;
    close(&ballots).await;
    let txn = ballots.db.write_txn("test").await.unwrap();
    for sql in [
        "UPDATE ballot SET tier = 3 WHERE tier = 2",
        "UPDATE tally SET tier = 3 WHERE tier = 2",
    ] {
        db::run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    sealed(&ballots).await;
    let findings = verified(&ballots).await.findings.join("; ");
    assert!(
        findings.contains("the ballots are not what was recorded"),
        "{findings}"
    );
}
