//! A lane and a provider in the state after half an hour of refusals, without waiting for it.

use super::super::control::{Handover, hand_over};
use super::super::lease::lease;
use super::super::{ledger, tick};
use super::*;
use crate::{
    app::Role,
    config, db,
    mailer::mime::{Draft, Edition, Mailbox, Slots},
    types::{Clock, EmailAddress, IssueId, NewsletterId, Random, UnixMillis},
};

const HOUR: Duration = Duration::from_secs(3_600);

async fn started(dir: &std::path::Path, clock: &Clock) -> App {
    started_with(dir, clock, "resend").await
}

async fn started_with(dir: &std::path::Path, clock: &Clock, in_doubt: &str) -> App {
    let settings = [
        ("DATA_DIR", dir.display().to_string()),
        (
            "SECRET_KEY",
            "a secret key of at least 32 characters".into(),
        ),
        ("HTTP__PUBLIC_URL", "http://127.0.0.1:1".into()),
        ("MAIL__TRANSPORT", "mailbox".into()),
        ("MAIL__ALLOW_CAPTURE", "true".into()),
        ("MAIL__IN_DOUBT", in_doubt.to_owned()),
    ];
    let settings = settings.map(|(name, value)| (format!("CANVASS_{name}"), value));
    let config = config::load(None, &settings).expect("settings");
    let app = App::build(config, Role::Server, clock.clone(), Random::seeded(1)).await;
    app.expect("an app")
}

/// An issue for one reader elsewhere and three at busy.example.
async fn handed_over(app: &App, now: UnixMillis) {
    let txn = app.db.write_txn("test").await.expect("a transaction");
    for sql in [
        "INSERT INTO newsletter (id, slug, name, from_name, from_address, created_ms) VALUES (1, 'd', 'D', 'N', 'news@example.org', 1)",
        "INSERT INTO issue (id, newsletter_id, slug, subject, body, state, created_ms, updated_ms) VALUES (1, 1, 'f', 'F', '', 3, 1, 1)",
        "INSERT INTO reader (id, email_key, email, created_ms) VALUES (1, 'a@example.org', 'a@example.org', 1),
         (2, 'a@busy.example', 'a@busy.example', 1), (3, 'b@busy.example', 'b@busy.example', 1), (4, 'c@busy.example', 'c@busy.example', 1)",
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms) SELECT 1, id, 1, 1, 1 FROM reader",
    ] {
        db::run(&*txn, sql, []).await.expect(sql);
    }
    let edition = Edition::compile(Draft {
        from: Mailbox {
            name: "N".into(),
            address: EmailAddress::parse("news@example.org").expect("an address"),
        },
        reply_to: None,
        subject: "F".into(),
        text: "F\n".into(),
        html: "<p>F</p>\n".into(),
        slots: Slots::new([7; 16]),
        list: None,
    });
    let handover = Handover {
        issue: IssueId(1),
        newsletter: NewsletterId(1),
        only: None,
        edition: &edition,
        not_before: now,
        expires: now + HOUR * 48,
        now,
    };
    hand_over(&txn, &handover).await.expect("handed over");
    txn.commit().await.expect("a commit");
    tick(app).await.expect("prepared");
}

/// Lets a lane take everything that is due.
async fn work(app: &App, ledger: &Ledger) {
    let mut line = Line::new(app, false);
    while let Some(holding) = lease(app).await.expect("a look") {
        let ended = run(app, ledger, &mut line, 1, holding).await;
        assert_eq!(ended, Ended::Well);
    }
}

async fn count(app: &App, sql: &str) -> i64 {
    let row = db::fetch_one(app.db.read(), sql, []).await.expect(sql);
    row.map_or(0, |row| row.try_get_by_index(0).expect("a number"))
}

/// Gives a reader the name that makes a lane panic.
async fn name(app: &App, reader: i64, step: &str) {
    let txn = app.db.write_txn("test").await.expect("a transaction");
    let sql = "UPDATE reader SET name = $1 WHERE id = $2";
    db::run(&*txn, sql, [step.into(), reader.into()])
        .await
        .expect(sql);
    txn.commit().await.expect("a commit");
}

/// Works until nothing is due any more, deferred mails included.
async fn work_on(app: &App, clock: &Clock, ledger: &Ledger) -> usize {
    let (mut line, mut faults) = (Line::new(app, false), 0);
    for _ in 0..6 {
        while let Some(holding) = lease(app).await.expect("a look") {
            let ended = run(app, ledger, &mut line, 1, holding).await;
            faults += usize::from(ended == Ended::Badly);
        }
        tick(app).await.expect("looked after");
        clock.advance(HOUR * 3);
    }
    faults
}

#[tokio::test]
async fn a_fault_at_one_recipient_ends_that_one_and_never_the_issue() {
    const TO: &str = "SELECT CAST(state * 100 + reason AS BIGINT) FROM delivery WHERE reader_id = ";
    for (step, in_doubt, expected) in [
        ("before the intent", "resend", 416),
        ("before the intent", "hold", 416),
        ("after the intent", "resend", 513),
        ("after the intent", "hold", 512),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Clock::manual(UnixMillis(1_772_442_000_000));
        let app = started_with(dir.path(), &clock, in_doubt).await;
        let ledger = ledger::start(&app);
        handed_over(&app, clock.now()).await;
        name(&app, 3, step).await;
        let faults = work_on(&app, &clock, &ledger).await;
        assert_eq!(
            faults,
            if expected == 512 { 1 } else { 3 },
            "{step}, {in_doubt}"
        );
        assert_eq!(
            count(&app, &format!("{TO}3")).await,
            expected,
            "{step}, {in_doubt}"
        );
        for other in [1, 2, 4] {
            assert_eq!(count(&app, &format!("{TO}{other}")).await, 200, "{other}");
        }
        assert_eq!(
            count(&app, "SELECT COUNT(*) FROM captured_mail").await,
            3,
            "each once"
        );
        let state = "SELECT CAST(state AS BIGINT) FROM mailing";
        assert_eq!(count(&app, state).await, 4, "finished");
    }
}

/// A panic after a mail was accepted does not change its outcome.
#[tokio::test]
async fn a_fault_after_the_outcome_leaves_it_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(UnixMillis(1_772_442_000_000));
    let app = started(dir.path(), &clock).await;
    let ledger = ledger::start(&app);
    handed_over(&app, clock.now()).await;
    name(&app, 3, "after the outcome").await;
    assert_eq!(work_on(&app, &clock, &ledger).await, 1);
    for (sql, expected) in [
        ("SELECT COUNT(*) FROM captured_mail", 4),
        ("SELECT COUNT(*) FROM delivery WHERE state = 2", 4),
        ("SELECT COUNT(*) FROM delivery_attempt", 0),
        ("SELECT CAST(state AS BIGINT) FROM mailing", 4),
    ] {
        assert_eq!(count(&app, sql).await, expected, "{sql}");
    }
}

/// A deferral for other reasons does not count as a panic.
#[tokio::test]
async fn what_was_deferred_before_counts_as_no_fault() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(UnixMillis(1_772_442_000_000));
    let app = started(dir.path(), &clock).await;
    let ledger = ledger::start(&app);
    handed_over(&app, clock.now()).await;
    let txn = app.db.write_txn("test").await.expect("a transaction");
    let later = "UPDATE mail_batch SET attempt = 5";
    db::run(&*txn, later, []).await.expect(later);
    txn.commit().await.expect("a commit");
    name(&app, 3, "before the intent").await;
    let mut line = Line::new(&app, false);
    let holding = lease(&app).await.expect("a look").expect("a batch");
    run(&app, &ledger, &mut line, 1, holding).await;
    let put_off = "SELECT COUNT(*) FROM delivery WHERE reader_id = 3 AND state = 3";
    assert_eq!(count(&app, put_off).await, 1);
}

/// Each lane looks for single mails first, so one that makes lanes panic must not be taken again at once.
#[tokio::test]
async fn a_fault_at_a_single_mail_ends_that_one_and_holds_up_no_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(UnixMillis(1_772_442_000_000));
    let app = started(dir.path(), &clock).await;
    let address = |text: &str| EmailAddress::parse(text).expect("an address");
    let sample = include_str!("../../../../email-templates/your-data/sample.json");
    let txn = app.db.write_txn("test").await.expect("a transaction");
    for to in ["a@example.org", "b@example.org", "c@example.org"] {
        let mail = outbox::OutboxMail {
            template: crate::mailer::templates::Template::YourData,
            data: serde_json::from_str(sample).expect("a sample"),
            from: Mailbox {
                name: "N".into(),
                address: address("news@example.org"),
            },
            reply_to: None,
            to: address(to),
            priority: outbox::Priority::Now,
            expires: clock.now() + HOUR * 24,
        };
        outbox::enqueue(&txn, &app, &mail).await.expect("enqueued");
    }
    let broken = "UPDATE outbox SET message_id = '<breaks@example.org>' WHERE id = 1";
    db::run(&*txn, broken, []).await.expect(broken);
    txn.commit().await.expect("a commit");
    let mut line = Line::new(&app, false);
    let attempts = "SELECT attempt FROM outbox WHERE id = 1";
    for n in 1..=3 {
        outbox::work(&app, &mut line).await.expect("the database");
        assert_eq!(
            count(&app, "SELECT COUNT(*) FROM captured_mail").await,
            2,
            "the others"
        );
        assert!(
            !outbox::any_due(&app).await.expect("a look"),
            "not at once again"
        );
        if n < 3 {
            assert_eq!(count(&app, attempts).await, n);
        }
        clock.advance(HOUR);
    }
    let failed = "SELECT COUNT(*) FROM outbox WHERE id = 1 AND state = 3 AND payload = '' AND reply LIKE 'internal error%'";
    assert_eq!(count(&app, failed).await, 1);
}

#[tokio::test]
async fn late_readers_of_a_provider_that_takes_nothing_are_told_what_it_told_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(UnixMillis(1_772_442_000_000));
    let app = started(dir.path(), &clock).await;
    let ledger = ledger::start(&app);
    handed_over(&app, clock.now()).await;
    let mut until = Instant::now();
    for _ in 0..10 {
        let busy = app.mailer.domains.named("busy.example");
        until = busy.throttled(until, &app.random, "450 4.7.28 unusual rate");
    }
    const WAIT: &str =
        "SELECT COUNT(*) FROM mail_batch WHERE state = 0 AND provider = 'busy.example'";
    const TOLD: &str =
        "SELECT COUNT(*) FROM delivery d JOIN delivery_attempt a ON a.reader_id = d.reader_id
        WHERE d.state = 3 AND a.reply LIKE 'not tried%450 4.7.28 unusual rate'";
    work(&app, &ledger).await;
    assert_eq!(count(&app, "SELECT COUNT(*) FROM captured_mail").await, 1);
    assert_eq!(count(&app, WAIT).await, 1, "in time they wait");
    clock.advance(HOUR * 47);
    work(&app, &ledger).await;
    assert_eq!((count(&app, WAIT).await, count(&app, TOLD).await), (1, 0));
    // The issue has expired, and the provider is still throttled.
    clock.advance(HOUR * 2);
    work(&app, &ledger).await;
    assert_eq!((count(&app, WAIT).await, count(&app, TOLD).await), (0, 3));
    // They come back in a batch without a provider, and meet the same.
    clock.advance(HOUR);
    work(&app, &ledger).await;
    let twice = "SELECT COUNT(*) FROM delivery_attempt WHERE attempt = 2";
    assert_eq!(count(&app, twice).await, 3);
    clock.advance(HOUR * 49);
    work(&app, &ledger).await;
    let over = "SELECT COUNT(*) FROM delivery WHERE state = 4 AND reason = 11";
    assert_eq!(count(&app, over).await, 3);
    let state = "SELECT CAST(state AS BIGINT) FROM mailing";
    assert_eq!(count(&app, state).await, 4, "finished");
}
