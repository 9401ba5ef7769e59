//! Reports that arrive at the same moment.

use canvass::bounces::{Kind, Taken, take};
use canvass::db;
use canvass::mailer::mailing;
use canvass::mailer::verp::{self, Mail};
use canvass::types::ReaderId;

use super::{DAY, World, dsn};

/// On PostgreSQL, two concurrent reports once saw only themselves.
#[tokio::test]
async fn of_two_reports_at_the_same_moment_the_second_counts_the_first() {
    let world = World::new().await;
    let readers = 12;
    let daily = world.newsletter;
    let txn = world.app.app.db.write_txn("test").await.unwrap();
    for n in 0..readers {
        let address = format!("twice{n}@gone.example");
        db::run(
            &*txn,
            "INSERT INTO reader (email_key, email, name, created_ms) VALUES ($1, $1, '', 1)",
            [address.into()],
        )
        .await
        .unwrap();
    }
    db::run(
        &*txn,
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms)
         SELECT $1, id, 1, 1, 1 FROM reader WHERE email LIKE 'twice%'",
        [daily.0.into()],
    )
    .await
    .unwrap();
    txn.commit().await.unwrap();
    let first = world
        .app
        .count("SELECT MIN(id) FROM reader WHERE email LIKE 'twice%'")
        .await;
    // Three soft bounces of last week; the two that come now are the fourth and the fifth.
    for _ in 0..3 {
        let issue = world.issue().await;
        let old = (first..first + readers).map(|reader| mailing::Noted {
            issue,
            reader: ReaderId(reader),
            kind: Kind::Soft as i16,
            status: String::new(),
        });
        let old: Vec<mailing::Noted> = old.collect();
        let txn = world.app.app.db.write_txn("test").await.unwrap();
        let now = world.app.app.clock.now();
        mailing::note(&txn, &old, now).await.unwrap();
        txn.commit().await.unwrap();
        world.app.advance(3 * DAY);
    }
    let issues = [world.issue().await, world.reader_again().await];
    let mut reports = Vec::new();
    for reader in (first..first + readers).map(ReaderId) {
        for issue in issues {
            let app = world.app.app.clone();
            let mail = Mail::Issue(issue, reader);
            let path = verp::address(&app.keys, "bounces.example.org", mail);
            let raw = dsn("failed", "5.2.2", "552 5.2.2 mailbox full");
            reports.push(tokio::spawn(async move {
                take(&app, &raw, Some(&path)).await.unwrap()
            }));
        }
    }
    let mut stopped = 0;
    for report in reports {
        stopped += i64::from(matches!(report.await.unwrap(), Taken::Stopped(_)));
    }
    assert_eq!(stopped, readers, "one of each two");
}
