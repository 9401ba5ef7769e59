//! The kill loop of linked answers: `kill -9` at random moments while readers answer with and without the tick.
//! Afterwards each link must say what the ballot says, and a reader whose last answer got a 303 must be linked
//! exactly if the box was ticked.

use std::time::Duration;

use canvass::db::{fetch_one, run};
use canvass::polls;
use canvass::polls::ballots::verify;
use canvass::types::varint::pack;
use canvass::types::{Keys, PollId, Purpose, Secret};

use crate::polls_ballot_box::opened;
use crate::polls_linked::WORDS;
use crate::support::kill_loop::{KillLoop, Readers};

const LANES: i64 = 8;
const READERS: i64 = 4;

/// The last answer of a reader that got a response: the option, and whether the box was ticked; `None` if it is
/// unknown whether it is in.
type Told = Option<(i64, bool)>;

/// The readers of a lane answer in turn, until told to stop.
async fn lane(port: u16, poll: PollId, lane: i64, all: Readers) -> Vec<(i64, Told)> {
    let keys = Keys::new(&Secret::new("a secret key of at least 32 characters")).unwrap();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let mut told: Vec<(i64, Told)> = (1..=READERS)
        .map(|n| (lane * READERS + n, Some((0, false))))
        .collect();
    let mut n = 0_usize;
    while all.go_on() {
        n += 1;
        let (option, ticked) = ((n as i64) % 3 + 1, n.is_multiple_of(2));
        let at = n % told.len();
        let cookie = keys.seal(Purpose::Ballot, &pack(&[poll.0, told[at].0]));
        let tick = if ticked { "&link=on" } else { "" };
        let sent = client
            .post(format!("http://127.0.0.1:{port}/p/trust"))
            .header("cookie", format!("__Host-canvass_ballot_trust={cookie}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("option={option}{tick}"))
            .send()
            .await;
        match sent {
            Ok(answer) if answer.status() == 303 => {
                told[at].1 = Some((option, ticked));
                all.count();
            }
            // The answer was never sent.
            Err(error) if error.is_connect() => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            _ => {
                told[at].1 = None;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_linked_a_kill_leaves_links_and_ballots_in_agreement() {
    let ballots = opened(&["yes", "no", "unsure"], 1, None).await;
    let (db, poll) = (&ballots.db, ballots.poll.id);
    let txn = db.write_txn("test").await.unwrap();
    let words = canvass::polls::keep_link_words(&txn, WORDS, ballots.clock.now());
    let words = words.await.unwrap();
    run(
        &*txn,
        "UPDATE poll SET linked = 1, link_text_id = $1",
        [words.into()],
    )
    .await
    .unwrap();
    for id in 1..=LANES * READERS {
        let sql = "INSERT INTO reader (id, email_key, email, created_ms) VALUES ($1, $2, $2, 1)";
        run(&*txn, sql, [id.into(), format!("r{id}@example.org").into()])
            .await
            .unwrap();
    }
    txn.commit().await.unwrap();
    let program = KillLoop::new(&ballots.database);
    let (seed, readers) = (program.seed, program.readers.clone());
    let lanes: Vec<_> = (0..LANES)
        .map(|n| tokio::spawn(lane(program.port, poll, n, readers.clone())))
        .collect();
    let told = program
        .run(4, 40..190, lanes, async || {
            let found = verify(db, poll).await.unwrap().unwrap().findings;
            assert_eq!(found, Vec::<String>::new(), "seed {seed}, after a kill");
        })
        .await;
    assert!(readers.answered() > 160);
    let stored = polls::by_id(db, poll).await.unwrap().unwrap();
    let mut sure = 0;
    for (reader, told) in told {
        let Some((option, ticked)) = told.filter(|(option, _)| *option != 0) else {
            continue;
        };
        sure += 1;
        let sql = "SELECT choices FROM ballot_link WHERE poll_id = $1 AND reader_id = $2";
        let row = fetch_one(db.read(), sql, [poll.into(), reader.into()]).await;
        let linked: Option<Vec<u8>> = row.unwrap().map(|row| row.try_get("", "choices").unwrap());
        let said = pack(&[stored.option(option).unwrap().id.0]);
        assert_eq!(
            linked,
            ticked.then_some(said),
            "seed {seed}, reader {reader}"
        );
    }
    assert!(sure > 0, "seed {seed}");
    let verified = verify(db, poll).await.unwrap().unwrap();
    assert_eq!(verified.findings, Vec::<String>::new(), "seed {seed}");
    println!(
        "seed {seed}: {} answers with 303, {} links, {sure} readers compared",
        readers.answered(),
        verified.linked
    );
}
