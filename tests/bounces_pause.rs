//! Reports that come back by mail pause the issue that they are about, like what a relay says at once.

use std::time::Duration;

use canvass::bounces::{Kind, Taken, take};
use canvass::mailer;
use canvass::mailer::mailing::{
    CameBack, Change, MailingState, OrderKind, Steer, came_back, orders,
};
use canvass::mailer::verp::{self, Mail};
use canvass::types::{IssueId, ReaderId};

use crate::bounces::{complaint, dsn};
use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::issues::{app_with, hand_over, progress, steer, subscribe, until};
use crate::support::log_lines::LogLines;
use crate::support::smtp_server::{At, SmtpServer};

/// An issue that is still being sent because one of its readers is deferred; all others have it.
async fn nearly_done(server: &SmtpServer, readers: i64) -> (TestApp, IssueId) {
    server.say(At::Rcpt, "reader1@", "450 4.2.0 later");
    let app = app_with(server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, readers).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.counts.sent == readers - 1).await;
    (app, issue)
}

/// A report about the `n`th reader who has the mail.
async fn comes_back(app: &TestApp, issue: IssueId, n: i64, raw: &[u8]) -> Taken {
    let reader = app
        .count(&format!(
            "SELECT reader_id FROM delivery WHERE state = 2 ORDER BY reader_id LIMIT 1 OFFSET {n}"
        ))
        .await;
    let mail = Mail::Issue(issue, ReaderId(reader));
    let path = verp::address(&app.app.keys, "bounces.example.org", mail);
    take(&app.app, raw, Some(&path)).await.unwrap()
}

async fn state(app: &TestApp, issue: IssueId) -> MailingState {
    progress(app, issue).await.state
}

/// Asserts that an issue that 149 readers have has paused itself, and that its page says so and `told`; returns the
/// reason.
async fn paused_itself(app: &TestApp, issue: IssueId, told: &str) -> String {
    let paused = progress(app, issue).await;
    assert_eq!(paused.state, MailingState::Paused);
    assert_eq!(paused.counts.sent, 149, "the numbers stay as they were");
    signed_in(app)
        .await
        .get(&format!("/admin/issues/{}", issue.0))
        .await
        .expect(200)
        .says("Canvass paused this issue automatically.")
        .says(told);
    paused.reason
}

#[tokio::test]
async fn many_addresses_that_do_not_exist_pause_it_at_each_limit_once() {
    let server = SmtpServer::start().await;
    let (app, issue) = nearly_done(&server, 150).await;
    let gone = dsn("failed", "5.1.1", "550 5.1.1 <x@example.net>: user unknown");
    // Neither a repeated report nor a full mailbox counts.
    comes_back(&app, issue, 0, &gone).await;
    for n in [0, 1, 2, 3] {
        comes_back(&app, issue, n, &gone).await;
        let full = dsn("failed", "5.2.2", "552 5.2.2 mailbox full");
        comes_back(&app, issue, 100 + n, &full).await;
    }
    assert_eq!(state(&app, issue).await, MailingState::Sending);
    comes_back(&app, issue, 4, &gone).await;
    let reason = paused_itself(&app, issue, "do not exist, as reports say that came back").await;
    assert!(reason.starts_with("5 of the 149 addresses"), "{reason}");
    let told = orders(app.app.db.read(), issue, 5).await.unwrap();
    assert_eq!(told[0].kind, OrderKind::PausedItself);

    // Whoever resumes it knows the list: from now on the limit is a tenth, and after that there is none.
    for (upto, expected) in [
        (14, MailingState::Sending),
        (15, MailingState::Paused),
        (20, MailingState::Sending),
    ] {
        if state(&app, issue).await == MailingState::Paused {
            assert_eq!(steer(&app, issue, Steer::Resume).await, Change::Done);
        }
        let known = app
            .count("SELECT COUNT(*) FROM bounce WHERE kind = 1")
            .await;
        for n in known..upto {
            comes_back(&app, issue, n, &gone).await;
        }
        assert_eq!(state(&app, issue).await, expected, "{upto}");
    }
}

/// Behind a smarthost, a signature that fails or a block list shows only in reports.
#[tokio::test]
async fn refusals_because_of_us_pause_it_and_cost_no_reader_anything() {
    let server = SmtpServer::start().await;
    let (app, issue) = nearly_done(&server, 150).await;
    let refused = dsn("failed", "5.7.26", "550 5.7.26 unauthenticated mail");
    comes_back(&app, issue, 0, &refused).await;
    for n in 0..9 {
        let taken = comes_back(&app, issue, n, &refused).await;
        let expected = match n {
            0 => Taken::Repeated(Kind::Ours),
            _ => Taken::Noted(Kind::Ours),
        };
        assert_eq!(taken, expected, "{n}");
    }
    assert_eq!(state(&app, issue).await, MailingState::Sending);
    comes_back(&app, issue, 9, &refused).await;
    let told = "Came back later: 10 because the receiving server refuses us or this message.";
    let reason = paused_itself(&app, issue, told).await;
    assert!(
        reason.starts_with("10 of the 149 mails") && reason.contains("5.7.26"),
        "{reason}"
    );
    let ended = "SELECT COUNT(*) FROM subscription WHERE state <> 1";
    assert_eq!(app.count(ended).await, 0);
    let reports = mailer::came_back(&app.app).await.unwrap();
    assert_eq!(
        reports,
        [
            ("ours", 10),
            ("bad_address", 0),
            ("complaint", 0),
            ("unauthenticated", 0)
        ]
    );

    // Whoever resumes it knows: from now on the limit is a tenth.
    assert_eq!(steer(&app, issue, Steer::Resume).await, Change::Done);
    for n in 10..14 {
        comes_back(&app, issue, n, &refused).await;
    }
    assert_eq!(state(&app, issue).await, MailingState::Sending);
    comes_back(&app, issue, 14, &refused).await;
    assert_eq!(state(&app, issue).await, MailingState::Paused);
}

#[tokio::test]
async fn complaints_pause_it_but_not_a_single_one() {
    let server = SmtpServer::start().await;
    let (app, issue) = nearly_done(&server, 20).await;
    for n in 0..3 {
        assert_eq!(state(&app, issue).await, MailingState::Sending, "{n}");
        comes_back(&app, issue, n, &complaint("abuse", "x@example.org")).await;
    }
    let paused = progress(&app, issue).await;
    assert_eq!(paused.state, MailingState::Paused);
    assert!(paused.reason.contains("reported it as spam"), "{paused:?}");
    assert_eq!(steer(&app, issue, Steer::Resume).await, Change::Done);
    for n in 3..8 {
        comes_back(&app, issue, n, &complaint("abuse", "x@example.org")).await;
    }
    assert_eq!(state(&app, issue).await, MailingState::Sending);
    // An issue that is over is not paused by what comes back later.
    server.forgive();
    app.advance(Duration::from_secs(3_600));
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    comes_back(&app, issue, 8, &complaint("abuse", "x@example.org")).await;
    assert_eq!(state(&app, issue).await, MailingState::Finished);
}

/// Until it is committed, it may not happen.
#[tokio::test]
async fn a_pause_is_logged_after_its_commit() {
    let server = SmtpServer::start().await;
    let (app, issue) = nearly_done(&server, 20).await;
    let log = LogLines::watch();
    let logged = || log.of("an issue paused itself").len();
    let spam = complaint("abuse", "x@example.org");
    for n in [0, 1] {
        comes_back(&app, issue, n, &spam).await;
    }
    let lost = app.app.db.write_txn("test").await.unwrap();
    let third = came_back(&app.app, &lost, issue, CameBack::Complaint, "");
    third.await.unwrap();
    drop(lost);
    assert_eq!(logged(), 0);
    assert_eq!(state(&app, issue).await, MailingState::Sending);
    comes_back(&app, issue, 2, &spam).await;
    assert_eq!(state(&app, issue).await, MailingState::Paused);
    assert_eq!(logged(), 1);
}
