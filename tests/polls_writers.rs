//! Two writers of ballots in one process: there are as many ballots as voters, whichever writer takes them.

use canvass::db::group_commit::{GroupCommit, Lines, Queue};
use canvass::db::{self, fetch_one};
use canvass::polls::ballots::{self, Outcome, SPILL, Slip};
use canvass::polls::{self, RefusalReason, Tier};
use tokio::time::timeout;

use crate::polls_ballot_box::opened;
use crate::polls_verify::verified;
use crate::support::wait::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn polls_two_writers_keep_one_ballot_for_each_voter_and_a_chain_each() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    let line = Queue {
        name: "ballots",
        capacity: 4_096,
        largest: 40,
    };
    let queues = [0, 32].into_iter().map(|slot| {
        let (db, clock) = (ballots.db.clone(), ballots.clock.clone());
        GroupCommit::start(line, move |group: Vec<Slip>| {
            let (db, clock) = (db.clone(), clock.clone());
            async move { ballots::commit(&db, &clock, slot, &group).await }
        })
    });
    let writers = Lines::new(SPILL, queues);
    // 300 voters three times each, and one who keeps changing the answer: all at the same moment.
    let answers = (0..900).map(|n| (n % 300, if n % 2 == 0 { "1" } else { "2" }));
    let undecided = (0..200).map(|n| (300, if n % 2 == 0 { "1" } else { "2" }));
    let sent = answers.chain(undecided).map(|(who, option)| {
        let slip = Slip::from(ballots.answer(who, &[option]));
        let writers = writers.clone();
        tokio::spawn(async move { writers.submit_waiting(slip).await })
    });
    let mut first = 0;
    let sent = timeout(PATIENCE, futures::future::join_all(sent)).await;
    for outcome in sent.expect("neither waits for the other") {
        match outcome.expect("no panic").expect("written") {
            Outcome::Counted => first += 1,
            Outcome::Changed | Outcome::Same => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(first, 301, "one first ballot for each voter");
    assert_eq!(ballots.counts().await[0], 301);
    let sql = "SELECT COUNT(*) AS n, COUNT(DISTINCT slot) AS chains FROM ballot_chain";
    let row = fetch_one(ballots.db.read(), sql, [])
        .await
        .unwrap()
        .unwrap();
    let (n, chains): (i64, i64) = (
        row.try_get("", "n").unwrap(),
        row.try_get("", "chains").unwrap(),
    );
    assert_eq!((n, chains), (2, 2), "both wrote");
    let found = verified(&ballots).await.findings;
    assert!(found.is_empty(), "{found:?}");
}

/// A double tap, or a retried answer, may be in the same group: each gets the same response as if it had come alone.
#[tokio::test]
async fn polls_answers_of_one_voter_in_a_group_are_told_what_each_did() {
    let (group, alone) = (
        opened(&["yes", "no"], 1, None).await,
        opened(&["yes", "no"], 1, None).await,
    );
    let options = ["1", "1", "2", "2", "1"];
    let mut slips: Vec<Slip> = options
        .iter()
        .map(|option| Slip::from(group.answer(7, &[option])))
        .collect();
    let mut known_better = group.answer(7, &["1"]);
    known_better.tier = Tier::Worked;
    slips.push(Slip::from(known_better));
    let told = ballots::commit(&group.db, &group.clock, 0, &slips)
        .await
        .unwrap();
    use Outcome::{Changed, Counted, Same};
    assert_eq!(told, [Counted, Same, Changed, Same, Changed, Changed]);
    for (option, told) in options.iter().zip(told) {
        assert_eq!(alone.cast(7, &[option]).await, told);
    }
    assert_eq!(group.counts().await, alone.counts().await);
    // If a voter's ballot already counts as a reader's, nothing in this group counts for it.
    let txn = group.db.write_txn("test").await.unwrap();
    let handed_over = "UPDATE ballot SET removed = 0";
    db::run(&*txn, handed_over, []).await.unwrap();
    txn.commit().await.unwrap();
    let told = ballots::commit(&group.db, &group.clock, 0, &slips)
        .await
        .unwrap();
    assert_eq!(told, [Outcome::HandedOver; 6]);
    let refused = polls::refused(group.db.read(), group.poll.id)
        .await
        .unwrap();
    assert_eq!(refused, [(RefusalReason::HandedOver, 6)]);
}
