//! An issue whose compilation panics when it is due. That would be a bug of ours, so no other test can provoke it.

use super::*;
use crate::app::started;
use crate::db;
use crate::types::{Clock, IssueId};

/// Two due issues, of which the first panics.
async fn due(dir: &std::path::Path, clock: &Clock) -> App {
    let app = started(dir, clock).await;
    let txn = app.db.write_txn("test").await.expect("a transaction");
    for sql in [
        "INSERT INTO newsletter (id, slug, name, from_name, from_address, postal_address, created_ms) VALUES (1, 'd', 'D', 'N', 'news@example.org', 'Street 1', 1)",
        "INSERT INTO issue (id, newsletter_id, slug, subject, body, state, scheduled_ms, scheduled_local, time_zone, created_ms, updated_ms)
         VALUES (1, 1, 'x1', 'breaks', 'A', 1, 5, '1970-01-01T00:00', 'UTC', 1, 1), (2, 1, 'x2', 'F', 'A', 1, 5, '1970-01-01T00:00', 'UTC', 1, 1)",
        "INSERT INTO reader (id, email_key, email, created_ms) VALUES (1, 'a@example.org', 'a@example.org', 1)",
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms) VALUES (1, 1, 1, 1, 1)",
    ] {
        db::run(&*txn, sql, []).await.expect(sql);
    }
    txn.commit().await.expect("a commit");
    app
}

#[tokio::test]
async fn an_issue_whose_compiling_breaks_is_held_and_the_next_goes_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(UnixMillis(10_000));
    let app = due(dir.path(), &clock).await;
    let handed = tick(&app).await.expect("looked");
    let mut states = Vec::new();
    for id in [1, 2] {
        let issue = store::find(app.db.read(), IssueId(id)).await.expect("read");
        states.push(issue.expect("an issue").state);
    }
    assert!(
        matches!(&states[0], IssueState::Held { reason, .. } if reason == BROKEN),
        "{states:?}"
    );
    assert!(matches!(states[1], IssueState::Handed(_)), "{states:?}");
    assert_eq!(handed, 1);
    assert_eq!(
        tick(&app).await.expect("looked"),
        0,
        "it is not tried again"
    );
}

/// Whoever hands an issue over has SQLite's one writer, and must not wait for a reader while votes wait for the writer.
#[tokio::test]
async fn an_issue_is_handed_over_while_all_readers_of_the_database_are_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(UnixMillis(10_000));
    let app = due(dir.path(), &clock).await;
    let issue = store::find(app.db.read(), IssueId(2)).await.expect("read");
    let (issue, now) = (issue.expect("an issue"), clock.now());
    let ready = send::ready(&app, &issue, now).await.expect("prepared");
    let ready = ready.expect("nothing blocks it");
    let mut taken = Vec::new();
    for _ in 1..app.config.database_connections() {
        taken.push(app.db.snapshot().await.expect("a reader"));
    }
    let txn = app.db.write_txn("test").await.expect("a transaction");
    let sending = send::send_in(&txn, &app, &issue, &ready, Duration::ZERO, now);
    let sent = tokio::time::timeout(Duration::from_secs(5), sending).await;
    let sent = sent.expect("it waits for nobody").expect("sent");
    assert_eq!(sent, Sent::Handed { audience: 1 });
}
