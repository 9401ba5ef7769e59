//! A database with readers and an issue ready to be sent.

use std::time::Duration;

use canvass::db::{self, Backend, Db, migrate::migrate};
use canvass::mailer::mailing::{self, Handover};
use canvass::mailer::mime::{Draft, Edition, ListHeaders, Mailbox, Slots};
use canvass::types::{Clock, EmailAddress, IssueId, NewsletterId, Purpose, Secret};

pub const ISSUE: IssueId = IssueId(1);

/// A database with the newsletter and its readers; nothing has been handed over yet.
pub async fn readers(url: &str, readers: usize) -> Db {
    let db = Db::open(&Secret::new(url.to_owned()), 2).await.unwrap();
    migrate(&db).await.unwrap();
    let txn = db.write_txn("seed").await.unwrap();
    for sql in [
        "INSERT INTO newsletter (id, slug, name, from_name, from_address, created_ms)
         VALUES (1, 'daily', 'The daily letter', 'The newsroom', 'news@example.org', 1)"
            .to_owned(),
        "INSERT INTO consent_text (newsletter_id, version, body, created_ms)
         VALUES (1, 1, 'Send me this newsletter by mail.', 1)"
            .to_owned(),
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {readers})
             INSERT INTO reader (id, email_key, email, name, created_ms)
             SELECT i, 'reader' || i || '@example.org', 'reader' || i || '@example.org', 'Reader ' || i, 1 FROM n"
        ),
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms)
         SELECT 1, id, 1, 1, 1 FROM reader"
            .to_owned(),
        "INSERT INTO issue (id, newsletter_id, slug, subject, body, state, created_ms, updated_ms)
         VALUES (1, 1, 'trust', 'Trust, measured', '', 3, 1, 1)"
            .to_owned(),
    ] {
        db::run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    if db.backend() == Backend::Postgres {
        // In production autovacuum has done this long before an issue is sent.
        let txn = db.write_txn("analyze").await.unwrap();
        db::run(&*txn, "ANALYZE", []).await.unwrap();
        txn.commit().await.unwrap();
    }
    db
}

/// Adds a second newsletter with readers at one provider, and an issue of it that is being sent.
pub async fn another_issue(db: &Db, domain: &str, readers: usize) {
    let txn = db.write_txn("seed").await.unwrap();
    for sql in [
        "INSERT INTO newsletter (id, slug, name, from_name, from_address, created_ms)
         VALUES (2, 'other', 'The other letter', 'The newsroom', 'news@example.org', 1)"
            .to_owned(),
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {readers})
             INSERT INTO reader (id, email_key, email, name, created_ms)
             SELECT 5000000 + i, 'reader' || i || '@{domain}', 'reader' || i || '@{domain}', 'Reader ' || i, 1 FROM n"
        ),
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms)
         SELECT 2, id, 1, 1, 1 FROM reader WHERE id > 5000000"
            .to_owned(),
        "INSERT INTO issue (id, newsletter_id, slug, subject, body, state, created_ms, updated_ms)
         VALUES (2, 2, 'other', 'Something else', '', 3, 1, 1)"
            .to_owned(),
    ] {
        db::run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    handed_over(db, IssueId(2), NewsletterId(2), 4_000).await;
}

/// Hands the issue over, with mails of about this size.
pub async fn hand_over(db: &Db, octets: usize) {
    handed_over(db, ISSUE, NewsletterId(1), octets).await;
}

async fn handed_over(db: &Db, issue: IssueId, newsletter: NewsletterId, octets: usize) {
    let now = Clock::System.now();
    let txn = db.write_txn("hand_over").await.unwrap();
    let handover = Handover {
        issue,
        newsletter,
        only: None,
        edition: &edition(octets),
        not_before: now,
        expires: now + Duration::from_secs(3_600),
        now,
    };
    mailing::hand_over(&txn, &handover).await.unwrap();
    txn.commit().await.unwrap();
}

fn edition(octets: usize) -> Edition {
    let mut slots = Slots::new([7; 16]);
    let name = slots.name("reader");
    let manage = slots.link("/manage/", Purpose::Manage, &[1]);
    let paragraph = "What readers told us about the news they read, and why it matters to them. ";
    // The rest of the mail consists of headers, links and the layout of its parts.
    let body = paragraph.repeat(octets.saturating_sub(1_800) / 2 / paragraph.len());
    Edition::compile(Draft {
        from: Mailbox {
            name: "The newsroom".to_owned(),
            address: EmailAddress::parse("news@example.org").unwrap(),
        },
        reply_to: None,
        subject: "Trust, measured".to_owned(),
        text: format!("Hello {name}\n\n{body}\n\n{manage}\n"),
        html: format!("<p>Hello {name}</p><p>{body}</p><p><a href=\"{manage}\">Manage</a></p>\n"),
        slots,
        list: Some(ListHeaders {
            name: "The daily letter".to_owned(),
            id: "daily.news.example.org".to_owned(),
            unsubscribe: vec![1],
            help: "https://news.example.org/subscribe/daily".to_owned(),
            owner: "news@example.org".to_owned(),
            archive: None,
            feedback_id: "1:daily:issue:canvass".to_owned(),
        }),
    })
}
