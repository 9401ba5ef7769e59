//! The lanes: tasks that hold a connection each and look for work.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{
    leases,
    mailing::{self, Ended, Ledger},
    measure, outbox,
    status::Doing,
    transport::{self, Line},
};
use crate::{app::App, db::DbErr, panics};

/// Between looks of the reserved lane: what bounds the wait of a mail that another node enqueued, or whose time comes.
const LOOK: Duration = Duration::from_millis(250);
/// Between looks of the other lanes: they are woken when there is something.
const LOOK_IDLE: Duration = Duration::from_secs(2);
/// A connection without work is closed after this.
const IDLE: Duration = Duration::from_secs(5);
/// Between looks at relays that rest: their day may have ended.
const RELAY_LOOK: Duration = Duration::from_secs(1);
/// The lane for single mails only.
const RESERVED: usize = 0;
/// After an error of the database.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);
/// Between looks at what is only measured.
const MEASURE: Duration = Duration::from_secs(5);

/// Starts the lanes and what keeps them going. They end when [`Parts::stopping`](crate::app::Parts) is cancelled, after the
/// mail each has in hand.
pub fn start(app: &App, tasks: &TaskTracker) {
    let ledger = mailing::start_ledger(app);
    let (at_work, all_gone) = mpsc::channel(1);
    // One more than configured is reserved: single mails never wait for a batch.
    for number in 0..=app.config.mail.connections {
        let (at_work, keep) = (
            at_work.clone(),
            keep(app.clone(), ledger.clone(), number as usize),
        );
        tasks.spawn(async move {
            keep.await;
            drop(at_work);
        });
    }
    // It outlives the stop for as long as lanes do: what is on the wire then is still in hand.
    tasks.spawn(heartbeat(app.clone(), all_gone));
    let app = app.clone();
    tasks.spawn(async move { panics::kept("upkeep", || upkeep(app.clone())).await });
}

/// A lane that panicked is begun again; its batch is free when its lease has run out, on SQLite at once.
async fn keep(app: App, ledger: Ledger, number: usize) {
    panics::kept("lane", || lane(app.clone(), ledger.clone(), number)).await;
}

async fn lane(app: App, ledger: Ledger, number: usize) {
    let reserved = number == RESERVED;
    let mut line = Line::new(&app, reserved);
    let mut bell = app.db.bell().listen();
    let mut idle = Duration::ZERO;
    while !app.stopping.is_cancelled() {
        if let Some(wait) = line.wait() {
            app.mailer.report(&app, number, Doing::WaitsForRelay);
            line.close().await;
            pause(&app, wait.min(RELAY_LOOK)).await;
            continue;
        }
        bell.mark_unchanged();
        match look(&app, &ledger, &mut line, number).await {
            Ok(true) => idle = Duration::ZERO,
            Ok(false) => {
                app.mailer.report(&app, number, Doing::Idle);
                let wait = if reserved { LOOK } else { LOOK_IDLE };
                idle += wait;
                if idle >= IDLE {
                    line.close().await;
                }
                rest(&app, &mut bell, wait).await;
            }
            Err(error) => {
                tracing::error!(%error, "a mail lane waits for the database");
                pause(&app, DATABASE_PAUSE).await;
            }
        }
    }
    line.close().await;
    if let Err(error) = transport::give_back(&app, true).await {
        tracing::error!(%error, "a relay's count of the day could not be corrected");
    }
}

/// Does what is due; single mails first. Returns whether there was anything.
async fn look(app: &App, ledger: &Ledger, line: &mut Line, number: usize) -> Result<bool, DbErr> {
    if outbox::any_due(app).await? {
        app.mailer.report(app, number, Doing::SingleMail);
        if outbox::work(app, line).await? {
            return Ok(true);
        }
    }
    if number == RESERVED || line.wait().is_some() {
        return Ok(false);
    }
    let Some(holding) = mailing::lease(app).await? else {
        return Ok(false);
    };
    metrics::counter!("canvass_mail_batches_total").increment(1);
    let issue = holding.issue();
    app.mailer.report(app, number, Doing::Issue { issue });
    match mailing::run(app, ledger, line, number, holding).await {
        Ended::Well => {}
        Ended::Badly => {
            pause(app, DATABASE_PAUSE).await;
        }
    }
    Ok(true)
}

/// Nothing is ever sent through `lanes`: it closes when the last lane ends.
async fn heartbeat(app: App, mut lanes: mpsc::Receiver<()>) {
    let mut wait = leases::heartbeat(&app);
    loop {
        tokio::select! {
            _ = lanes.recv() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = leases::heartbeat(&app);
        // Whatever becomes of one renewal: without the next ones every lease would run out.
        match panics::caught("heartbeat", leases::renew(&app)).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => tracing::error!(%error, "leases could not be renewed"),
            Err(_) => {}
        }
        wait = wait.min(DATABASE_PAUSE);
    }
}

/// Freezes audiences, writes off what was cancelled, ends what is over, measures.
async fn upkeep(app: App) {
    let mut bell = app.db.bell().listen();
    let mut due = Instant::now();
    while !app.stopping.is_cancelled() {
        bell.mark_unchanged();
        app.mailer.domains.tick();
        // Each of them, whatever becomes of the others.
        let failed = [
            outbox::tick(&app).await.err(),
            mailing::look(&app).await.err(),
            transport::give_back(&app, false).await.err(),
            mailing::tick(&app).await.err(),
        ];
        if let Some(error) = failed.into_iter().flatten().next() {
            tracing::error!(%error, "the mail upkeep waits for the database");
            pause(&app, DATABASE_PAUSE).await;
        }
        let measured = async {
            measure::outbox(&app).await?;
            if due <= Instant::now() {
                due = Instant::now() + MEASURE;
                measure::relays(&app);
                measure::mailings(&app).await?;
            }
            Ok::<_, DbErr>(())
        };
        if let Err(error) = measured.await {
            tracing::warn!(%error, "the mail could not be measured");
        }
        // Rung by each commit with a mail: not more often than this.
        pause(&app, LOOK).await;
        rest(&app, &mut bell, LOOK * 2).await;
    }
}

/// Waits for the bell, the time, or the stop.
async fn rest(app: &App, bell: &mut watch::Receiver<u64>, wait: Duration) {
    tokio::select! {
        () = app.stopping.cancelled() => {}
        () = tokio::time::sleep(wait) => {}
        _ = bell.changed() => {}
    }
}

/// Waits; returns whether the process is stopping.
async fn pause(app: &App, wait: Duration) -> bool {
    tokio::select! {
        () = app.stopping.cancelled() => true,
        () = tokio::time::sleep(wait) => false,
    }
}
