//! Issues that are handed to the mailer, and their progress.

use std::time::Duration;

use canvass::config::{Config, Relay, Transport};
use canvass::db::{self, Db};
use canvass::mailer::mailing::{self, By, Change, Counts, Handover, Progress, Steer};
use canvass::mailer::mime::{Draft, Edition, ListHeaders, Mailbox, Slots};
use canvass::mailer::{self, Doing, LaneStatus};
use canvass::newsletters::{self, Created, Newsletter, Typed};
use canvass::types::{EmailAddress, IssueId, NewsletterId, ReaderId, Secret, UnixMillis};

use super::app::TestApp;
use super::smtp_server::SmtpServer;
use super::wait::Waiting;

const SUBJECT: &str = "Trust, measured";

/// An app whose relay is `server`.
pub async fn app_with(server: &SmtpServer, change: impl FnOnce(&mut Config)) -> TestApp {
    let url = server.url();
    TestApp::start_with(|config| {
        config.mail.transport = Transport::Smtp;
        config.mail.smtp_url = Secret::new(url);
        config.mail.connections = 3;
        change(config);
    })
    .await
}

/// A relay at `url`, without limits.
pub fn relay(name: &str, url: String) -> Relay {
    Relay {
        name: name.to_owned(),
        ..Relay::at(Secret::new(url))
    }
}

/// An app with these relays, and four connections.
pub async fn app_of(relays: Vec<Relay>, change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::start_with(|config| {
        config.mail.transport = Transport::Smtp;
        config.mail.relays = relays;
        config.mail.connections = 4;
        change(config);
    })
    .await
}

/// Readers `reader1@example.org` to `reader{n}@example.org`, all subscribed.
pub async fn subscribe(app: &TestApp, newsletter: &Newsletter, n: i64) {
    subscribe_in(&app.app.db, newsletter.id, n, app.app.clock.now()).await;
}

/// Like [`subscribe`], without a running app.
pub async fn subscribe_in(db: &Db, newsletter: NewsletterId, n: i64, now: UnixMillis) {
    let readers = (1..=n).map(|i| (format!("reader{i}@example.org"), format!("Reader {i}")));
    confirmed(db, newsletter, readers, now).await;
}

/// Subscribed readers `r1` to `r{n}` at `domain`.
pub async fn readers_at(app: &TestApp, newsletter: &Newsletter, domain: &str, n: i64) {
    let readers = (1..=n).map(|i| (format!("r{i}@{domain}"), String::new()));
    confirmed(&app.app.db, newsletter.id, readers, app.app.clock.now()).await;
}

/// Like [`readers_at`], for very many: in two statements.
pub async fn many_readers_at(app: &TestApp, newsletter: &Newsletter, domain: &str, n: i64) {
    let now = app.app.clock.now();
    let txn = app.app.db.write_txn("test").await.unwrap();
    let numbers = "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)";
    let address = format!("'r' || i || '@{domain}'");
    let readers = format!(
        "INSERT INTO reader (email_key, email, name, created_ms) {numbers} SELECT {address}, {address}, '', 1 FROM n"
    );
    db::run(&*txn, readers, [n.into()]).await.unwrap();
    let subscriptions = format!(
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms)
         SELECT $1, id, 1, $2, $2 FROM reader WHERE email_key LIKE '%@{domain}'"
    );
    let values = [newsletter.id.0.into(), now.0.into()];
    db::run(&*txn, subscriptions, values).await.unwrap();
    txn.commit().await.unwrap();
}

/// Inserts readers with these addresses and names, and their subscriptions.
async fn confirmed(
    db: &Db,
    newsletter: NewsletterId,
    readers: impl Iterator<Item = (String, String)>,
    now: UnixMillis,
) {
    let txn = db.write_txn("test").await.unwrap();
    for (address, name) in readers {
        let row = db::fetch_one(
            &*txn,
            "INSERT INTO reader (email_key, email, name, created_ms) VALUES ($1, $1, $2, $3) RETURNING id",
            [address.into(), name.into(), now.0.into()],
        );
        let id: i64 = row.await.unwrap().unwrap().try_get_by_index(0).unwrap();
        db::run(
            &*txn,
            "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms)
             VALUES ($1, $2, 1, $3, $3)",
            [newsletter.0.into(), id.into(), now.0.into()],
        )
        .await
        .unwrap();
    }
    txn.commit().await.unwrap();
}

/// Creates a newsletter, without a running app.
pub async fn newsletter(db: &Db, slug: &str, now: UnixMillis) -> Newsletter {
    let draft = Typed {
        slug: slug.to_owned(),
        name: format!("The {slug} letter"),
        from_name: "The newsroom".to_owned(),
        from_address: "news@example.org".to_owned(),
        postal_address: "1 Press Street, Newtown".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        accent: "#0e5f5b".to_owned(),
        consent: "Send me this newsletter by mail.".to_owned(),
        archive: true,
        ..Typed::default()
    };
    let txn = db.write_txn("test").await.unwrap();
    let made = newsletters::create(&txn, &draft.check().unwrap(), now).await;
    txn.commit().await.unwrap();
    match made.unwrap() {
        Created::New(newsletter) => *newsletter,
        Created::SlugTaken => panic!("two newsletters {slug}"),
    }
}

pub fn edition(newsletter: &Newsletter, subject: &str) -> Edition {
    let mut slots = Slots::new([7; 16]);
    let name = slots.name("reader");
    Edition::compile(Draft {
        from: Mailbox {
            name: newsletter.from_name.clone(),
            address: EmailAddress::parse(&newsletter.from_address).unwrap(),
        },
        reply_to: None,
        subject: subject.to_owned(),
        text: format!(
            "Hello {name}\n{}",
            "Half of you do, half of you do not.\n".repeat(40)
        ),
        html: format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta name=\"viewport\" content=\"width=device-width\"><title>Trust</title></head><body><p>Hello {name}</p></body></html>\n"
        ),
        slots,
        list: Some(ListHeaders {
            name: newsletter.name.clone(),
            id: format!("{}.example.org", newsletter.slug),
            unsubscribe: vec![newsletter.id.0],
            help: "https://example.org/help".to_owned(),
            owner: newsletter.from_address.clone(),
            archive: None,
            feedback_id: "1:daily:issue:canvass".to_owned(),
        }),
    })
}

/// Hands an issue over, to be sent after `delay`.
pub async fn hand_over(app: &TestApp, newsletter: &Newsletter, delay: Duration) -> IssueId {
    let now = app.app.clock.now();
    let expires = now + Duration::from_secs(48 * 3_600);
    let due = now + delay;
    hand_over_at(&app.app.db, newsletter, SUBJECT, now, due, expires, None).await
}

/// Hands over an issue for these readers only, to be sent at once.
pub async fn hand_over_to(app: &TestApp, newsletter: &Newsletter, only: &[ReaderId]) -> IssueId {
    let now = app.app.clock.now();
    let expires = now + Duration::from_secs(48 * 3_600);
    let only = Some(only);
    hand_over_at(&app.app.db, newsletter, SUBJECT, now, now, expires, only).await
}

/// Like [`hand_over`], without a running app.
pub async fn hand_over_about(
    db: &Db,
    newsletter: &Newsletter,
    subject: &str,
    now: UnixMillis,
    expires: UnixMillis,
) -> IssueId {
    hand_over_at(db, newsletter, subject, now, now, expires, None).await
}

async fn hand_over_at(
    db: &Db,
    newsletter: &Newsletter,
    subject: &str,
    now: UnixMillis,
    not_before: UnixMillis,
    expires: UnixMillis,
    only: Option<&[ReaderId]>,
) -> IssueId {
    let txn = db.write_txn("test").await.unwrap();
    let row = db::fetch_one(
        &*txn,
        "INSERT INTO issue (newsletter_id, slug, subject, body, state, created_ms, updated_ms, handed_ms)
         VALUES ($1, $2, $3, '', 3, $4, $4, $4) RETURNING id",
        [
            newsletter.id.0.into(),
            subject.to_lowercase().replace([' ', ','], "-").into(),
            subject.into(),
            now.0.into(),
        ],
    );
    let issue = IssueId(row.await.unwrap().unwrap().try_get_by_index(0).unwrap());
    let handover = Handover {
        issue,
        newsletter: newsletter.id,
        only,
        edition: &edition(newsletter, subject),
        not_before,
        expires,
        now,
    };
    mailing::hand_over(&txn, &handover).await.unwrap();
    txn.commit().await.unwrap();
    issue
}

pub async fn progress(app: &TestApp, issue: IssueId) -> Progress {
    let progress = mailing::progress(&app.app, issue).await.unwrap().unwrap();
    let Counts {
        audience,
        queued,
        sent,
        deferred,
        failed,
        unknown,
        skipped,
    } = progress.counts;
    assert_eq!(
        audience,
        queued + sent + deferred + failed + unknown + skipped
    );
    assert!(queued >= 0 && deferred >= 0, "{progress:?}");
    progress
}

/// Waits until the progress is as wanted.
pub async fn until(app: &TestApp, issue: IssueId, wanted: impl Fn(&Progress) -> bool) -> Progress {
    let waiting = Waiting::until("the issue's progress is as wanted");
    loop {
        let progress = progress(app, issue).await;
        if wanted(&progress) {
            return progress;
        }
        waiting.still(&progress).await;
    }
}

/// Waits until no lane holds a batch: by then deferred recipients are in a batch of their own, with a due time by the
/// present clock.
pub async fn at_rest(app: &TestApp, issue: IssueId) {
    let held = format!(
        "SELECT COUNT(*) FROM mail_batch WHERE issue_id = {} AND state = 1",
        issue.0
    );
    app.wait_until(&held, 0).await;
}

/// Waits until every lane has found nothing that it may send. A mail that is not at the server by then does not come by
/// itself.
pub async fn lanes_at_rest(app: &TestApp) {
    let waiting = Waiting::until("every lane rests");
    loop {
        let lanes = mailer::status(&app.app).lanes;
        let rests = |lane: &LaneStatus| matches!(lane.doing, Doing::Idle | Doing::WaitsForRelay);
        if !lanes.is_empty() && lanes.iter().all(rests) {
            return;
        }
        waiting.still(&lanes).await;
    }
}

/// Asserts that the tally agrees with the ledger.
pub async fn the_ledger_agrees(app: &TestApp, issue: IssueId) {
    let count = |table: &str, n: &str| {
        format!(
            "SELECT CAST(COALESCE({n}, 0) AS BIGINT) FROM {table} WHERE issue_id = {} AND state = ",
            issue.0
        )
    };
    for state in [2, 3, 4, 5, 6] {
        let rows = app
            .count(&format!("{}{state}", count("delivery", "COUNT(*)")))
            .await;
        let tally = app
            .count(&format!("{}{state}", count("issue_tally", "SUM(n)")))
            .await;
        assert_eq!(rows, tally, "state {state}");
    }
}

/// Gives an editor's order, in a transaction of its own.
pub async fn steer(app: &TestApp, issue: IssueId, what: Steer) -> Change {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let by = by(app);
    let change = mailing::steer(&app.app, &txn, issue, what, &by);
    let change = change.await.unwrap();
    txn.commit().await.unwrap();
    change
}

/// An order by Mara, now.
pub fn by(app: &TestApp) -> By {
    By {
        who: "Mara".to_owned(),
        now: app.app.clock.now(),
    }
}
