//! How much an issue for a slow or refusing provider slows down another issue: at most by a tenth, that is the aim.
//!
//! The slow issue held all connections before, and gives them back one by one as its mails end. That takes a second
//! or two, which matters to an issue of seven seconds and hardly to one of half a minute. Both are measured.

use std::time::Duration;

use super::relays::{self, SLOW_PROVIDER, THROTTLED_PROVIDER};
use super::sender::Program;
use super::{Bench, Case, FAR, RUNS, median, name, seed};

const CONNECTIONS: usize = 20;
/// Readers of the measured issue, and how often it is measured: seven seconds and half a minute at a relay that
/// answers after 20 ms.
const READERS: [(usize, usize); 2] = [(6_000, RUNS), (24_000, 1)];
/// Readers of the other issue: more than a slow provider takes in that time.
const OTHERS: usize = 10_000;

impl Bench {
    /// Measures an issue alone, and then beside one for a provider in trouble.
    pub(super) fn fair(&self) {
        println!(
            "at a relay that answers after 20 ms, {CONNECTIONS} connections, alone and beside an issue of {OTHERS}; aim: 1.10 times"
        );
        for &postgres in self.databases() {
            for (readers, runs) in READERS {
                for (domain, what) in [
                    (SLOW_PROVIDER, "takes 1.5 s for each mail"),
                    (THROTTLED_PROVIDER, "defers every mail"),
                ] {
                    let (mut alone, mut beside, mut ratios) = (vec![], vec![], vec![]);
                    for _ in 0..runs {
                        let one = self.beside(postgres, readers, None).as_secs_f64();
                        let other = self.beside(postgres, readers, Some(domain));
                        alone.push(one);
                        beside.push(other.as_secs_f64());
                        ratios.push(other.as_secs_f64() / one);
                    }
                    let ratio = median(&mut ratios);
                    let outcome = if ratio <= 1.1 { "reached" } else { "missed" };
                    println!(
                        "{:10} {readers:6} recipients: {:.2} s alone, {:.2} s beside an issue whose provider {what}: \
                         {ratio:.3} times ({outcome}; median of {runs})",
                        name(postgres),
                        median(&mut alone),
                        median(&mut beside),
                    );
                }
            }
        }
    }

    fn beside(&self, postgres: bool, readers: usize, other: Option<&str>) -> Duration {
        let dir = tempfile::tempdir().unwrap();
        let database = self.database(dir.path(), postgres);
        self.runtime.block_on(async {
            let relay = relays::far_away(FAR).await;
            let db = seed::readers(&database, readers).await;
            if let Some(domain) = other {
                seed::another_issue(&db, domain, OTHERS).await;
            }
            let program = Program::serve(dir.path(), &database, relay, CONNECTIONS);
            if other.is_some() {
                // The other issue holds all connections for a while before the measured one comes.
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            seed::hand_over(&db, Case::SMALL).await;
            program.sent(&db, readers, None).await.took
        })
    }
}
