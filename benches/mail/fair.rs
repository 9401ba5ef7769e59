//! What an issue whose provider is slow, or wants nothing, takes from another: at most a tenth is promised.
//!
//! The other one had all connections before, and gives them back one by one as its slow mails end: that is a second or two, which an issue of
//! seven seconds feels and one of half a minute hardly. Both are measured.

use std::time::Duration;

use super::relays::{self, SLOW_PROVIDER, THROTTLED_PROVIDER};
use super::sender::Program;
use super::{Bench, Case, FAR, RUNS, median, name, seed};

const CONNECTIONS: usize = 20;
/// Of the issue that is measured, with how often: seven seconds and half a minute at a relay that answers after 20 ms.
const READERS: [(usize, usize); 2] = [(6_000, RUNS), (24_000, 1)];
/// Of the other one: more than a slow provider takes meanwhile.
const OTHERS: usize = 10_000;

impl Bench {
    /// An issue alone, then the same beside one that goes to a provider in trouble.
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
                // It had all connections for a while before the one that is measured comes.
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            seed::hand_over(&db, Case::SMALL).await;
            program.sent(&db, readers, None).await.took
        })
    }
}
