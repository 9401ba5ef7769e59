//! Missing domains: a reader's, temporarily or for good, and our own.

use std::time::Duration;

use canvass::bounces::{Kind, Taken};

use crate::bounces::{World, dsn};

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
