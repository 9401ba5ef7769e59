//! Complaints about confirmations and other single mails: the address is not mailed any more, and nobody else is
//! affected.

use std::ops::RangeInclusive;
use std::time::Duration;

use canvass::bounces::{Kind, Taken, take};
use canvass::db::{Backend, run};
use canvass::mailer::mime::Mailbox;
use canvass::mailer::outbox::{OutboxMail, Priority, enqueue};
use canvass::mailer::templates::Template;
use canvass::mailer::verp::{self, Mail};
use canvass::subscriptions::{hold, look_for};
use canvass::types::{EmailAddress, OutboxId};

use crate::bounces::{complaint, dsn};
use crate::subscriptions_double_opt_in::{ask, state_of, subscribe, text};
use crate::support::app::TestApp;
use crate::support::editor::{EDITOR, signed_in};
use crate::support::log_lines::LogLines;

const DAY: Duration = Duration::from_secs(24 * 3_600);
const VICTIM: &str = "victim@example.net";
const OTHER: &str = "other@example.net";
const SUPPRESSED: &str = "SELECT COUNT(*) FROM suppression";
const COMPLAINED: i64 = 5;

/// The return path of the newest single mail.
async fn newest(app: &TestApp) -> String {
    path_of(app, app.count("SELECT MAX(id) FROM outbox").await)
}

fn path_of(app: &TestApp, id: i64) -> String {
    let mail = Mail::Single(OutboxId(id));
    verp::address(&app.app.keys, "bounces.example.org", mail)
}

async fn comes_back(app: &TestApp, raw: &[u8]) -> Taken {
    take(&app.app, raw, None).await.unwrap()
}

async fn change(app: &TestApp, sql: &str) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
}

async fn with_newsletter() -> TestApp {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    app
}

/// Anybody can type an address into the form; one complaint by its owner stops further confirmations.
#[tokio::test]
async fn a_complaint_about_a_confirmation_ends_the_asking() {
    let app = with_newsletter().await;
    ask(&app, &app.reader(), OTHER).await.expect(200);
    ask(&app, &app.reader(), VICTIM).await.expect(200);
    let confirm = app.mail_to(VICTIM, 1).await.link("/confirm/");
    let path = newest(&app).await;
    let bounce = dsn("failed", "5.1.1", "550 5.1.1 user unknown");
    let taken = take(&app.app, &bounce, Some(&path)).await.unwrap();
    assert_eq!(
        taken,
        Taken::Single(Kind::Hard),
        "a stranger's typing error"
    );
    assert_eq!(app.count(SUPPRESSED).await, 0);
    // The payload was erased when the mail was sent, and the report names nobody.
    let spam = complaint("abuse", &path);
    assert_eq!(
        comes_back(&app, &spam).await,
        Taken::Stopped(Kind::Complaint)
    );
    assert_eq!(app.count(SUPPRESSED).await, 1);
    assert_eq!(
        comes_back(&app, &spam).await,
        Taken::Single(Kind::Complaint)
    );
    app.advance(DAY);
    let asked = ask(&app, &app.reader(), VICTIM).await.expect(200);
    asked.says("Now check your inbox");
    ask(&app, &app.reader(), OTHER).await.expect(200);
    app.mail_to(OTHER, 2).await;
    assert_eq!(app.mails_to(VICTIM).await.len(), 1, "asked never again");
    // The old link cannot subscribe the address any more.
    let page = app.reader().get(&confirm).await.expect(200);
    app.reader().submit(page.the_form()).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM subscription").await, 0);
}

/// The reader is found by the hash alone, among many; the address in the report does not matter.
#[tokio::test]
async fn a_complaint_about_a_single_mail_ends_its_readers_subscriptions() {
    let app = with_newsletter().await;
    subscribe(&app, &app.reader(), OTHER).await;
    change(
        &app,
        "INSERT INTO reader (email_key, email, name, created_ms)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
         SELECT 'r' || i || '@example.com', 'r' || i || '@example.com', '', 1 FROM n",
    )
    .await;
    subscribe(&app, &app.reader(), VICTIM).await;
    let path = newest(&app).await;
    let spam = String::from_utf8(complaint("abuse", &path)).unwrap();
    let named =
        format!("Original-Rcpt-To: <{OTHER}>\r\nRemoval-Recipient: <{OTHER}>\r\nVersion: 1");
    let spam = spam.replace("Version: 1", &named);
    let taken = comes_back(&app, spam.as_bytes()).await;
    assert_eq!(taken, Taken::Stopped(Kind::Complaint));
    assert_eq!(
        (state_of(&app, VICTIM).await, state_of(&app, OTHER).await),
        (COMPLAINED, 1)
    );
    assert_eq!(app.count(SUPPRESSED).await, 1);
}

/// Only a return path that we sealed counts, and only in a report that is a complaint.
#[tokio::test]
async fn a_forged_complaint_changes_nothing() {
    let app = with_newsletter().await;
    subscribe(&app, &app.reader(), VICTIM).await;
    let path = newest(&app).await;
    let (local, domain) = path.split_once('@').unwrap();
    let mut guessed = local.to_owned();
    let last = if guessed.pop() == Some('a') { 'b' } else { 'a' };
    guessed.push(last);
    for forged in [
        format!("{guessed}@{domain}"),
        format!("b1@{domain}"),
        VICTIM.into(),
    ] {
        let taken = comes_back(&app, &complaint("abuse", &forged)).await;
        assert_eq!(taken, Taken::NotOurs, "{forged}");
    }
    let unknown = path_of(&app, 999);
    for (about, kind, expected) in [
        (&path, "auth-failure", Taken::Single(Kind::Authentication)),
        (&path, "not-spam", Taken::Single(Kind::Nothing)),
        (&unknown, "abuse", Taken::Single(Kind::Complaint)),
    ] {
        assert_eq!(
            comes_back(&app, &complaint(kind, about)).await,
            expected,
            "{kind}"
        );
    }
    assert_eq!(state_of(&app, VICTIM).await, 1);
    assert_eq!(app.count(SUPPRESSED).await, 0);
}

/// An address that an editor has allowed again stays allowed, however often a mail server delivers the report.
#[tokio::test]
async fn an_editor_sees_why_and_can_allow_it_again() {
    let log = LogLines::watch();
    let app = with_newsletter().await;
    let editor = signed_in(&app).await;
    subscribe(&app, &app.reader(), OTHER).await;
    let of_reader = complaint("abuse", &newest(&app).await);
    ask(&app, &app.reader(), VICTIM).await.expect(200);
    let of_nobody = complaint("abuse", &newest(&app).await);
    for spam in [&of_reader, &of_nobody] {
        assert_eq!(
            comes_back(&app, spam).await,
            Taken::Stopped(Kind::Complaint)
        );
    }
    let id = app.count("SELECT id FROM reader").await;
    let page = editor
        .get(&format!("/admin/readers/{id}"))
        .await
        .expect(200);
    page.says("Its owner reported one of our mails as spam")
        .says("a single mail was reported as spam");
    // An owner who never confirmed has no reader's page, so the search says it.
    let none = editor.get("/admin/readers?q=victim").await.expect(200);
    assert!(
        !none.text().contains("never mailed"),
        "only the whole address asks for one"
    );
    let page = editor
        .get("/admin/readers?q=Victim@example.net")
        .await
        .expect(200);
    let page = page
        .says("Victim@example.net is never mailed")
        .says("reported one of our mails as spam");
    let allow = page.form("form[method='post'][action='/admin/readers']");
    editor
        .submit(allow)
        .await
        .expect(200)
        .says("can be mailed again");
    let page = editor
        .get("/admin/readers?q=victim@example.net")
        .await
        .expect(200);
    assert!(!page.text().contains("never mailed"));
    let id = app.count("SELECT id FROM editor").await;
    let said = log.of("allowed mails to an address again");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(&format!("editor={id} suppression=\"complaint\"")),
        "{said:?}"
    );
    assert!(!said[0].contains('@'), "{said:?}");
    for spam in [&of_reader, &of_nobody] {
        assert_eq!(comes_back(&app, spam).await, Taken::Single(Kind::Complaint));
    }
    app.advance(DAY);
    subscribe(&app, &app.reader(), VICTIM).await;
    assert_eq!(state_of(&app, VICTIM).await, 1);
}

/// An editor who reports a warning as spam keeps getting the newsletter and the next warning.
#[tokio::test]
async fn a_complaint_about_an_editors_mail_costs_nothing() {
    let app = with_newsletter().await;
    subscribe(&app, &app.reader(), EDITOR).await;
    let address = |text: &str| EmailAddress::parse(text).unwrap();
    let sample = include_str!("../../email-templates/poll-burst/sample.json");
    let warning = OutboxMail {
        template: Template::PollBurst,
        data: serde_json::from_str(sample).unwrap(),
        from: Mailbox {
            name: "Lindenpost".into(),
            address: address("news@example.org"),
        },
        reply_to: None,
        to: address(EDITOR),
        priority: Priority::Soon,
        expires: app.app.clock.now() + DAY,
    };
    for n in 2..4 {
        let txn = app.app.db.write_txn("test").await.unwrap();
        let id = enqueue(&txn, &app.app, &warning).await.unwrap();
        txn.commit().await.unwrap();
        app.mail_to(EDITOR, n).await;
        let taken = comes_back(&app, &complaint("abuse", &path_of(&app, id.0))).await;
        assert_eq!(taken, Taken::Single(Kind::Complaint));
    }
    assert_eq!(state_of(&app, EDITOR).await, 1);
    assert_eq!(app.count(SUPPRESSED).await, 0);
}

/// Mails that wait for the address are not sent after a complaint or an erasure, and an erasure leaves no trace of
/// earlier ones.
#[tokio::test]
async fn what_still_waits_is_dropped_by_a_complaint_and_by_an_erasure() {
    let app = with_newsletter().await;
    let editor = signed_in(&app).await;
    let waits = "UPDATE outbox SET state = 0, payload = 'x', finished_ms = NULL, not_before_ms = 9999999999999, expires_ms = 9999999999999
                 WHERE id = (SELECT MAX(id) FROM outbox)";
    let dropped = "SELECT COUNT(*) FROM outbox WHERE state = 5 AND payload = '' AND reply <> ''";
    for (address, erased) in [(VICTIM, false), (OTHER, true)] {
        subscribe(&app, &app.reader(), address).await;
        let path = newest(&app).await;
        app.advance(DAY);
        ask(&app, &app.reader(), address).await.expect(200);
        app.mail_to(address, 2).await;
        app.wait_until("SELECT COUNT(*) FROM outbox WHERE state < 2", 0)
            .await;
        change(&app, waits).await;
        if erased {
            let id = format!("SELECT id FROM reader WHERE email_key = '{address}'");
            let page = format!("/admin/readers/{}", app.count(&id).await);
            let form = editor
                .get(&page)
                .await
                .expect(200)
                .form("form[action$='/erase']");
            editor
                .submit(form.fill("address", address))
                .await
                .expect(200);
            let kept = "SELECT COUNT(*) FROM outbox WHERE address_hash IS NOT NULL";
            // The second mail to the other address, which was not reported.
            assert_eq!(app.count(kept).await, 1);
            let taken = comes_back(&app, &complaint("abuse", &path)).await;
            assert_eq!(taken, Taken::Single(Kind::Complaint));
            let reasons = "SELECT SUM(reason) FROM suppression";
            assert_eq!(
                app.count(&format!("SELECT CAST(({reasons}) AS BIGINT)"))
                    .await,
                2 + 4
            );
        } else {
            let taken = comes_back(&app, &complaint("abuse", &path)).await;
            assert_eq!(taken, Taken::Stopped(Kind::Complaint));
        }
        assert_eq!(app.count(dropped).await, if erased { 2 } else { 1 });
    }
}

/// Inserts subscribed readers with these numbers.
async fn enter(app: &TestApp, numbers: RangeInclusive<i64>, address: &str) {
    let (from, to) = (numbers.start(), numbers.end());
    let readers = format!(
        "INSERT INTO reader (id, email_key, email, name, created_ms)
         WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})
         SELECT i, REPLACE('{address}', '#', CAST(i AS TEXT)), REPLACE('{address}', '#', CAST(i AS TEXT)), '', 1 FROM n"
    );
    let subscriptions = format!(
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms, reason)
         SELECT n.id, r.id, 1, 1, 1, '' FROM newsletter n, reader r WHERE r.id BETWEEN {from} AND {to}"
    );
    change(app, &readers).await;
    change(app, &subscriptions).await;
}

/// The reader confirms while readers are searched for the complaint: with the next id, after many others, or with a
/// lower id that becomes visible after theirs.
#[tokio::test]
async fn a_reader_who_came_meanwhile_is_found_as_well() {
    for (others, number) in [(None, 101), (Some(101..=12_100), 12_101), (None, 60)] {
        let app = with_newsletter().await;
        enter(&app, 1..=1, OTHER).await;
        enter(&app, 100..=100, "r#@example.com").await;
        let address = EmailAddress::parse(VICTIM).unwrap();
        let hash = app.app.keys.address_hash(address.key());
        let sought = look_for(&app.app, &hash).await.unwrap();
        if let Some(others) = others {
            enter(&app, others, "r#@example.com").await;
        }
        enter(&app, number..=number, VICTIM).await;
        let txn = app.app.db.write_txn("test").await.unwrap();
        let held = hold(&app.app, &txn, sought).await.unwrap();
        held.complained(&txn, app.app.clock.now()).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(state_of(&app, VICTIM).await, COMPLAINED, "{number}");
        assert_eq!(state_of(&app, OTHER).await, 1);
        let note = text(&app, "SELECT note FROM suppression").await;
        assert!(!note.contains('@'), "{note}");
    }
}

/// A complaint, an erasure and a confirmation of one address are serialised, and while one waits for another it holds
/// no lock that the other could need. SQLite has only one writer.
#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_and_an_erasure_wait_with_empty_hands() {
    let app = with_newsletter().await;
    if app.app.db.backend() == Backend::Sqlite {
        return;
    }
    let editor = signed_in(&app).await;
    subscribe(&app, &app.reader(), VICTIM).await;
    let spam = complaint("abuse", &newest(&app).await);
    let page = format!(
        "/admin/readers/{}",
        app.count("SELECT id FROM reader").await
    );
    let erase = editor.get(&page).await.expect(200);
    let erase = erase.form("form[action$='/erase']").fill("address", VICTIM);
    let address = EmailAddress::parse(VICTIM).unwrap();
    let hash = app.app.keys.address_hash(address.key());
    let key = i64::from_le_bytes(hash[..8].try_into().unwrap());

    let first = app.app.db.write_txn("test").await.unwrap();
    let sql = "SELECT pg_advisory_xact_lock($1)";
    run(&*first, sql, [key.into()]).await.unwrap();
    let waits = "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                 WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted";
    let both = async {
        tokio::join!(comes_back(&app, &spam), async {
            app.wait_until(waits, 1).await;
            editor.submit(erase).await.expect(200)
        })
    };
    let look = async {
        app.wait_until(waits, 2).await;
        for table in ["reader", "outbox", "subscription", "subscription_request"] {
            let sql = format!("SELECT 1 FROM {table} FOR UPDATE NOWAIT");
            let free = run(&*first, sql, []).await;
            assert!(free.is_ok(), "{table}: {free:?}");
        }
        first.commit().await.unwrap();
    };
    let ((taken, _), ()) = tokio::join!(both, look);
    assert_eq!(taken, Taken::Stopped(Kind::Complaint));
    let reason = app
        .count("SELECT CAST(reason AS BIGINT) FROM suppression")
        .await;
    assert_eq!(reason, 2, "a complaint outweighs an erasure");
}
