//! Durable answers per second, as a share of what an empty axum handler answers in the same run.
//!
//!     cargo bench --bench votes
//!
//! On SQLite (`synchronous=FULL`), and on a PostgreSQL of our own (default settings: `synchronous_commit=on`) if it
//! is installed. At 64 and 256 kept-alive connections, three times alternating, medians (of the shares, too, with the
//! lowest and the highest: the speed of a shared machine can double within a minute): `POST /nothing` on a bare
//! axum router (the limit), then `POST /p/trust` on the whole of Canvass, with a new voter each time: a browser
//! that never answered here, without scripts and (with the marker that the page made) with them; and at 64 connections
//! also browsers with a cookie from another poll, whose keys are spread over the table. No proof of work is sent: to
//! solve puzzles at this rate would take all processors. The load comes from tasks in this process, on the same threads as the server's. That is
//! the cheapest generator there is, so that the empty handler's rate is as high as it can be and our share of it is
//! not overstated. The cost of a disk flush is measured in the same directory.
//!
//! Then: a thousand duplicates of one voter at once, 256 voters at the same moment, and a database that hangs for
//! ten seconds while far more voters answer than fit into the queue. Every 303 must be a ballot in the tally,
//! everything else a 503 with `Retry-After` in time, and the chain must verify. Fails if one of these guarantees is
//! broken; rates are only reported, because they depend on the machine as well.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement")]

#[path = "../cluster.rs"]
mod cluster;
mod load;
mod promises;
#[path = "../shares.rs"]
mod shares;
mod stage;

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use self::cluster::Cluster;
use self::load::{Browsers, Limits, load};
use self::shares::Shares;
use self::stage::Stage;

const TURNS: usize = 3;
const EMPTY_LASTS: Duration = Duration::from_secs(2);
const VOTES_LAST: Duration = Duration::from_secs(4);
/// The target share of an empty handler's rate at 64 connections, in percent.
const AIM_SQLITE: f64 = 40.0;
const AIM_POSTGRES: f64 = 25.0;
const AIM_SLOW_MS: f64 = 50.0;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = Cluster::start();
    let mut broken = runtime.block_on(measure("SQLite", None, AIM_SQLITE));
    match &cluster {
        Some(cluster) => {
            let database = cluster.database("votes");
            let other = cluster.database("overload");
            broken += runtime.block_on(measure(
                "PostgreSQL",
                Some((&database, &other)),
                AIM_POSTGRES,
            ));
        }
        None => println!("PostgreSQL is not installed: only SQLite was measured."),
    }
    drop(cluster);
    std::process::exit(i32::from(broken != 0));
}

/// Measures one database; returns how many guarantees were broken. `urls`: two empty databases of a server.
async fn measure(name: &str, urls: Option<(&str, &str)>, aim: f64) -> usize {
    let dir = tempfile::tempdir().unwrap();
    println!("== {name}, in {}", dir.path().display());
    let flush = flush_ms(dir.path());
    println!(
        "a flush of 16 kB: median {:.2} ms, p99 {:.2} ms",
        flush.0, flush.1
    );
    let stage = Stage::open(dir.path(), urls.map(|urls| urls.0), 4_096).await;
    let empty = stage::nothing().await;
    let mut counted = 0;
    let scripted = Browsers::Scripted(stage.mark().await);
    for (connections, browsers) in [
        (64, Browsers::Plain),
        (256, Browsers::Plain),
        (64, scripted),
        (256, scripted),
        (64, Browsers::Returning),
    ] {
        let (mut limit, mut ours) = (Vec::new(), Vec::new());
        let (mut p50, mut p99, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
        let groups = stage.groups().await;
        let mut votes = 0;
        for _ in 0..TURNS {
            let nothing = Limits::new(connections, EMPTY_LASTS, b"200");
            limit.push(load(empty, "/nothing", nothing).await.rate);
            let before = cpu_seconds();
            let votes_now = Limits::new(connections, VOTES_LAST, b"303").by(browsers);
            let run = load(stage.address(), "/p/trust", votes_now).await;
            cpu.push((cpu_seconds() - before) * 1_000.0 / run.answers as f64);
            votes += run.answers;
            ours.push(run.rate);
            p50.push(run.p50_ms);
            p99.push(run.p99_ms);
        }
        counted += votes;
        let after = stage.groups().await;
        let Shares {
            median: share,
            low,
            high,
        } = Shares::of(&ours, &limit);
        let slow = median(&mut p99);
        let (limit, ours) = (median(&mut limit), median(&mut ours));
        println!(
            "{connections} connections{}: empty handler {limit:.0}/s, durable answers {ours:.0}/s = {share:.0} % ({low:.0} to {high:.0}){}",
            match browsers {
                Browsers::Plain => "",
                Browsers::Scripted(_) => ", browsers with scripts",
                Browsers::Returning => ", browsers with a cookie",
            },
            if connections == 64 && browsers != Browsers::Returning {
                format!(" (aim {aim:.0} %: {})", reached(share >= aim))
            } else {
                String::new()
            }
        );
        println!(
            "    p50 {:.1} ms, p99 {slow:.1} ms{}; {:.3} s of processor for 1,000 (the load's too); {:.0} answers a commit",
            median(&mut p50),
            if connections == 256 {
                format!(
                    " (aim {AIM_SLOW_MS:.0} ms: {})",
                    reached(slow < AIM_SLOW_MS)
                )
            } else {
                String::new()
            },
            median(&mut cpu),
            votes as f64 / (after - groups).max(1.0)
        );
    }
    let mut broken = stage.check("the load", counted).await;
    broken += promises::duplicates(&stage).await;
    broken += promises::at_once(&stage).await;
    stage.close().await;
    broken + promises::overload(urls.map(|urls| urls.1)).await
}

fn reached(yes: bool) -> &'static str {
    if yes { "reached" } else { "missed" }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The cost of overwriting 16 kB and flushing them here: median and 99th percentile, in milliseconds.
fn flush_ms(dir: &Path) -> (f64, f64) {
    let mut file = std::fs::File::create(dir.join("flush")).unwrap();
    file.write_all(&vec![0; 1 << 20]).unwrap();
    file.sync_all().unwrap();
    let mut took: Vec<f64> = (0..300)
        .map(|n| {
            use std::os::unix::fs::FileExt as _;
            let began = Instant::now();
            file.write_all_at(&[1; 16_384], n % 64 * 16_384).unwrap();
            file.sync_data().unwrap();
            began.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

/// CPU time of this process so far, without PostgreSQL's; 100 ticks are a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum::<f64>()
        / 100.0
}
