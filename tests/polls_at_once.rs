//! New voters are committed in one round trip, from the state that the last commit left, but only if
//! all of it is still current.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use canvass::db::{self, Db, DbErr};
use canvass::polls::Phase;
use canvass::polls::ballots::{self, Answer, Outcome, Slip, Stripe};
use canvass::types::Random;

use crate::polls_ballot_box::{Box, NOON, opened};
use crate::polls_verify::verified;

/// Slips of new voters, numbered from `from` on.
fn new(ballots: &Box, from: usize, n: usize) -> Vec<Slip> {
    let answer = |who: usize| {
        let answer = ballots.answer(who, &[if who.is_multiple_of(3) { "2" } else { "1" }]);
        let answer = Answer {
            is_new: true,
            ..answer
        };
        answer.into()
    };
    (from..from + n).map(answer).collect()
}

/// A writer that counts how many of its groups were committed in one round trip.
struct Counting {
    stripe: Stripe,
    at_once: AtomicU64,
}

impl Counting {
    async fn commit(&self, group: &[Slip]) -> Result<Vec<Outcome>, DbErr> {
        let committed = self.stripe.commit(group).await?;
        self.at_once
            .fetch_add(u64::from(committed.at_once), Relaxed);
        Ok(committed.outcomes)
    }

    fn written_at_once(&self) -> u64 {
        self.at_once.load(Relaxed)
    }
}

fn stripe(ballots: &Box) -> Counting {
    Counting {
        stripe: Stripe::new(&ballots.db, &ballots.clock, &Random::System, 0),
        at_once: AtomicU64::new(0),
    }
}

/// After a group that was refused, the next four take the regular path.
async fn is_cautious(ballots: &Box, stripe: &Counting, from: usize) {
    let before = stripe.written_at_once();
    for who in from..from + 4 {
        let told = stripe.commit(&new(ballots, who, 1)).await.unwrap();
        assert_eq!(told, [Outcome::Counted]);
    }
    assert_eq!(stripe.written_at_once(), before);
}

async fn write(db: &Db, sql: &str) {
    let txn = db.write_txn("test").await.unwrap();
    assert_eq!(db::run(&*txn, sql, []).await.unwrap().rows_affected(), 1);
    txn.commit().await.unwrap();
}

#[tokio::test]
async fn polls_new_voters_take_one_trip_once_the_chain_is_known() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    let stripe = stripe(&ballots);
    for (n, size) in [40, 1, 3, 64, 100].into_iter().enumerate() {
        let told = stripe.commit(&new(&ballots, n * 100, size)).await.unwrap();
        assert_eq!(told, vec![Outcome::Counted; size]);
        assert_eq!(
            stripe.written_at_once(),
            n as u64,
            "the first was asked about"
        );
    }
    assert_eq!(ballots.counts().await[0], 208);
    let verified = verified(&ballots).await;
    assert_eq!((verified.findings, verified.pages), (vec![], 5));
    // If one of the voters is not new, the whole group takes the regular path.
    let mut group = new(&ballots, 900, 5);
    group.push(Slip::from(Answer {
        is_new: false,
        ..ballots.answer(0, &["1"])
    }));
    let told = stripe.commit(&group).await.unwrap();
    assert_eq!((told[4], told[5]), (Outcome::Counted, Outcome::Changed));
    assert_eq!(stripe.written_at_once(), 4);
}

/// Any change since the last commit is detected, and nothing is half written.
#[tokio::test]
async fn polls_new_voters_take_the_regular_path_where_something_is_not_as_it_was() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    let stripe = stripe(&ballots);
    stripe.commit(&new(&ballots, 0, 10)).await.unwrap();
    stripe.commit(&new(&ballots, 10, 10)).await.unwrap();
    assert_eq!(stripe.written_at_once(), 1);

    // Another writer appended a page to the same chain.
    let other = new(&ballots, 20, 10);
    let told = ballots::commit(&ballots.db, &ballots.clock, 0, &other).await;
    assert_eq!(told.unwrap(), [Outcome::Counted; 10]);
    let told = stripe.commit(&new(&ballots, 30, 10)).await.unwrap();
    assert_eq!(told, [Outcome::Counted; 10]);
    assert_eq!(stripe.written_at_once(), 1);
    is_cautious(&ballots, &stripe, 200).await;
    stripe.commit(&new(&ballots, 40, 10)).await.unwrap();
    assert_eq!(stripe.written_at_once(), 2);

    // One of the voters already has a ballot.
    let mut group = new(&ballots, 50, 10);
    group.extend(new(&ballots, 7, 1));
    let told = stripe.commit(&group).await.unwrap();
    assert_eq!((told[0], told[10]), (Outcome::Counted, Outcome::Same));
    assert_eq!(stripe.written_at_once(), 2);
    assert_eq!(ballots.counts().await[0], 64);
    is_cautious(&ballots, &stripe, 210).await;
    stripe.commit(&new(&ballots, 214, 1)).await.unwrap();
    assert_eq!(stripe.written_at_once(), 3);

    // An editor has edited the poll.
    write(&ballots.db, "UPDATE poll SET revision = revision + 1").await;
    let told = stripe.commit(&new(&ballots, 60, 10)).await.unwrap();
    assert_eq!(told, [Outcome::Edited; 10]);
    write(&ballots.db, "UPDATE poll SET revision = revision - 1").await;
    is_cautious(&ballots, &stripe, 220).await;
    stripe.commit(&new(&ballots, 60, 10)).await.unwrap();
    assert_eq!(ballots.counts().await[0], 83);
    assert_eq!(
        stripe.written_at_once(),
        4,
        "the chain is known all the while"
    );

    // The poll was closed by hand, without a new revision.
    let at = NOON.0;
    write(
        &ballots.db,
        &format!("UPDATE poll SET state = 2, closed_ms = {at}"),
    )
    .await;
    let told = stripe.commit(&new(&ballots, 70, 10)).await.unwrap();
    assert_eq!(told, [Outcome::NotOpen(Phase::Closed { at: None }); 10]);
    assert_eq!(ballots.counts().await[0], 83);
    assert_eq!(verified(&ballots).await.findings, Vec::<String>::new());
    assert_eq!(stripe.written_at_once(), 4);
}

/// The clock is read before the writer is held, so this path is not taken shortly before the close.
#[tokio::test]
async fn polls_new_voters_are_asked_about_shortly_before_the_close() {
    let closes = NOON + Duration::from_secs(120);
    let ballots = opened(&["yes", "no"], 1, Some(closes)).await;
    let stripe = stripe(&ballots);
    stripe.commit(&new(&ballots, 0, 10)).await.unwrap();
    stripe.commit(&new(&ballots, 10, 10)).await.unwrap();
    assert_eq!(stripe.written_at_once(), 1);
    ballots.clock.advance(Duration::from_secs(61));
    let told = stripe.commit(&new(&ballots, 20, 10)).await.unwrap();
    assert_eq!(told, [Outcome::Counted; 10]);
    ballots.clock.advance(Duration::from_secs(59));
    let told = stripe.commit(&new(&ballots, 30, 10)).await.unwrap();
    let closed = Phase::Closed { at: Some(closes) };
    assert_eq!(told, [Outcome::NotOpen(closed); 10]);
    assert_eq!(stripe.written_at_once(), 1);
    assert_eq!(ballots.counts().await[0], 30);
}

/// Two nodes may have been assigned the same stripe.
#[tokio::test(flavor = "multi_thread")]
async fn polls_two_writers_of_one_chain_count_every_new_voter() {
    let ballots = Arc::new(opened(&["yes", "no"], 1, None).await);
    let writers = (0..2).map(|writer| {
        let ballots = ballots.clone();
        tokio::spawn(async move {
            let stripe = stripe(&ballots);
            for round in 0..30 {
                let group = new(&ballots, writer * 10_000 + round * 10, 10);
                // Of two commits that start the same chain at once, one fails as a whole.
                let told = match stripe.commit(&group).await {
                    Ok(told) => told,
                    Err(_) => stripe.commit(&group).await.unwrap(),
                };
                assert_eq!(told, [Outcome::Counted; 10]);
            }
            stripe.written_at_once()
        })
    });
    let at_once = futures::future::join_all(writers).await;
    let at_once: u64 = at_once.into_iter().map(|written| written.unwrap()).sum();
    println!("{at_once} of 60 groups in one trip");
    assert_eq!(ballots.counts().await[0], 600);
    let verified = verified(&ballots).await;
    assert_eq!((verified.findings, verified.pages), (vec![], 60));
}
