//! Mails that come back, through the command that a mail server pipes them into.

mod at_once;
mod single;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use canvass::bounces::{Kind, Taken, purge, take};
use canvass::db;
use canvass::mailer::verp::{self, Mail};
use canvass::types::{IssueId, NewsletterId, ReaderId};

use crate::support::app::TestApp;
use crate::support::database::TestDatabase;
use crate::support::issues::subscribe;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A notification as Postfix writes it.
pub fn dsn(action: &str, status: &str, said: &str) -> Vec<u8> {
    format!(
        "From: MAILER-DAEMON@mx.example.net\r\nSubject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nI'm sorry to have to inform you.\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n\
         Final-Recipient: rfc822; x@example.net\r\nAction: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; {said}\r\n\r\n--b--\r\n"
    )
    .into_bytes()
}

pub fn complaint(kind: &str, about: &str) -> Vec<u8> {
    format!(
        "From: feedback@provider.example\r\nSubject: FW: news\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nAn abuse report.\r\n--b\r\n\
         Content-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nVersion: 1\r\nOriginal-Mail-From: <{about}>\r\n\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: news\r\n\r\nHello\r\n--b--\r\n"
    )
    .into_bytes()
}

/// Another issue of a newsletter, recorded as sent to this reader.
async fn sent(app: &TestApp, newsletter: NewsletterId, reader: ReaderId) -> IssueId {
    let now = app.app.clock.now();
    let txn = app.app.db.write_txn("test").await.unwrap();
    let row = db::fetch_one(
        &*txn,
        "INSERT INTO issue (newsletter_id, slug, subject, body, state, created_ms, updated_ms)
         VALUES ($1, $2, 'S', '', 3, $3, $3) RETURNING id",
        [
            newsletter.0.into(),
            format!("issue-{}", now.0).into(),
            now.0.into(),
        ],
    );
    let issue = IssueId(row.await.unwrap().unwrap().try_get_by_index(0).unwrap());
    db::run(
        &*txn,
        "INSERT INTO delivery (issue_id, reader_id, state, fence, attempt, at_ms) VALUES ($1, $2, 2, 1, 1, $3)",
        [issue.0.into(), reader.0.into(), now.0.into()],
    )
    .await
    .unwrap();
    txn.commit().await.unwrap();
    issue
}

pub struct World {
    pub app: TestApp,
    newsletter: NewsletterId,
    reader: ReaderId,
}

impl World {
    pub async fn new() -> Self {
        let app = TestApp::start().await;
        let daily = app.newsletter("daily").await;
        subscribe(&app, &daily, 2).await;
        let id = app
            .count("SELECT id FROM reader WHERE email = 'reader1@example.org'")
            .await;
        Self {
            app,
            newsletter: daily.id,
            reader: ReaderId(id),
        }
    }

    pub async fn issue(&self) -> IssueId {
        sent(&self.app, self.newsletter, self.reader).await
    }

    fn path(&self, issue: IssueId) -> String {
        verp::address(
            &self.app.app.keys,
            "bounces.example.org",
            Mail::Issue(issue, self.reader),
        )
    }

    /// Subscribes the reader again, and sends another issue.
    async fn reader_again(&self) -> IssueId {
        let txn = self.app.app.db.write_txn("test").await.unwrap();
        db::run(&*txn, "UPDATE subscription SET state = 1", [])
            .await
            .unwrap();
        txn.commit().await.unwrap();
        self.app.advance(DAY);
        self.issue().await
    }

    pub async fn comes_back(&self, issue: IssueId, raw: &[u8]) -> Taken {
        take(&self.app.app, raw, Some(&self.path(issue)))
            .await
            .unwrap()
    }

    /// The state of the subscription, and the reason of the suppression.
    pub async fn state(&self) -> (i64, i64) {
        let state = format!(
            "SELECT CAST(state AS BIGINT) FROM subscription WHERE reader_id = {}",
            self.reader.0
        );
        let other = "SELECT CAST(state AS BIGINT) FROM subscription WHERE reader_id <> ";
        assert_eq!(
            self.app.count(&format!("{other}{}", self.reader.0)).await,
            1,
            "nobody else"
        );
        (
            self.app.count(&state).await,
            self.app
                .count("SELECT CAST(COALESCE(MAX(reason), 0) AS BIGINT) FROM suppression")
                .await,
        )
    }
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_not_written_to_again() {
    let world = World::new().await;
    let issue = world.issue().await;
    let bounce = dsn("failed", "5.1.1", "550 5.1.1 <x@example.net>: user unknown");
    assert_eq!(
        world.comes_back(issue, &bounce).await,
        Taken::Stopped(Kind::Hard)
    );
    assert_eq!(world.state().await, (4, 1));
    assert_eq!(
        world.comes_back(issue, &bounce).await,
        Taken::Repeated(Kind::Hard)
    );
    assert_eq!(world.app.count("SELECT COUNT(*) FROM bounce").await, 1);
    assert_eq!(
        world.app.count("SELECT COUNT(*) FROM outbox").await,
        0,
        "nothing is answered"
    );
}

#[tokio::test]
async fn what_is_no_failure_or_not_the_readers_changes_nothing() {
    let world = World::new().await;
    let issue = world.issue().await;
    for (raw, taken) in [
        (dsn("delayed", "4.4.1", "connection timed out"), Taken::Ignored(Kind::Delayed)),
        (dsn("delivered", "2.0.0", "250 ok"), Taken::Ignored(Kind::Delivered)),
        (dsn("failed", "5.7.1", "550 5.7.1 blocked by a list"), Taken::Noted(Kind::Ours)),
        (dsn("failed", "5.1.2", "550 5.1.2 host unknown"), Taken::Noted(Kind::NoDomain)),
        (b"From: ada@example.org\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nAway.".to_vec(), Taken::Ignored(Kind::AutoReply)),
        (b"From: ada@example.org\r\nSubject: Hello\r\n\r\nuser unknown".to_vec(), Taken::Ignored(Kind::Nothing)),
    ] {
        assert_eq!(world.comes_back(issue, &raw).await, taken);
        assert_eq!(world.state().await, (1, 0), "{taken:?}");
    }
    // A forged return path.
    let bounce = dsn("failed", "5.1.1", "550 5.1.1 user unknown");
    let forged = world.path(issue).replacen('b', "baaaaaa", 1);
    for to in [forged.as_str(), "news@example.org", ""] {
        let taken = take(&world.app.app, &bounce, Some(to)).await.unwrap();
        assert_eq!(taken, Taken::NotOurs);
    }
    // The domain is still missing for a second issue.
    let again = dsn("failed", "5.1.2", "550 5.1.2 host unknown");
    world.app.advance(DAY);
    let later = world.issue().await;
    assert_eq!(
        world.comes_back(later, &again).await,
        Taken::Stopped(Kind::NoDomain)
    );
}

#[tokio::test]
async fn soft_bounces_count_until_a_mail_arrives() {
    let full = dsn("failed", "5.2.2", "552 5.2.2 mailbox full");
    for arrives in [false, true] {
        let world = World::new().await;
        for n in 1..=5 {
            world.app.advance(2 * DAY);
            let issue = world.issue().await;
            if arrives && n == 3 {
                // This one does not come back.
                world.app.advance(Duration::from_secs(3_600));
                world.issue().await;
            }
            let taken = world.comes_back(issue, &full).await;
            assert_eq!(
                world.comes_back(issue, &full).await,
                Taken::Repeated(Kind::Soft)
            );
            let ends = n == 5 && !arrives;
            let expected = if ends {
                Taken::Stopped(Kind::Soft)
            } else {
                Taken::Noted(Kind::Soft)
            };
            assert_eq!(taken, expected, "{n} {arrives}");
        }
        assert_eq!(world.state().await, if arrives { (1, 0) } else { (4, 1) });
    }
    // Spread over more than two weeks, they do not end the subscription.
    let world = World::new().await;
    for _ in 0..6 {
        world.app.advance(4 * DAY);
        let issue = world.issue().await;
        assert_eq!(
            world.comes_back(issue, &full).await,
            Taken::Noted(Kind::Soft)
        );
    }
}

#[tokio::test]
async fn a_complaint_ends_everything_and_outweighs_a_bounce() {
    let world = World::new().await;
    let issue = world.issue().await;
    // By the `mailto:` of List-Unsubscribe, as a mail client sends it.
    let by_mail = b"From: reader1@example.org\r\nSubject: unsubscribe\r\n\r\n";
    assert_eq!(world.comes_back(issue, by_mail).await, Taken::Left);
    assert_eq!(world.state().await, (2, 0));
    let issue = world.reader_again().await;
    let path = world.path(issue);
    // Sent to the address for feedback reports: only the mail itself says which mail it is about.
    let opted_out = take(&world.app.app, &complaint("opt-out", &path), None)
        .await
        .unwrap();
    assert_eq!(opted_out, Taken::Left);
    assert_eq!(world.state().await, (2, 0));
    let bounce = dsn("failed", "5.1.1", "550 5.1.1 user unknown");
    world.comes_back(issue, &bounce).await;
    let taken = take(
        &world.app.app,
        &complaint("abuse", &path),
        Some("fbl@example.org"),
    )
    .await;
    assert_eq!(taken.unwrap(), Taken::Stopped(Kind::Complaint));
    assert_eq!(
        world
            .app
            .count("SELECT CAST(reason AS BIGINT) FROM suppression")
            .await,
        2
    );
    for (kind, expected) in [
        ("not-spam", Taken::Ignored(Kind::Nothing)),
        ("auth-failure", Taken::Noted(Kind::Authentication)),
        ("auth-failure", Taken::Repeated(Kind::Authentication)),
    ] {
        let taken = take(&world.app.app, &complaint(kind, &path), None)
            .await
            .unwrap();
        assert_eq!(taken, expected);
    }
    let counted = "SELECT CAST(SUM(n) AS BIGINT) FROM issue_tally WHERE state = 0 AND reason = 19";
    assert_eq!(world.app.count(counted).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_pipes_into_the_command_and_keeps_the_mail_when_it_fails() {
    let database = TestDatabase::migrated().await;
    let run = |url: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_canvass"))
            .args(["bounce", "--recipient", "somebody@bounces.example.org"])
            .env_clear()
            .env("CANVASS_DATA_DIR", database.dir.path())
            .env("CANVASS_DATABASE__URL", url)
            .env(
                "CANVASS_SECRET_KEY",
                "a secret key of at least 32 characters",
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin
            .write_all(&dsn("failed", "5.1.1", "550 user unknown"))
            .unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    let output = run(&database.url);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty(), "a pipe's output would be mailed");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("no return path of ours") && !said.contains('@'),
        "{said}"
    );
    let output = run("postgres://nobody@127.0.0.1:1/none");
    assert_eq!(output.status.code(), Some(75), "later, not never");
}

#[tokio::test]
async fn what_came_back_long_ago_is_forgotten_and_what_it_led_to_is_not() {
    let world = World::new().await;
    let old = world.issue().await;
    let refused = dsn("failed", "5.1.1", "550 5.1.1 User unknown");
    assert_eq!(
        world.comes_back(old, &refused).await,
        Taken::Stopped(Kind::Hard)
    );
    world.app.advance(DAY * 399);
    assert_eq!(purge(&world.app.app).await.unwrap(), 0, "not yet");
    let new = world.issue().await;
    let full = dsn("failed", "5.2.2", "552 5.2.2 Mailbox full");
    assert_eq!(world.comes_back(new, &full).await, Taken::Noted(Kind::Soft));
    world.app.advance(DAY * 2);
    assert_eq!(purge(&world.app.app).await.unwrap(), 1);
    assert_eq!(world.app.count("SELECT COUNT(*) FROM bounce").await, 1);
    assert_eq!(world.state().await, (4, 1), "still bounced and suppressed");
}
