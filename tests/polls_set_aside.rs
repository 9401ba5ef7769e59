//! Ballots that an editor sets aside: removed from the numbers in one commit, never lost, and reversibly.

use std::sync::Arc;
use std::time::Duration;

use canvass::db::Db;
use canvass::polls::ballots::Outcome;
use canvass::polls::ballots::removal::{
    NotRemoved, Removal, Selection, give_back, hold, matching, removals,
};
use canvass::polls::{Place, Tier};
use canvass::types::{PollId, UnixMillis};

use crate::polls_ballot_box::{Box, opened};
use crate::polls_verify::verified;

/// 10 honest readers, 30 from one network within a minute.
async fn stuffed() -> Box {
    let ballots = opened(&["yes", "no"], 1, None).await;
    for who in 0..40 {
        let mut answer = ballots.answer(who, &[if who < 10 { "1" } else { "2" }]);
        answer.network = Some([if who < 10 { who as u8 } else { 99 }; 8]);
        let slip = canvass::polls::ballots::Slip::from(answer);
        assert_eq!(ballots.queue.submit(slip).await.unwrap(), Outcome::Counted);
        ballots.clock.advance(Duration::from_secs(2));
    }
    ballots
}

fn burst() -> Selection {
    Selection {
        networks: vec![vec![99; 8]],
        ..Selection::default()
    }
}

/// Sets aside every ballot that meets the conditions, on the chain of this slot.
pub async fn set_aside(
    (db, slot): (&Db, i64),
    now: UnixMillis,
    poll: PollId,
    selection: &Selection,
    reason: &str,
) -> Result<Removal, NotRemoved> {
    let held = hold(db, slot, poll).await?;
    let removal = held.set_aside(db, now, selection, reason, None).await?;
    held.commit(&removal).await?;
    Ok(removal)
}

async fn aside(ballots: &Box, selection: &Selection, reason: &str) -> Result<i64, NotRemoved> {
    let (db, now) = (&ballots.db, ballots.clock.now());
    set_aside((db, 0), now, ballots.poll.id, selection, reason)
        .await
        .map(|removal| removal.ballots)
}

#[tokio::test]
async fn polls_what_is_set_aside_is_not_counted_and_comes_back_whole() {
    let ballots = stuffed().await;
    let (db, id) = (&ballots.db, ballots.poll.id);
    assert_eq!(matching(db.read(), id, &burst()).await.unwrap(), 30);
    assert_eq!(ballots.counts().await, [40, 10, 30]);
    assert_eq!(
        aside(&ballots, &burst(), " 30 in a minute ").await.unwrap(),
        30
    );
    assert_eq!(ballots.counts().await, [10, 10, 0]);
    assert_eq!(matching(db.read(), id, &burst()).await.unwrap(), 0);
    assert!(matches!(
        aside(&ballots, &burst(), "Again").await,
        Err(NotRemoved::Nothing)
    ));
    // A voter whose ballot was set aside may change it, but it still does not count, and no new ballot is added.
    assert_eq!(ballots.cast(20, &["1"]).await, Outcome::Changed);
    assert_eq!(ballots.cast(5, &["2"]).await, Outcome::Changed);
    assert_eq!(ballots.counts().await, [10, 9, 1]);
    let told = removals(db, id).await.unwrap();
    assert_eq!(
        (told.len(), told[0].reason.as_str(), told[0].undone),
        (1, "30 in a minute", None)
    );
    assert_eq!(verified(&ballots).await.findings, Vec::<String>::new());
    let now = ballots.clock.now();
    assert_eq!(give_back(db, now, 0, id, 1).await.unwrap(), 30);
    // The changed ballot comes back with the new answer.
    assert_eq!(ballots.counts().await, [40, 10, 30]);
    assert!(matches!(
        give_back(db, now, 0, id, 1).await,
        Err(NotRemoved::NotThere)
    ));
    assert_eq!(removals(db, id).await.unwrap()[0].undone, Some(now));
    assert_eq!(verified(&ballots).await.findings, Vec::<String>::new());
}

#[tokio::test]
async fn polls_every_condition_has_to_hold() {
    let ballots = stuffed().await;
    let start = ballots
        .poll
        .opens_at
        .unwrap_or(crate::polls_ballot_box::NOON);
    let after = |seconds| Some(start + Duration::from_secs(seconds));
    let (db, id) = (&ballots.db, ballots.poll.id);
    for (selection, n) in [
        (Selection::default(), 40),
        (
            Selection {
                from: after(20),
                until: after(30),
                ..burst()
            },
            5,
        ),
        (
            Selection {
                until: after(20),
                ..burst()
            },
            0,
        ),
        (
            Selection {
                tier: Some(Tier::Subscriber),
                ..Selection::default()
            },
            0,
        ),
        (
            Selection {
                tier: Some(Tier::Anonymous),
                place: Some(Place::PollPage),
                networks: vec![vec![1; 8], vec![2; 8]],
                ..Selection::default()
            },
            2,
        ),
        (
            Selection {
                voters: Some(vec![ballots.answer(3, &["1"]).voter]),
                ..Selection::default()
            },
            1,
        ),
        (
            Selection {
                voters: Some(Vec::new()),
                ..Selection::default()
            },
            0,
        ),
    ] {
        let matching = matching(db.read(), id, &selection).await.unwrap();
        assert_eq!(matching, n, "{selection:?}");
    }
    assert!(Selection::default().is_everything() && !burst().is_everything());
    for reason in ["", "  ", &"x".repeat(501)] {
        assert!(matches!(
            aside(&ballots, &burst(), reason).await,
            Err(NotRemoved::NoReason)
        ));
    }
    assert_eq!(ballots.counts().await, [40, 10, 30]);
}

/// Answers arrive while ballots are set aside and given back: each is either counted or set aside,
/// never both and never neither.
#[tokio::test(flavor = "multi_thread")]
async fn polls_votes_that_come_meanwhile_are_counted_once() {
    let ballots = Arc::new(stuffed().await);
    let voting: Vec<_> = (0..8)
        .map(|lane| {
            let ballots = ballots.clone();
            tokio::spawn(async move {
                for n in 0..40 {
                    ballots.cast(lane * 20 + n, &[["1", "2"][n % 2]]).await;
                }
            })
        })
        .collect();
    let all = Selection::default();
    for number in 1..=6 {
        aside(&ballots, &all, "Everything, for a moment")
            .await
            .unwrap();
        let now = ballots.clock.now();
        let back = give_back(&ballots.db, now, 0, ballots.poll.id, number).await;
        assert!(back.unwrap() >= 40);
    }
    for lane in voting {
        lane.await.unwrap();
    }
    let counts = ballots.counts().await;
    assert_eq!((counts[0], counts[1] + counts[2]), (180, 180));
    let last = verified(&ballots).await;
    assert_eq!(
        (last.findings.len(), last.ballots),
        (0, 180),
        "{:?}",
        last.told()
    );
}
