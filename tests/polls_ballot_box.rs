//! The ballot box on a real database: many voters at once, the same voter at once, the close.

use std::sync::Arc;

use canvass::db::{
    self, Db,
    group_commit::{GroupCommit, Queue},
};
use canvass::polls::ballots::{self, Answer, LARGEST_GROUP, Outcome, Slip, Stripe};
use canvass::polls::{
    self, Choice, Definition, Phase, Place, Poll, PollState, QuestionText, Sent, Stored, Tier,
    Visibility, Voter,
};
use canvass::types::{Clock, Random, UnixMillis};
use tokio::time::timeout;

use crate::support::database::TestDatabase;
use crate::support::wait::PATIENCE;

pub const NOON: UnixMillis = UnixMillis(1_794_312_000_000);

pub struct Box {
    pub database: TestDatabase,
    pub db: Db,
    pub clock: Clock,
    pub poll: Arc<Poll>,
    pub queue: GroupCommit<Slip, Outcome>,
}

pub async fn opened(options: &[&str], max_choices: i64, closes_at: Option<UnixMillis>) -> Box {
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    let clock = Clock::manual(NOON);
    let question = QuestionText {
        text: "Do you trust the mainstream media?".into(),
        max_choices,
        options: options.iter().map(|o| (*o).into()).collect(),
        ..QuestionText::default()
    };
    let mut definition = Definition {
        closes_at,
        ..Definition::new("trust", vec![question])
    };
    assert_eq!(definition.check(), []);
    let txn = db.write_txn("test").await.unwrap();
    let stored = polls::create(
        &txn,
        &Random::seeded(1),
        NOON,
        &definition,
        PollState::Published,
    )
    .await
    .unwrap();
    txn.commit().await.unwrap();
    let Stored::Yes(id) = stored else {
        panic!("not stored: {stored:?}")
    };
    let poll = Arc::new(polls::by_id(&db, id).await.unwrap().unwrap());
    let line = Queue {
        name: "ballots",
        capacity: 4_096,
        largest: LARGEST_GROUP,
    };
    let stripe = Arc::new(Stripe::new(&db, &clock, &Random::System, 0));
    let queue = GroupCommit::start(line, move |group: Vec<Slip>| {
        let stripe = stripe.clone();
        async move { Ok(stripe.commit(&group).await?.outcomes) }
    });
    Box {
        database,
        db,
        clock,
        poll,
        queue,
    }
}

/// The answer of a browser that is known by a number.
pub fn answer_to(poll: &Arc<Poll>, who: usize, options: &[&str]) -> Answer {
    let voter = Voter::Browser(format!("{who:022}"));
    Answer {
        voter: voter.key(poll),
        // As a page says it that knows nothing of earlier answers: half of them take the way of new voters.
        is_new: who.is_multiple_of(2),
        choice: Choice::read(poll, &Sent::options(options.iter().copied())).unwrap(),
        poll: poll.clone(),
        tier: voter.tier(),
        place: Place::PollPage,
        issue: None,
        network: None,
        link: None,
        once: None,
        witness: None,
    }
}

impl Box {
    pub fn answer(&self, who: usize, options: &[&str]) -> Answer {
        answer_to(&self.poll, who, options)
    }

    pub async fn cast(&self, who: usize, options: &[&str]) -> Outcome {
        let slip = Slip::from(self.answer(who, options));
        let written = timeout(PATIENCE, self.queue.submit_waiting(slip)).await;
        written.expect("written in time").unwrap()
    }

    pub async fn counts(&self) -> Vec<i64> {
        assert_eq!(
            ballots::audit(&self.db, &self.poll).await.unwrap(),
            [],
            "the tally equals the ballots"
        );
        let totals = canvass::polls::results::totals(&self.db, &self.poll)
            .await
            .unwrap();
        std::iter::once(totals.voters(Tier::Anonymous))
            .chain(
                self.poll
                    .options()
                    .map(|o| totals.option(o.id, Tier::Anonymous)),
            )
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_256_voters_at_once_are_all_counted() {
    let ballots = Arc::new(opened(&["yes", "no"], 1, None).await);
    let cast: Vec<_> = (0..256)
        .map(|who| {
            let ballots = ballots.clone();
            tokio::spawn(async move {
                ballots
                    .cast(who, &[if who % 4 == 0 { "2" } else { "1" }])
                    .await
            })
        })
        .collect();
    for outcome in cast {
        assert_eq!(outcome.await.unwrap(), Outcome::Counted);
    }
    assert_eq!(ballots.counts().await, [256, 192, 64]);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_thousand_answers_of_one_voter_are_one_ballot() {
    let ballots = Arc::new(opened(&["yes", "no"], 1, None).await);
    let cast: Vec<_> = (0..1_000)
        .map(|n| {
            let ballots = ballots.clone();
            tokio::spawn(
                async move { ballots.cast(7, &[if n % 2 == 0 { "1" } else { "2" }]).await },
            )
        })
        .collect();
    let mut first = 0;
    for outcome in cast {
        match outcome.await.unwrap() {
            Outcome::Counted => first += 1,
            Outcome::Changed | Outcome::Same => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(first, 1);
    let counts = ballots.counts().await;
    assert_eq!((counts[0], counts[1] + counts[2]), (1, 1));
}

/// The outcomes are the same as if the answers had come one by one.
#[tokio::test]
async fn polls_two_answers_of_one_voter_in_a_group_are_one_first_ballot() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    let worked = Answer {
        tier: Tier::Worked,
        place: Place::Embed,
        ..ballots.answer(1, &["1"])
    };
    let group = [worked, ballots.answer(1, &["2"]), ballots.answer(2, &["2"])];
    let group = group.map(Slip::from);
    let outcomes = ballots::commit(&ballots.db, &ballots.clock, 0, &group).await;
    assert_eq!(
        outcomes.unwrap(),
        [Outcome::Counted, Outcome::Changed, Outcome::Counted]
    );
    let row = "SELECT COUNT(*) FROM ballot WHERE tier = $1 AND source = $2";
    let values = [Tier::Worked.code().into(), Place::Embed.code().into()];
    let found = db::fetch_one(ballots.db.read(), row, values).await.unwrap();
    let found: i64 = found.unwrap().try_get_by_index(0).unwrap();
    assert_eq!(found, 1, "the best tier, and where it was first given");
    assert_eq!(ballots.counts().await, [2, 0, 2], "what it said last");
}

#[tokio::test]
async fn polls_a_changed_mind_moves_the_ballot() {
    let ballots = opened(&["a", "b", "c"], 2, None).await;
    assert_eq!(ballots.cast(1, &["1", "2"]).await, Outcome::Counted);
    assert_eq!(ballots.cast(1, &["2", "1"]).await, Outcome::Same);
    assert_eq!(ballots.counts().await, [1, 1, 1, 0]);
    assert_eq!(ballots.cast(1, &["3"]).await, Outcome::Changed);
    assert_eq!(ballots.cast(2, &["3"]).await, Outcome::Counted);
    assert_eq!(ballots.counts().await, [2, 0, 0, 2]);
    let own = ballots::own_choice(
        &ballots.db,
        ballots.poll.id,
        ballots.answer(1, &["1"]).voter,
    )
    .await
    .unwrap();
    let own = own.expect("a ballot");
    assert_eq!(own.options(), [ballots.poll.option(3).unwrap().id]);
}

#[tokio::test]
async fn polls_an_editors_close_stops_answers_to_the_poll_as_it_was() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    let turn = async |from, to| {
        let txn = ballots.db.write_txn("test").await.unwrap();
        let turned = polls::set_state(&txn, NOON, ballots.poll.id, None, from, to).await;
        txn.commit().await.unwrap();
        assert!(turned.unwrap());
    };
    turn(PollState::Published, PollState::Closed).await;
    assert_eq!(
        ballots.cast(1, &["1"]).await,
        Outcome::NotOpen(Phase::Closed { at: None })
    );
    turn(PollState::Closed, PollState::Published).await;
    // The poll is open again, but was edited after this choice was read.
    assert_eq!(ballots.cast(1, &["1"]).await, Outcome::Edited);
    assert_eq!(ballots.counts().await, [0, 0, 0]);
}

#[tokio::test]
async fn polls_a_draft_is_replaced_and_a_taken_slug_is_said() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    let question = QuestionText {
        text: "One?".into(),
        options: vec!["a".into(), "b".into()],
        ..QuestionText::default()
    };
    let mut definition = Definition {
        visibility: Visibility::AfterVoting,
        headline_tier: Tier::Subscriber,
        opens_at: Some(NOON),
        time_zone: "Europe/Berlin".into(),
        ..Definition::new("other", vec![question])
    };
    assert_eq!(definition.check(), []);
    let txn = ballots.db.write_txn("test").await.unwrap();
    let random = Random::seeded(2);
    let Stored::Yes(id) = polls::create(&txn, &random, NOON, &definition, PollState::Draft)
        .await
        .unwrap()
    else {
        panic!()
    };
    definition.questions.push(QuestionText {
        text: "Two?".into(),
        required: false,
        max_choices: 2,
        options: vec!["c".into(), "d".into()],
        ..QuestionText::default()
    });
    assert_eq!(
        polls::replace_draft(&txn, NOON, id, 0, &definition)
            .await
            .unwrap(),
        Stored::Yes(id)
    );
    assert_eq!(
        polls::replace_draft(&txn, NOON, id, 0, &definition)
            .await
            .unwrap(),
        Stored::Conflict
    );
    definition.slug = "trust".into();
    assert_eq!(
        polls::create(&txn, &random, NOON, &definition, PollState::Draft)
            .await
            .unwrap(),
        Stored::SlugTaken
    );
    txn.commit().await.unwrap();
    let poll = polls::by_slug(&ballots.db, "other").await.unwrap().unwrap();
    let keys: Vec<_> = poll.options().map(|o| (o.key, o.label.as_str())).collect();
    assert_eq!(keys, [(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
    assert_eq!(
        (poll.revision, poll.visibility, poll.questions.len()),
        (1, Visibility::AfterVoting, 2)
    );
    let listed = polls::list(&ballots.db, 10, 0).await.unwrap();
    assert_eq!(
        listed.iter().map(|s| s.slug.as_str()).collect::<Vec<_>>(),
        ["other", "trust"]
    );
}
