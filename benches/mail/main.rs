//! Mails per second to a relay that accepts everything, as a share of what that relay's own load generator reaches.
//!
//!     cargo bench --bench mail                    4 kB and 30 kB at 20 connections, both databases; DKIM; a far relay
//!     cargo bench --bench mail -- table           1, 10, 20 and 50 connections, 4 kB and 30 kB, both databases, with and without DKIM
//!     cargo bench --bench mail -- fair            an issue beside another whose provider is slow, or defers every mail
//!     cargo bench --bench mail -- long            10,000, 100,000 and 1,000,000 recipients, with editors' pages and confirmations meanwhile
//!
//! Alternating, three times, medians (of the shares, too, with the lowest and the highest: the speed of a shared machine
//! can double within a minute, and the share falls with it): `smtp-source` against `smtp-sink` (the limit), then Canvass against the same
//! sink with a durable ledger: SQLite with `synchronous=FULL`, or a PostgreSQL of its own with
//! `synchronous_commit=on`. The far relay answers after 20 ms; its limit is a pipelining client without a ledger.
//! The two programs come with Postfix and are required; PostgreSQL is skipped if it is not installed. Everything is
//! on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement")]

#[path = "../cluster.rs"]
mod cluster;
mod fair;
mod relays;
mod seed;
mod sender;
#[path = "../shares.rs"]
mod shares;

use std::path::Path;
use std::time::Duration;

use self::cluster::Cluster;
use self::relays::Sink;
use self::sender::{Program, Sent};
use self::shares::Shares;

const RUNS: usize = 3;
const RECIPIENTS: usize = 10_000;
const FAR: Duration = Duration::from_millis(20);

/// A row of a table.
#[derive(Clone, Copy)]
struct Case {
    octets: usize,
    connections: usize,
    recipients: usize,
    postgres: bool,
    /// Whether each mail is signed, with an RSA key of 2,048 bits and an Ed25519 one.
    signed: bool,
    /// Whether an editors' page is requested repeatedly meanwhile.
    watched: bool,
}

impl Case {
    /// Octets of a short mail.
    const SMALL: usize = 4_000;
}

struct Bench {
    sink: String,
    source: String,
    cluster: Option<Cluster>,
    runtime: tokio::runtime::Runtime,
}

fn main() {
    let Some((sink, source)) = relays::program("smtp-sink").zip(relays::program("smtp-source"))
    else {
        println!("skipped: smtp-sink and smtp-source are not installed (they come with postfix)");
        return;
    };
    let bench = Bench {
        sink,
        source,
        cluster: Cluster::start(),
        runtime: tokio::runtime::Runtime::new().unwrap(),
    };
    if bench.cluster.is_none() {
        println!("without PostgreSQL: it is not installed");
    }
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|w| !w.starts_with('-'))
        .collect();
    match words.first().map(String::as_str) {
        Some("table") => bench.table(),
        Some("fair") => bench.fair(),
        Some("long") => bench.long(),
        Some(other) => panic!("{other}? table, fair, long, or nothing"),
        None => bench.short(),
    }
}

impl Bench {
    fn databases(&self) -> &'static [bool] {
        match self.cluster {
            Some(_) => &[false, true],
            None => &[false],
        }
    }

    fn short(&self) {
        heading();
        for octets in [Case::SMALL, 30_000] {
            for &postgres in self.databases() {
                self.measure(Case {
                    octets,
                    connections: 20,
                    recipients: RECIPIENTS,
                    postgres,
                    signed: false,
                    watched: false,
                });
            }
        }
        for &postgres in self.databases() {
            self.measure(Case {
                octets: Case::SMALL,
                connections: 20,
                recipients: RECIPIENTS,
                postgres,
                signed: true,
                watched: false,
            });
        }
        for &postgres in self.databases() {
            self.far_away(postgres);
        }
    }

    fn table(&self) {
        heading();
        for &postgres in self.databases() {
            for octets in [Case::SMALL, 30_000] {
                for connections in [1, 10, 20, 50] {
                    for signed in [false, true] {
                        self.measure(Case {
                            octets,
                            connections,
                            recipients: RECIPIENTS,
                            postgres,
                            signed,
                            watched: false,
                        });
                    }
                }
            }
        }
        for &postgres in self.databases() {
            self.far_away(postgres);
        }
    }

    /// The small issue runs once before and twice after the large one, because the speed of the machine varies over
    /// time.
    fn long(&self) {
        const SMALL: usize = 10_000;
        const LARGE: usize = 1_000_000;
        println!(
            "4 kB, 20 connections; an issue's page and the overview are asked for in turn meanwhile, and four readers a second subscribe"
        );
        for &postgres in self.databases() {
            let mut small = vec![];
            let mut large = None;
            for recipients in [SMALL, 100_000, LARGE, SMALL, SMALL] {
                let sink = Sink::start(&self.sink);
                let case = Case {
                    octets: Case::SMALL,
                    connections: 20,
                    recipients,
                    postgres,
                    signed: false,
                    watched: true,
                };
                let sent = self.send(sink.port, case);
                let each = sent.took.as_secs_f64() * 1e6 / recipients as f64;
                println!(
                    "{:10} {recipients:9} recipients: {:6.0} mails/s, {each:6.1} µs a mail, first batch after {:.2} s, {:.2} CPU s per 1,000, peak {:.1} MB, pages p50 {:.1} ms p95 {:.1} ms max {:.1} ms ({} asked), confirmations p50 {:.0} ms p99 {:.0} ms ({} sent)",
                    name(postgres),
                    rate(recipients, sent.took),
                    sent.until_first.as_secs_f64(),
                    sent.cpu_seconds * 1_000.0 / recipients as f64,
                    sent.peak_mb,
                    share(&sent.pages_ms, 50),
                    share(&sent.pages_ms, 95),
                    share(&sent.pages_ms, 100),
                    sent.pages_ms.len(),
                    share(&sent.singles_ms, 50),
                    share(&sent.singles_ms, 99),
                    sent.singles_ms.len(),
                );
                match recipients {
                    SMALL => small.push(each),
                    LARGE => large = Some((each, sent)),
                    _ => {}
                }
            }
            let Some((each, sent)) = large else { continue };
            for (what, found, aim) in [
                ("peak, MB", sent.peak_mb, 57.0),
                (
                    "time a mail, of that of 10,000",
                    each / median(&mut small),
                    1.1,
                ),
                ("pages p95, ms", share(&sent.pages_ms, 95), 100.0),
                (
                    "confirmations p99, ms",
                    share(&sent.singles_ms, 99),
                    2_000.0,
                ),
            ] {
                let outcome = if found <= aim { "reached" } else { "missed" };
                println!(
                    "{:10} {LARGE:9} recipients: {what} {found:.2} (aim {aim}: {outcome})",
                    name(postgres),
                );
            }
        }
    }

    fn measure(&self, case: Case) {
        let (mut limit, mut ours, mut cpu, mut peak) = (vec![], vec![], vec![], vec![]);
        for _ in 0..RUNS {
            let sink = Sink::start(&self.sink);
            let took = relays::flood(
                &self.source,
                sink.port,
                case.connections,
                case.recipients,
                case.octets,
            );
            limit.push(rate(case.recipients, took));
            let sent = self.send(sink.port, case);
            ours.push(rate(case.recipients, sent.took));
            cpu.push(sent.cpu_seconds * 1_000.0 / case.recipients as f64);
            peak.push(sent.peak_mb);
        }
        let what = if case.signed { " with DKIM" } else { "" };
        let aim = match (case.signed, case.connections, case.octets, case.postgres) {
            (false, 20, Case::SMALL, false) => Some(60.0),
            (false, 20, Case::SMALL, true) => Some(50.0),
            (false, 20, 30_000, _) => Some(80.0),
            _ => None,
        };
        line(case, what, aim, [limit, ours, cpu, peak]);
    }

    /// A relay that answers after 20 ms.
    fn far_away(&self, postgres: bool) {
        let case = Case {
            octets: Case::SMALL,
            connections: 20,
            recipients: 4_000,
            postgres,
            signed: false,
            watched: false,
        };
        let (mut limit, mut ours, mut cpu, mut peak) = (vec![], vec![], vec![], vec![]);
        for _ in 0..RUNS {
            let port = self.runtime.block_on(relays::far_away(FAR));
            let took = relays::bare(port, case.connections, case.recipients, case.octets);
            limit.push(rate(case.recipients, self.runtime.block_on(took)));
            let sent = self.send(port, case);
            ours.push(rate(case.recipients, sent.took));
            cpu.push(sent.cpu_seconds * 1_000.0 / case.recipients as f64);
            peak.push(sent.peak_mb);
        }
        line(case, " 20 ms away", Some(90.0), [limit, ours, cpu, peak]);
    }

    fn send(&self, relay: u16, case: Case) -> Sent {
        let dir = tempfile::tempdir().unwrap();
        let database = self.database(dir.path(), case.postgres);
        self.runtime
            .block_on(send(dir.path(), &database, relay, case))
    }

    /// The URL of an empty database.
    fn database(&self, dir: &Path, postgres: bool) -> String {
        match (&self.cluster, postgres) {
            (Some(cluster), true) => cluster.database("bench"),
            _ => format!("sqlite:{}", dir.join("canvass.db").display()),
        }
    }
}

async fn send(dir: &Path, database: &str, relay: u16, case: Case) -> Sent {
    let db = seed::readers(database, case.recipients).await;
    if case.signed {
        Program::sign_as(dir, database, "example.org");
    }
    if !case.watched {
        seed::hand_over(&db, case.octets).await;
        let program = Program::serve(dir, database, relay, case.connections);
        return program.sent(&db, case.recipients, None).await;
    }
    let program = Program::serve(dir, database, relay, case.connections);
    let visits = program.visits(dir, database).await;
    seed::hand_over(&db, case.octets).await;
    program.sent(&db, case.recipients, Some(visits)).await
}

fn heading() {
    println!("{RECIPIENTS} recipients, medians of {RUNS}");
    println!(
        "database   octets  conns    limit/s     ours/s   share (from, to)   CPU s/1,000   peak MB"
    );
}

/// `numbers`: the limit and our rate, per second; CPU seconds for 1,000; the peak in MB. `aim`: the share to reach,
/// in percent.
fn line(case: Case, what: &str, aim: Option<f64>, numbers: [Vec<f64>; 4]) {
    let [limit, ours, ..] = &numbers;
    let Shares {
        median: share,
        low,
        high,
    } = Shares::of(ours, limit);
    let [limit, ours, cpu, peak] = numbers.map(|mut of_runs| median(&mut of_runs));
    let aim = aim.map_or(String::new(), |aim| {
        let outcome = if share >= aim { "reached" } else { "missed" };
        format!(" (aim {aim:.0} %: {outcome})")
    });
    println!(
        "{:10} {:6} {:6} {limit:10.0} {ours:10.0} {share:6.0} % ({low:3.0}, {high:3.0}) {cpu:13.3} {peak:9.1}{what}{aim}",
        name(case.postgres),
        case.octets,
        case.connections,
    );
}

fn name(postgres: bool) -> &'static str {
    if postgres { "PostgreSQL" } else { "SQLite" }
}

fn rate(mails: usize, took: Duration) -> f64 {
    mails as f64 / took.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The given percentile of sorted values.
fn share(ascending: &[f64], of_a_hundred: usize) -> f64 {
    match ascending.len() {
        0 => 0.0,
        n => ascending[(n * of_a_hundred / 100).min(n - 1)],
    }
}
