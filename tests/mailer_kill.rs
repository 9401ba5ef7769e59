//! The kill loop: `kill -9` at random moments while issues are sent through a mail server that stalls, drops, defers
//! and refuses. The verdict is based on the server's record, which has each mail on disk before the server replies.
//!
//! Every run does the short form. The long one, about 200 kills on each database:
//!
//! ```text
//! tests/run --ignored two_hundred_kills
//! ```
//!
//! A run prints its seed; the moments of the kills still depend on the machine.

mod recovery;

use std::time::Duration;

use canvass::types::Random;
use tokio::time::Instant;

use crate::support::database::{server, server_needed};
use crate::support::trial::Trial;
use crate::support::wait::PATIENCE;

const PACE: Duration = Duration::from_millis(8);

struct Plan {
    in_doubt: &'static str,
    nodes: usize,
    kills: usize,
    readers: i64,
}

/// Kills until the plan is fulfilled, lets the program finish, and checks the verdict.
async fn survive(plan: &Plan) {
    let seed = u64::from_le_bytes(Random::System.bytes());
    let random = Random::seeded(seed);
    let mut trial = Trial::new(plan.in_doubt, plan.readers).await;
    trial.moody(seed, PACE);
    if plan.nodes > 1 {
        // So that a busy machine takes it from nobody who is alive.
        trial.setup.lease_seconds = 4;
    }
    trial.hand_over().await;
    let began = Instant::now();
    let mut nodes: Vec<_> = (0..plan.nodes).map(|_| trial.setup.start()).collect();
    for kill in 0..plan.kills {
        trial.enqueue(3).await;
        // Mostly while mails are sent, and sometimes while the program starts.
        let some = trial.server.count() + random.below(50) as usize;
        let enough = Instant::now() + Duration::from_millis(random.below(1_500));
        while trial.server.count() < some && Instant::now() < enough {
            tokio::time::sleep(Duration::from_millis(1 + random.below(15))).await;
        }
        let which = random.below(plan.nodes as u64) as usize;
        nodes[which].kill();
        // Checked now and again at the end: only mails that a kill left in doubt may arrive twice. The mails that the
        // other node is sending at this moment cannot be told from those.
        trial.note_kill(plan.nodes * trial.setup.connections).await;
        let refuses = kill == plan.kills / 2 || random.below(10) == 0;
        if refuses {
            trial.server.refuse_connections();
        }
        if random.below(4) == 0 {
            tokio::time::sleep(Duration::from_millis(random.below(300))).await;
        }
        nodes[which] = trial.setup.start();
        if refuses {
            // Long enough for the new process to hear it.
            let closed = Duration::from_millis(500 + random.below(2_000));
            tokio::time::sleep(closed).await;
            trial.server.accept_connections();
        }
        trial.let_time_pass().await;
        trial.numbers_add_up().await;
        if trial.finished().await {
            trial.hand_over().await;
        }
    }
    trial.finish(PATIENCE).await;
    drop(nodes);
    let verdict = trial.verdict().await;
    println!(
        "{} kills, {} node(s) of {} connections, {}, seed {seed}, {} issue(s), {:.0?}: {verdict}",
        plan.kills,
        plan.nodes,
        trial.setup.connections,
        plan.in_doubt,
        trial.issues.len(),
        began.elapsed()
    );
    let bound = plan.kills * trial.setup.connections;
    if plan.in_doubt == "hold" {
        assert_eq!(
            (verdict.twice, verdict.singles_twice),
            (0, 0),
            "seed {seed}"
        );
        assert!(
            verdict.unknown <= bound + verdict.kept,
            "seed {seed}: {verdict}"
        );
    } else {
        assert!(
            verdict.twice <= bound + verdict.kept,
            "seed {seed}: {verdict}"
        );
    }
}

fn plan(in_doubt: &'static str, nodes: usize, kills: usize, readers: i64) -> Plan {
    Plan {
        in_doubt,
        nodes,
        kills,
        readers,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nobody_and_doubles_at_most_one_mail_a_connection() {
    survive(&plan("resend", 1, 6, 300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_doubles_nobody_where_doubts_are_held() {
    survive(&plan("hold", 1, 6, 300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_of_one_of_two_nodes_loses_nobody() {
    // One process owns a SQLite directory, so there cannot be two nodes.
    if server_needed().is_none() {
        return;
    }
    survive(&plan("resend", 2, 6, 400)).await;
    survive(&plan("hold", 2, 4, 300)).await;
}

#[ignore = "the long form, some minutes: tests/run --ignored two_hundred_kills"]
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills() {
    let plans = if server().is_some() {
        vec![
            plan("resend", 1, 50, 900),
            plan("hold", 1, 50, 900),
            plan("resend", 2, 60, 900),
            plan("hold", 2, 60, 900),
        ]
    } else {
        vec![plan("resend", 1, 110, 900), plan("hold", 1, 110, 900)]
    };
    for plan in plans {
        survive(&plan).await;
    }
}
