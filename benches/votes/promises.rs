//! Guarantees that must hold at any rate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use canvass::db::{Backend, group_commit, run};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::load::Client;
use super::stage::Stage;

const DUPLICATES: usize = 1_000;
const CONNECTIONS: usize = 100;
const VOTERS: usize = 256;

/// How long the database hangs: longer than [`group_commit::PATIENCE`].
const HANGS: Duration = Duration::from_secs(10);
/// The number of clients that keep answering, and the capacity of the queue.
const CLIENTS: usize = 512;
const QUEUE: usize = 128;
/// The pause between a refusal and the next attempt.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest wait for a 503: the patience, plus the interval at which the queue is checked.
const LONGEST: Duration = group_commit::PATIENCE.saturating_add(Duration::from_secs(2));

/// A thousand simultaneous answers of one voter must give one ballot.
pub async fn duplicates(stage: &Stage) -> usize {
    let before = stage.voters().await;
    let start = Arc::new(Barrier::new(CONNECTIONS));
    let mut asking = JoinSet::new();
    for n in 0..CONNECTIONS {
        let (to, start) = (stage.address(), start.clone());
        asking.spawn(async move {
            let marker = "Cookie: canvass_voter=one-voter-of-a-thousan\r\n";
            let mut client = Client::open(to, "/p/trust", n % 2 + 1, marker).await;
            start.wait().await;
            for _ in 0..DUPLICATES / CONNECTIONS {
                assert_eq!(&client.ask().await.status, b"303");
            }
        });
    }
    asking.join_all().await;
    let made = stage.voters().await - before;
    println!("{DUPLICATES} answers of one voter, {CONNECTIONS} at a time: {made} ballot");
    usize::from(made != 1) + stage.check("with the duplicates", before + 1).await
}

/// This many voters at the same moment must all be counted.
pub async fn at_once(stage: &Stage) -> usize {
    let before = stage.voters().await;
    let start = Arc::new(Barrier::new(VOTERS));
    let mut asking = JoinSet::new();
    for n in 0..VOTERS {
        let (to, start) = (stage.address(), start.clone());
        asking.spawn(async move {
            let mut client = Client::open(to, "/p/trust", n % 2 + 1, "").await;
            start.wait().await;
            let sent = Instant::now();
            assert_eq!(&client.ask().await.status, b"303");
            sent.elapsed()
        });
    }
    let longest = asking.join_all().await.into_iter().max().unwrap();
    println!("{VOTERS} voters at the same moment: the last had its answer after {longest:.1?}");
    stage.check("with those", before + VOTERS as u64).await
}

/// The responses that the clients of the overload test got.
#[derive(Default)]
struct Told {
    counted: u64,
    refused: u64,
    wrong: u64,
    longest_refusal: Duration,
    longest: Duration,
}

/// The database hangs while far more voters answer than fit into the queue.
pub async fn overload(url: Option<&str>) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::open(dir.path(), url, QUEUE).await;
    let until = Instant::now() + HANGS + Duration::from_secs(3);
    let mut asking = JoinSet::new();
    for n in 0..CLIENTS {
        let to = stage.address();
        asking.spawn(async move {
            let mut client = Client::open(to, "/p/trust", n % 2 + 1, "").await;
            let mut told = Told::default();
            while Instant::now() < until {
                let sent = Instant::now();
                let answer = client.ask().await;
                let waited = sent.elapsed();
                told.longest = told.longest.max(waited);
                match (&answer.status, answer.says_when) {
                    (b"303", _) => told.counted += 1,
                    (b"503", true) => {
                        told.refused += 1;
                        told.longest_refusal = told.longest_refusal.max(waited);
                        tokio::time::sleep(PAUSE).await;
                    }
                    _ => told.wrong += 1,
                }
            }
            told
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let hangs = stage.app.db.write_txn("drill").await.unwrap();
    if stage.app.db.backend() == Backend::Postgres {
        run(&*hangs, "SELECT id FROM poll FOR UPDATE", [])
            .await
            .unwrap();
    }
    tokio::time::sleep(HANGS).await;
    drop(hangs);
    let mut all = Told::default();
    for told in asking.join_all().await {
        all.counted += told.counted;
        all.refused += told.refused;
        all.wrong += told.wrong;
        all.longest_refusal = all.longest_refusal.max(told.longest_refusal);
        all.longest = all.longest.max(told.longest);
    }
    println!(
        "overload: {CLIENTS} clients, a queue of {QUEUE}, a database that hangs for {HANGS:?}: {} counted, {} refused with Retry-After, \
         {} otherwise; the longest wait for a refusal {:.1?} (allowed {LONGEST:?}), for any answer {:.1?}",
        all.counted, all.refused, all.wrong, all.longest_refusal, all.longest
    );
    let mut broken = usize::from(all.wrong != 0 || all.refused == 0);
    broken += usize::from(all.longest_refusal > LONGEST);
    broken += stage.check("after the overload", all.counted).await;
    stage.close().await;
    broken
}
