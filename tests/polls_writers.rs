//! Two writers of ballots in one process: as many ballots as voters, whoever writes them.

use canvass::db::fetch_one;
use canvass::db::group_commit::{GroupCommit, Queue};
use canvass::polls::ballots::{self, Outcome, Slip, Writers};

use crate::polls_ballot_box::opened;
use crate::polls_verify::verified;

#[tokio::test(flavor = "multi_thread")]
async fn polls_two_writers_keep_one_ballot_for_each_voter_and_a_chain_each() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    let line = Queue {
        name: "ballots",
        capacity: 4_096,
        largest: 40,
        gathers: true,
    };
    let writers = Writers::new([0, 32].into_iter().map(|slot| {
        let (db, clock) = (ballots.db.clone(), ballots.clock.clone());
        GroupCommit::start(line, move |group: Vec<Slip>| {
            let (db, clock) = (db.clone(), clock.clone());
            async move { ballots::commit(&db, &clock, slot, &group).await }
        })
    }));
    // 300 voters three times each, and one who cannot decide: all at the same moment.
    let answers = (0..900).map(|n| (n % 300, if n % 2 == 0 { "1" } else { "2" }));
    let undecided = (0..200).map(|n| (300, if n % 2 == 0 { "1" } else { "2" }));
    let sent = answers.chain(undecided).map(|(who, option)| {
        let slip = Slip::Answer(ballots.answer(who, &[option]));
        let writers = writers.clone();
        tokio::spawn(async move { writers.submit(slip).await })
    });
    let mut first = 0;
    for outcome in futures::future::join_all(sent).await {
        match outcome.expect("no panic").expect("written") {
            Outcome::Counted => first += 1,
            Outcome::Changed | Outcome::Same => {}
            other => panic!("{other:?}"),
        }
    }
    // Several answers of one voter in a group are one change, and each of them is told so.
    assert!(first >= 301, "{first}");
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
