//! Waiting recipients in overlapping batches: readers who were put aside for their provider are between those of other
//! batches.

use std::collections::BTreeSet;
use std::time::Duration;

use canvass::db;
use canvass::mailer::mailing::{self, Listed, MailingState, Standing, Wanted};
use canvass::types::{IssueId, ReaderId, reader_list::packed};

use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::issues::{app_with, hand_over, progress, subscribe, until};
use crate::support::smtp_server::SmtpServer;

/// Replaces the batches of an issue with these.
async fn batches(app: &TestApp, issue: IssueId, batches: &[(&str, Vec<i64>)]) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    db::run(&*txn, "DELETE FROM mail_batch", []).await.unwrap();
    for (provider, readers) in batches {
        let ids: Vec<ReaderId> = readers.iter().map(|id| ReaderId(*id)).collect();
        db::run(
            &*txn,
            "INSERT INTO mail_batch (issue_id, lo, hi, readers, state, not_before_ms, provider) VALUES ($1, $2, $3, $4, 0, 9000000000000000, $5)",
            [
                issue.0.into(),
                readers[0].into(),
                readers[readers.len() - 1].into(),
                packed(&ids).into(),
                (*provider).into(),
            ],
        )
        .await
        .unwrap();
    }
    txn.commit().await.unwrap();
}

/// The readers of all pages with this limit.
async fn pages(app: &TestApp, issue: IssueId, limit: usize) -> Vec<i64> {
    let mut wanted = Wanted {
        standing: Some(Standing::Waiting),
        ..Wanted::default()
    };
    let mut all = Vec::new();
    loop {
        let Listed { recipients, next } = mailing::recipients(&app.app.db, issue, &wanted, limit)
            .await
            .unwrap();
        assert!(recipients.len() <= limit);
        all.extend(recipients.iter().map(|r| r.reader.0));
        if next.is_none() {
            return all;
        }
        wanted.after = next;
    }
}

#[tokio::test]
async fn everybody_who_waits_is_listed_once_where_batches_overlap() {
    let app = TestApp::start().await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 900).await;
    let issue = hand_over(&app, &daily, Duration::from_secs(3_600)).await;
    until(&app, issue, |p| p.counts.audience == 900).await;
    let first = app.count("SELECT MIN(id) FROM reader").await;
    let of = |which: &dyn Fn(i64) -> bool| -> Vec<i64> {
        let ids = (0..900).filter(|i| which(*i));
        ids.map(|i| first + i).collect()
    };
    let google = |i: i64| i % 7 == 3;
    let apple = |i: i64| i % 100 == 50;
    let others = |i: i64| !google(i) && !apple(i);
    batches(
        &app,
        issue,
        &[
            ("", of(&|i| others(i) && i < 450)),
            ("", of(&|i| others(i) && i >= 450)),
            ("google", of(&|i| google(i) && !apple(i) && i < 600)),
            ("google", of(&|i| google(i) && !apple(i) && i >= 600)),
            ("apple", of(&apple)),
        ],
    )
    .await;
    let all = of(&|_| true);
    for limit in [7, 50, 899, 2_000] {
        assert_eq!(pages(&app, issue, limit).await, all, "{limit} a page");
    }
    // Many overlap entirely.
    let many: Vec<(String, Vec<i64>)> = (0..90)
        .map(|n| (format!("provider {n}"), of(&|i| i % 90 == n)))
        .collect();
    let many: Vec<(&str, Vec<i64>)> = many
        .iter()
        .map(|(provider, readers)| (provider.as_str(), readers.clone()))
        .collect();
    batches(&app, issue, &many).await;
    for limit in [100, 1_000] {
        assert_eq!(pages(&app, issue, limit).await, all, "{limit} a page");
    }
}

/// Whoever is attempted while the file is written is in it, and once.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_taken_while_it_is_being_sent_has_everybody_once() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 3_000).await;
    let browser = signed_in(&app).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.counts.audience == 3_000).await;
    let url = app.url(&format!("/admin/issues/{}/recipients.csv", issue.0));
    let (mut files, mut over) = (0, false);
    while !over {
        over = progress(&app, issue).await.state == MailingState::Finished;
        let file = browser.client().get(url.clone()).send().await.unwrap();
        let file = file.text().await.unwrap();
        let rows = file
            .lines()
            .skip(1)
            .filter_map(|line| line.split(',').next());
        let all: Vec<&str> = rows.collect();
        let once: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!((all.len(), once.len()), (3_000, 3_000), "file {files}");
        files += 1;
    }
    assert!(files > 1, "none was taken while it was being sent");
}
