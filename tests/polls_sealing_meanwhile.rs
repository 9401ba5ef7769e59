//! While the files are scrubbed of a sealed poll, another poll goes on.

use std::sync::Arc;
use std::time::Duration;

use canvass::db;
use canvass::polls::ballots::record::record_closed;
use canvass::polls::ballots::seal::{scrub, seal_due};
use canvass::polls::ballots::{Outcome, Slip, commit};
use canvass::polls::{self, Definition, Poll, PollState, QuestionText, Stored};
use canvass::types::Random;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::polls_ballot_box::{Box, answer_to, opened};
use crate::polls_sealed::{DAY, count};
use crate::polls_verify::verified;
use crate::support::attacker::contains;
use crate::support::database::sqlite_needed;

const OTHERS: usize = 20_000;
const LEFT: &str = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' OR name LIKE '%anew%' OR name LIKE '%old%'";
/// Two tables with ballots: one of them is being copied, or deleted.
const HALF_DONE: &str =
    "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('ballot_anew', 'ballot_old')";
const SCRUBBED: &str = "SELECT COUNT(*) FROM poll WHERE scrubbed_ms IS NOT NULL";

/// A poll that is answered, and one beside it that was sealed, whose ballots lie before and after those of the first.
async fn beside_a_sealed_one(others: usize) -> (Arc<Box>, Arc<Poll>) {
    let open = opened(&["yes", "no"], 1, None).await;
    let (db, clock) = (&open.db, &open.clock);
    let question = QuestionText {
        text: "And this?".into(),
        options: ["yes", "no"].map(Into::into).to_vec(),
        ..QuestionText::default()
    };
    let definition = Definition::new("closed", vec![question]);
    let txn = db.write_txn("test").await.unwrap();
    let (random, now) = (Random::seeded(2), clock.now());
    let state = PollState::Published;
    let stored = polls::create(&txn, &random, now, &definition, state).await;
    txn.commit().await.unwrap();
    let Stored::Yes(id) = stored.unwrap() else {
        panic!("not stored")
    };
    let closed = Arc::new(polls::by_id(db, id).await.unwrap().unwrap());
    let mut slips: Vec<Slip> = (0..others)
        .map(|who| Slip::from(open.answer(who, &[["1", "2"][who % 2]])))
        .collect();
    slips.extend((0..500).map(|who| Slip::from(answer_to(&closed, who, &["2"]))));
    for group in slips.chunks(500) {
        commit(db, clock, 0, group).await.unwrap();
    }
    let txn = db.write_txn("test").await.unwrap();
    let sql = "UPDATE poll SET state = 2, closed_ms = $1 WHERE slug = 'closed'";
    db::run(&*txn, sql, [now.into()]).await.unwrap();
    txn.commit().await.unwrap();
    record_closed(db, now).await.unwrap();
    clock.advance(DAY * 7);
    let sealed = seal_due(db, clock.now(), 7).await.unwrap();
    assert_eq!(sealed.polls.len(), 1);
    (Arc::new(open), closed)
}

/// Nothing of the sealed poll is left in the files, nothing of the other one is lost, and no table too many is left.
async fn is_clean(open: &Box, closed: &Poll, ballots: i64) {
    let verified = verified(open).await;
    assert_eq!(verified.findings, Vec::<String>::new());
    assert_eq!(verified.ballots, ballots);
    assert_eq!(count(&open.db, LEFT).await, 0);
    let closed = Arc::new(closed.clone());
    for end in ["", "-wal"] {
        let file = open.database.dir.path().join(format!("canvass.db{end}"));
        let file = std::fs::read(file).unwrap_or_default();
        assert!(!contains(&file, closed.secret.bytes()), "the secret");
        for who in [0, 7, 250, 499] {
            let voter = answer_to(&closed, who, &["2"]).voter;
            assert!(!contains(&file, &voter), "the ballot of {who}");
        }
    }
}

fn scrubbing(open: &Box) -> JoinHandle<()> {
    let (db, now) = (open.db.clone(), open.clock.now());
    tokio::spawn(async move {
        let end = Instant::now() + Duration::from_secs(600);
        while !scrub(&db, now).await.unwrap() {
            assert!(Instant::now() < end, "never scrubbed");
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_sealing_lets_votes_pass_while_the_files_are_scrubbed() {
    if !sqlite_needed() {
        return;
    }
    let (open, closed) = beside_a_sealed_one(OTHERS).await;
    let scrubbing = scrubbing(&open);
    let half_done = async || count(&open.db, HALF_DONE).await > 0;
    let (mut cast, mut between) = (0, 0);
    while !scrubbing.is_finished() {
        let begun = half_done().await;
        // A new one, then one that changes, from either end of the table.
        let who = if cast % 2 == 0 {
            OTHERS + cast
        } else {
            cast * 31
        };
        let options = [["1"], ["2"]][(cast / 2 + 1) % 2];
        open.cast(who, &options).await;
        cast += 1;
        between += usize::from(begun && half_done().await);
    }
    scrubbing.await.unwrap();
    // There is room for twenty, but on a busy machine this task does not get its turn after each piece.
    assert!(between > 0, "no answer came in between");
    let all = count(&open.db, "SELECT COUNT(*) FROM ballot").await;
    assert!(all > OTHERS as i64);
    is_clean(&open, &closed, all).await;
}

/// Whatever it had done when it was broken off, the next attempt begins anew, and no answer is lost.
#[tokio::test(flavor = "multi_thread")]
async fn polls_sealing_begins_again_where_the_scrubbing_was_broken_off() {
    if !sqlite_needed() {
        return;
    }
    let (open, closed) = beside_a_sealed_one(OTHERS).await;
    let (mut lives, mut cast, mut broken_off) = (Duration::from_millis(20), 0, 0);
    while count(&open.db, SCRUBBED).await == 0 {
        assert!(cast < 1_000, "never scrubbed");
        let _ = timeout(lives, scrub(&open.db, open.clock.now())).await;
        broken_off += i64::from(count(&open.db, HALF_DONE).await > 0);
        let outcome = open.cast(OTHERS + cast, &["1"]).await;
        assert_eq!(outcome, Outcome::Counted);
        let outcome = open.cast(cast * 31, &[["2"], ["1"]][cast % 2]).await;
        assert_eq!(outcome, Outcome::Changed, "{cast}");
        cast += 1;
        lives += Duration::from_millis(30);
    }
    assert!(broken_off > 0, "it was never in the middle");
    is_clean(&open, &closed, (OTHERS + cast) as i64).await;
}

/// What a killed server leaves behind is there while the next one already takes answers.
#[tokio::test(flavor = "multi_thread")]
#[cfg(debug_assertions)]
async fn polls_a_crash_at_any_step_of_the_scrubbing_loses_no_answer() {
    use crate::support::node::Setup;
    use crate::support::wait::{self, PATIENCE};
    use canvass::config::SCRUB_CRASH_POINTS;

    const LONG: usize = 5_000;
    if !sqlite_needed() {
        return;
    }
    let (open, closed) = beside_a_sealed_one(LONG).await;
    let setup = Setup::new(&open.database, "smtp://127.0.0.1:9".to_owned());
    for (who, point) in SCRUB_CRASH_POINTS.into_iter().enumerate() {
        let mut setup = setup.clone();
        setup.crash_at = Some(point.to_owned());
        setup.start().aborted(PATIENCE).await;
        assert!(count(&open.db, LEFT).await > 0, "{point}");
        let outcome = open.cast(LONG + who, &["1"]).await;
        assert_eq!(outcome, Outcome::Counted, "{point}");
        let outcome = open.cast(who * 31, &[["2"], ["1"]][who % 2]).await;
        assert_eq!(outcome, Outcome::Changed, "{point}");
    }
    let _node = setup.start();
    wait::until("the files are scrubbed", async || {
        count(&open.db, SCRUBBED).await > 0
    })
    .await;
    is_clean(&open, &closed, (LONG + SCRUB_CRASH_POINTS.len()) as i64).await;
}

/// Consent is withdrawn while the table with the linked answers is written anew: the old table has them for a while.
#[tokio::test(flavor = "multi_thread")]
async fn polls_sealing_lets_no_linked_answer_outlive_its_erasure() {
    const READERS: i64 = 20_000;
    if !sqlite_needed() {
        return;
    }
    let open = opened(&["yes", "no"], 1, None).await;
    let (db, now) = (open.db.clone(), open.clock.now());
    let txn = db.write_txn("test").await.unwrap();
    let words = polls::keep_link_words(&txn, "You may write to me.", now);
    let words = words.await.unwrap();
    let readers = format!(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {READERS}) \
         INSERT INTO reader (id, email_key, email, created_ms) SELECT n, 'r' || n, 'r' || n, 1 FROM number"
    );
    let links = format!(
        "INSERT INTO ballot_link (poll_id, reader_id, choices, link_text_id, agreed_ms, linked_ms, changed_ms) \
         SELECT {}, id, X'01', {words}, 1, 1, 1 FROM reader",
        open.poll.id.0
    );
    for sql in [readers, links] {
        db::run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    for round in [1, 2] {
        let scrubbing = tokio::spawn({
            let db = db.clone();
            async move { while !db.scrub(&["ballot_link"], "poll").await.unwrap() {} }
        });
        // From the end, where the old rows stay the longest.
        let (before, mut last) = (READERS / round, READERS / round);
        while !scrubbing.is_finished() {
            let txn = db.write_txn("test").await.unwrap();
            let old = "SELECT name FROM sqlite_master WHERE name = 'ballot_link_old'";
            let old: Option<String> = db::find_value(&*txn, old, []).await.unwrap();
            if old.is_some() {
                for sql in [
                    "DELETE FROM ballot_link WHERE reader_id = $1",
                    "UPDATE ballot_link SET choices = X'02' WHERE reader_id = $1 - 1",
                ] {
                    db::run(&*txn, sql, [last.into()]).await.unwrap();
                }
                let left = "SELECT COUNT(*) FROM ballot_link_old WHERE reader_id IN ($1, $1 - 1)";
                let left: Option<i64> = db::find_value(&*txn, left, [last.into()]).await.unwrap();
                assert_eq!(left, Some(0), "their old answers are still there");
                last -= 2;
            }
            txn.commit().await.unwrap();
        }
        scrubbing.await.unwrap();
        assert!(last < before, "it was done at once");
        let changed = "SELECT COUNT(*) FROM ballot_link WHERE choices = X'02'";
        assert!(count(&db, changed).await >= (before - last) / 2);
        let index = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'ballot_link_of' AND tbl_name = 'ballot_link'";
        assert_eq!(count(&db, index).await, 1);
        assert_eq!(count(&db, LEFT).await, 0);
    }
}

/// `cargo test --release --test canvass polls_sealing_measured -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "casts hundreds of thousands of answers and measures"]
async fn polls_sealing_measured_by_the_longest_wait_of_a_vote() {
    let (open, _) = beside_a_sealed_one(400_000).await;
    let (scrubbing, began) = (scrubbing(&open), Instant::now());
    let (mut longest, mut cast) = (Duration::ZERO, 0);
    while !scrubbing.is_finished() {
        let asked = Instant::now();
        open.cast(1_000_000 + cast, &["1"]).await;
        longest = longest.max(asked.elapsed());
        cast += 1;
    }
    println!(
        "scrubbed in {:?}; {cast} answers meanwhile, the slowest in {longest:?}",
        began.elapsed()
    );
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}
