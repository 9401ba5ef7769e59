//! What an issue takes from another whose provider is slow, or wants nothing: at most a tenth is promised.

use std::time::Duration;

use super::relays::{self, SLOW_PROVIDER, THROTTLED_PROVIDER};
use super::sender::Program;
use super::{Bench, Case, FAR, RUNS, median, name, seed};

const CONNECTIONS: usize = 20;
/// Of the issue that is measured: six seconds at a relay that answers after 20 ms.
const READERS: usize = 6_000;
/// Of the other one: more than a slow provider takes meanwhile.
const OTHERS: usize = 10_000;

impl Bench {
    /// An issue alone, then the same beside one that goes to a provider in trouble.
    pub(super) fn fair(&self) {
        println!(
            "{READERS} recipients at a relay that answers after 20 ms, {CONNECTIONS} connections, alone and beside an issue \
             of {OTHERS}; medians of {RUNS}; aim: 1.10 times"
        );
        for &postgres in self.databases() {
            for (domain, what) in [
                (SLOW_PROVIDER, "takes 1.5 s for each mail"),
                (THROTTLED_PROVIDER, "defers every mail"),
            ] {
                let (mut alone, mut beside, mut ratios) = (vec![], vec![], vec![]);
                for _ in 0..RUNS {
                    let one = self.beside(postgres, None).as_secs_f64();
                    let other = self.beside(postgres, Some(domain)).as_secs_f64();
                    alone.push(one);
                    beside.push(other);
                    ratios.push(other / one);
                }
                let ratio = median(&mut ratios);
                let outcome = if ratio <= 1.1 { "reached" } else { "missed" };
                println!(
                    "{:10} {:.2} s alone, {:.2} s beside an issue whose provider {what}: {ratio:.3} times ({outcome})",
                    name(postgres),
                    median(&mut alone),
                    median(&mut beside),
                );
            }
        }
    }

    fn beside(&self, postgres: bool, other: Option<&str>) -> Duration {
        let dir = tempfile::tempdir().unwrap();
        let database = self.database(dir.path(), postgres);
        self.runtime.block_on(async {
            let relay = relays::far_away(FAR).await;
            let db = seed::readers(&database, READERS).await;
            if let Some(domain) = other {
                seed::another_issue(&db, domain, OTHERS).await;
            }
            let program = Program::serve(dir.path(), &database, relay, CONNECTIONS);
            if other.is_some() {
                // It had all connections for a while before the one that is measured comes.
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            seed::hand_over(&db, Case::SMALL).await;
            program.sent(&db, READERS, None).await.took
        })
    }
}
