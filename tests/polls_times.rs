//! Opening and closing: exact to the millisecond, decided by the clock at the commit.

use std::sync::Arc;
use std::time::Duration;

use canvass::db;
use canvass::polls::ballots::{self, Outcome};
use canvass::polls::{self, Phase, RefusalReason, Retimed, Visibility};
use canvass::types::UnixMillis;
use futures::future::join_all;

use crate::polls_ballot_box::{Box, NOON, opened};

/// The same poll with other opening and closing times.
async fn reopened(ballots: Box, opens: Option<UnixMillis>, closes: Option<UnixMillis>) -> Box {
    let (db, id) = (&ballots.db, ballots.poll.id);
    let txn = db.write_txn("test").await.unwrap();
    let retimed = polls::retime(&txn, NOON, id, None, opens, closes, Visibility::Always);
    retimed.await.unwrap();
    txn.commit().await.unwrap();
    let poll = polls::by_id(db, id).await.unwrap().unwrap();
    Box {
        poll: Arc::new(poll),
        ..ballots
    }
}

#[tokio::test]
async fn polls_the_close_is_decided_at_the_commit() {
    let closes = NOON + Duration::from_millis(500);
    let ballots = opened(&["yes", "no"], 1, Some(closes)).await;
    ballots.clock.advance(Duration::from_millis(499));
    assert_eq!(ballots.cast(1, &["1"]).await, Outcome::Counted);
    ballots.clock.advance(Duration::from_millis(1));
    assert_eq!(
        ballots.cast(2, &["1"]).await,
        Outcome::NotOpen(Phase::Closed { at: Some(closes) })
    );
    assert_eq!(
        ballots.cast(1, &["2"]).await,
        Outcome::NotOpen(Phase::Closed { at: Some(closes) })
    );
    assert_eq!(ballots.counts().await, [1, 1, 0]);
    assert_eq!(
        polls::refused(ballots.db.read(), ballots.poll.id)
            .await
            .unwrap(),
        [(RefusalReason::Closed, 2)]
    );
}

#[tokio::test]
async fn polls_the_opening_is_decided_at_the_commit() {
    let opens = NOON + Duration::from_millis(500);
    let ballots = reopened(opened(&["yes", "no"], 1, None).await, Some(opens), None).await;
    let not_yet = Outcome::NotOpen(Phase::NotYetOpen { opens_at: opens });
    ballots.clock.advance(Duration::from_millis(499));
    assert_eq!(ballots.cast(1, &["1"]).await, not_yet);
    ballots.clock.advance(Duration::from_millis(1));
    assert_eq!(ballots.cast(1, &["1"]).await, Outcome::Counted);
    assert_eq!(ballots.counts().await, [1, 1, 0]);
    // No refusal goes unrecorded.
    let refusals = polls::refused(ballots.db.read(), ballots.poll.id).await;
    assert_eq!(refusals.unwrap(), [(RefusalReason::NotOpen, 1)]);
}

/// Not by the time it was sent, nor by the time it began to wait: both pass while an answer waits for the writer.
#[tokio::test]
async fn polls_an_answer_that_waits_is_judged_by_the_moment_of_its_commit() {
    let [opens, closes] = [500, 1_500].map(|ms| NOON + Duration::from_millis(ms));
    let ballots = opened(&["yes", "no"], 1, None).await;
    let ballots = Arc::new(reopened(ballots, Some(opens), Some(closes)).await);
    let late = Outcome::NotOpen(Phase::Closed { at: Some(closes) });
    for (who, moment, expected) in [(1, opens, Outcome::Counted), (2, closes, late)] {
        ballots.clock.set(UnixMillis(moment.0 - 1));
        let held = ballots.db.write_txn("test").await.unwrap();
        if ballots.db.backend() == db::Backend::Postgres {
            let lock = "LOCK TABLE poll IN ACCESS EXCLUSIVE MODE";
            db::run(&*held, lock, []).await.unwrap();
        }
        let waiting = ballots.clone();
        let cast = tokio::spawn(async move { waiting.cast(who, &["1"]).await });
        // On a single thread: the task runs until it waits.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!cast.is_finished());
        ballots.clock.set(moment);
        drop(held);
        assert_eq!(cast.await.unwrap(), expected);
    }
    assert_eq!(ballots.counts().await, [1, 1, 0]);
}

/// Whatever the clock does afterwards, even if nobody answered in between.
#[tokio::test]
async fn polls_a_clock_that_steps_back_over_the_close_opens_nothing() {
    let closes = NOON + Duration::from_millis(500);
    let closed = Outcome::NotOpen(Phase::Closed { at: Some(closes) });
    for answered in [true, false] {
        let ballots = opened(&["yes", "no"], 1, Some(closes)).await;
        assert_eq!(ballots.cast(1, &["1"]).await, Outcome::Counted);
        ballots.clock.set(closes);
        if answered {
            assert_eq!(ballots.cast(2, &["1"]).await, closed);
        } else {
            let seen = ballots::watch_closes(&ballots.db, ballots.clock.now());
            seen.await.unwrap();
        }
        ballots.clock.set(NOON);
        assert_eq!(ballots.cast(3, &["1"]).await, closed);
        assert_eq!(ballots.cast(1, &["2"]).await, closed);
        let id = ballots.poll.id;
        let read = polls::by_id(&ballots.db, id).await.unwrap().unwrap();
        assert_eq!(read.phase(NOON), Phase::Closed { at: Some(closes) });
        assert_eq!(ballots.counts().await, [1, 1, 0]);
        // An editor who moves the close does so on purpose, and knowing what others have done to the poll.
        let txn = ballots.db.write_txn("test").await.unwrap();
        let later = Some(closes + Duration::from_secs(60));
        let before = Some(read.revision - 1);
        let outdated = polls::retime(&txn, NOON, id, before, None, later, Visibility::Always);
        assert_eq!(outdated.await.unwrap(), Retimed::Conflict);
        polls::retime(&txn, NOON, id, None, None, later, Visibility::Always)
            .await
            .unwrap();
        txn.commit().await.unwrap();
        let read = polls::by_id(&ballots.db, id).await.unwrap().unwrap();
        assert_eq!(read.phase(NOON), Phase::Open { closes_at: later });
    }
}

/// The close comes when the first hundred have their response, and the last hundred come after
/// it; all between them race.
#[tokio::test(flavor = "multi_thread")]
async fn polls_closing_while_a_thousand_vote_counts_who_was_told_so() {
    let closes = NOON + Duration::from_millis(500);
    let ballots = Arc::new(opened(&["yes", "no"], 1, Some(closes)).await);
    let cast = |who| {
        let ballots = ballots.clone();
        tokio::spawn(async move { ballots.cast(who, &["1"]).await })
    };
    let first: Vec<_> = (0..100).map(cast).collect();
    let mut outcomes = join_all(first).await;
    let racing: Vec<_> = (100..500).map(cast).collect();
    ballots.clock.set(closes);
    let last: Vec<_> = (500..1_000).map(cast).collect();
    outcomes.extend(join_all(racing.into_iter().chain(last)).await);
    let (mut counted, mut late) = (0, 0);
    for outcome in outcomes {
        match outcome.unwrap() {
            Outcome::Counted => counted += 1,
            Outcome::NotOpen(Phase::Closed { at }) if at == Some(closes) => late += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(counted + late, 1_000);
    assert!(
        counted >= 100 && late >= 500,
        "{counted} counted, {late} late"
    );
    let at = Some(closes);
    let after = ballots.cast(1_000, &["1"]).await;
    assert_eq!(after, Outcome::NotOpen(Phase::Closed { at }));
    late += 1;
    assert_eq!(ballots.counts().await, [counted, counted, 0]);
    let after = "SELECT COUNT(*) FROM ballot WHERE cast_ms >= $1";
    let row = canvass::db::fetch_one(ballots.db.read(), after, [closes.into()]).await;
    assert_eq!(row.unwrap().unwrap().try_get_by_index::<i64>(0).unwrap(), 0);
    let refused = polls::refused(ballots.db.read(), ballots.poll.id)
        .await
        .unwrap();
    let refused: i64 = refused.iter().map(|(_, n)| n).sum();
    assert_eq!(refused, late, "nobody was refused in silence");
}
