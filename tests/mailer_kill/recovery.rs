//! After a crash on SQLite nothing waits for a lease to run out: the lock of the data directory proves that no other
//! process runs.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::database::sqlite_needed;
use crate::support::trial::Trial;

/// Far less than a lease, and far more than a start and some hundred mails take on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_ten_minutes_delays_nobody_after_a_crash() {
    // On PostgreSQL other nodes may be working; only an expired lease proves that they are not.
    if !sqlite_needed() {
        return;
    }
    let mut trial = Trial::new("resend", 400).await;
    trial.calm(Duration::from_millis(10));
    trial.setup.lease_seconds = 600;
    trial.hand_over().await;
    for kill in 1..=2 {
        let mut node = trial.setup.start();
        trial.server.wait_for(kill * 100, AT_ONCE).await;
        node.kill();
        trial.note_kill(trial.setup.connections).await;
        assert!(!trial.finished().await, "it was killed in the middle");
    }
    let began = Instant::now();
    let _node = trial.setup.start();
    trial.finish(AT_ONCE).await;
    let verdict = trial.verdict().await;
    println!(
        "finished {:.1?} after the start: {verdict}",
        began.elapsed()
    );
    assert!(
        verdict.mails >= 400 && verdict.twice <= 2 * trial.setup.connections,
        "{verdict}"
    );
}
