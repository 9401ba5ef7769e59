//! Missing domains: a reader's, temporarily or for good, and our own.

use std::time::Duration;

use canvass::bounces::{Kind, Taken};
use canvass::mailer::mailing::{self, AllowedAgain};
use canvass::types::UnixMillis;

use crate::bounces::{World, dsn};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);

#[tokio::test]
async fn a_domain_that_comes_back_is_forgiven_and_one_that_stays_away_is_not() {
    let world = World::new().await;
    let gone = dsn("failed", "5.1.2", "550 5.1.2 host unknown");
    let first = world.issue().await;
    assert_eq!(
        world.comes_back(first, &gone).await,
        Taken::Noted(Kind::NoDomain)
    );
    world.app.advance(DAY);
    world.issue().await;
    world.app.advance(90 * DAY);
    let much_later = world.issue().await;
    assert_eq!(
        world.comes_back(much_later, &gone).await,
        Taken::Noted(Kind::NoDomain),
        "a mail arrived between"
    );
    assert_eq!(world.state().await, (1, 0));
    world.app.advance(DAY);
    let next = world.issue().await;
    assert_eq!(
        world.comes_back(next, &gone).await,
        Taken::Stopped(Kind::NoDomain),
        "twice since the last that arrived, whatever came before"
    );
}

#[tokio::test]
async fn several_issues_in_one_outage_end_nobody() {
    let world = World::new().await;
    let gone = dsn("failed", "5.1.2", "550 5.1.2 host unknown");
    for _ in 0..2 {
        world.app.advance(MINUTE);
        let issue = world.issue().await;
        let taken = world.comes_back(issue, &gone).await;
        assert_eq!(taken, Taken::Noted(Kind::NoDomain));
    }
    world.app.advance(DAY);
    let next_day = world.issue().await;
    assert_eq!(
        world.comes_back(next_day, &gone).await,
        Taken::Stopped(Kind::NoDomain)
    );

    let world = World::new().await;
    let full = dsn("failed", "5.2.2", "552 5.2.2 mailbox full");
    for _ in 0..5 {
        world.app.advance(60 * MINUTE);
        let issue = world.issue().await;
        let taken = world.comes_back(issue, &full).await;
        assert_eq!(taken, Taken::Noted(Kind::Soft));
    }
    assert_eq!(world.state().await, (1, 0));
    world.app.advance(7 * DAY);
    let next_week = world.issue().await;
    assert_eq!(
        world.comes_back(next_week, &full).await,
        Taken::Stopped(Kind::Soft)
    );
}

#[tokio::test]
async fn what_reports_ended_can_be_given_back_together() {
    for (report, days) in [
        (dsn("failed", "5.1.1", "550 5.1.1 user unknown"), 1),
        (dsn("failed", "5.1.2", "550 5.1.2 host unknown"), 2),
        (dsn("failed", "5.2.2", "552 5.2.2 mailbox full"), 8),
    ] {
        let world = World::new().await;
        let mut last = None;
        for _ in 0..days {
            world.app.advance(DAY);
            let issue = world.issue().await;
            world.comes_back(issue, &report).await;
            last = Some(issue);
        }
        assert_eq!(world.state().await, (4, 1), "after {days} days");
        let app = &world.app.app;
        let now = app.clock.now();
        let allow = async |from, until| {
            mailing::allow_again(app, last.unwrap(), from, until)
                .await
                .unwrap()
        };
        let earlier = allow(UnixMillis(0), now).await;
        assert_eq!(earlier, AllowedAgain::default(), "another time");
        let given = allow(now, now + MINUTE).await;
        assert_eq!((given.addresses, given.subscriptions), (1, 1), "{days}");
        assert_eq!(world.state().await, (1, 0), "after {days} days");
    }
}

/// If a receiver does not find the domain of our own return path, the report is about us.
#[tokio::test]
async fn a_server_that_does_not_find_our_own_domain_ends_nobody() {
    let world = World::new().await;
    for said in [
        "550 5.1.8 Sender address rejected: Domain not found",
        "550 5.1.2 bounces.example.org: host unknown",
        "550 domain bounces.example.org does not exist",
    ] {
        world.app.advance(DAY);
        let issue = world.issue().await;
        assert_eq!(
            world.comes_back(issue, &dsn("failed", "5.0.0", said)).await,
            Taken::Noted(Kind::Ours),
            "{said}"
        );
    }
    assert_eq!(world.state().await, (1, 0));
}
