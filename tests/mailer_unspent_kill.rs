//! The program dies while intents are taken back. The verdict is based on the mail server's record, which has none of
//! the messages that it sent away.

use std::time::Duration;

use futures::stream::{self, StreamExt as _};

use crate::support::smtp_server::{Act, At};
use crate::support::trial::{Trial, Verdict};
use crate::support::wait::PATIENCE;

const READERS: i64 = 30;

/// The first message is sent away, and the program dies at `point`; then it is restarted, and the server accepts
/// everything.
async fn crash(in_doubt: &'static str, point: &str) -> Verdict {
    let mut trial = Trial::new(in_doubt, READERS).await;
    trial.setup.connections = 1;
    let away = Act::Say("421 4.3.2 closing".to_owned());
    trial.server.rule(At::Dot, "", away, Some(1));
    trial.hand_over().await;
    let mut setup = trial.setup.clone();
    setup.crash_at = Some(point.to_owned());
    let mut node = setup.start();
    node.aborted(PATIENCE).await;
    assert_eq!(trial.server.count(), 0, "{point}: it died after the first");
    let _node = trial.setup.start();
    trial.finish(PATIENCE).await;
    trial.verdict().await
}

/// Crash points before the taking back is on disk: after the restart the program no longer knows the reply.
const BEFORE: [&str; 2] = ["after_reply:1", "in_ledger_commit:2"];
/// Crash points after it is on disk.
const AFTER: [&str; 2] = ["after_ledger_commit:2", "after_batch_end:1"];

#[tokio::test(flavor = "multi_thread")]
#[cfg(debug_assertions)]
async fn a_crash_around_an_intent_that_is_taken_back_loses_and_doubles_nobody() {
    let cases = BEFORE.into_iter().chain(AFTER);
    let cases = cases.flat_map(|point| [("hold", point), ("resend", point)]);
    let trials = cases.map(|(in_doubt, point)| async move {
        let told = crash(in_doubt, point).await;
        let expected = match in_doubt {
            "hold" if BEFORE.contains(&point) => (29, 0, 1),
            _ => (30, 0, 0),
        };
        let found = (told.mails, told.twice, told.unknown);
        assert_eq!(found, expected, "{in_doubt}, {point}");
    });
    // Four at a time, because a trial mostly waits for leases and for the relay's rest.
    stream::iter(trials)
        .buffer_unordered(4)
        .collect::<()>()
        .await;
}

/// A relay that sends away a third of all messages, and a program that is killed again and again.
#[tokio::test(flavor = "multi_thread")]
async fn kills_beside_a_relay_that_sends_messages_away_lose_and_double_nobody() {
    tokio::join!(
        killed_again_and_again("hold"),
        killed_again_and_again("resend")
    );
}

async fn killed_again_and_again(in_doubt: &'static str) {
    let mut trial = Trial::new(in_doubt, 300).await;
    trial.setup.connections = 4;
    let random = canvass::types::Random::seeded(421);
    trial.server.whim(move |at, _| match at {
        At::Dot if random.below(3) == 0 => Some(Act::Say("421 4.3.2 closing".to_owned())),
        At::Dot => Some(Act::Wait(Duration::from_millis(5))),
        _ => None,
    });
    trial.hand_over().await;
    let kills = 6;
    for n in 0..kills {
        let mut node = trial.setup.start();
        // At different moments of the first mails and of the relay's first rest.
        tokio::time::sleep(Duration::from_millis(900 + 170 * n)).await;
        node.kill();
        trial.let_time_pass().await;
    }
    trial.server.forgive();
    trial.server.whim(|_, _| None);
    let _node = trial.setup.start();
    trial.finish(PATIENCE).await;
    let verdict = trial.verdict().await;
    println!("{kills} kills, {in_doubt}: {verdict}");
    assert_eq!(verdict.failed + verdict.skipped, 0);
    let bound = kills as usize * trial.setup.connections;
    if in_doubt == "hold" {
        assert_eq!(verdict.twice, 0);
        assert!(verdict.unknown <= bound);
    } else {
        assert!(verdict.twice <= bound);
    }
}
