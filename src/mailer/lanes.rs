//! The lanes: worker tasks that each hold connections to the relays and look for work.

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
use crate::{
    app::App,
    db::{DbErr, Sparing, Unfinished},
    panics,
};

/// How often the reserved lane polls. This bounds the delay of a mail that another node enqueued or that falls due.
const LOOK: Duration = Duration::from_millis(250);
/// How often the other lanes poll; new work wakes them earlier.
const LOOK_IDLE: Duration = Duration::from_secs(2);
/// How long a connection without work stays open.
const IDLE: Duration = Duration::from_secs(5);
/// The longest pause while no relay can be used: a daily limit may end, for example.
const RELAY_LOOK: Duration = Duration::from_secs(1);
/// The number of the lane that sends single mails only.
const RESERVED: usize = 0;
/// The pause after a database error.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);
/// How often the gauges that nothing else needs are updated.
const MEASURE: Duration = Duration::from_secs(5);

/// Starts the lanes, their heartbeat and the upkeep. When [`Parts::stopping`](crate::app::Parts) is cancelled, each
/// lane finishes the mail it has begun and ends.
pub fn start(app: &App, tasks: &TaskTracker) {
    let ledger = mailing::start_ledger(app);
    let (at_work, all_gone) = mpsc::channel(1);
    // One lane more than configured: the reserved one, so that single mails never wait for a batch.
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
    // The heartbeat runs until the last lane has ended: the mails that are being sent during a stop are still leased.
    tasks.spawn(heartbeat(app.clone(), all_gone));
    let app = app.clone();
    tasks.spawn(async move { panics::kept("upkeep", || upkeep(app.clone())).await });
}

/// Restarts a lane that panicked. Its batch is free again when the lease has run out, on SQLite at once.
async fn keep(app: App, ledger: Ledger, number: usize) {
    panics::kept("lane", || lane(app.clone(), ledger.clone(), number)).await;
}

async fn lane(app: App, ledger: Ledger, number: usize) {
    static TOLD: Sparing = Sparing::new();
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
            Err(error) if !TOLD.lets(&error) => {
                pause(&app, DATABASE_PAUSE).await;
            }
            Err(error) => {
                tracing::error!(lane = number, %error, "a mail lane could not look for work; trying again");
                pause(&app, DATABASE_PAUSE).await;
            }
        }
    }
    line.close().await;
    if let Err(error) = transport::give_back(&app, true).await {
        tracing::error!(lane = number, %error, "the daily counts of the relays could not be corrected");
    }
}

/// Does what is due, single mails first. Returns whether there was anything to do.
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

/// Renews leases until the last lane ends: then `lanes`, through which nothing is ever sent, closes.
async fn heartbeat(app: App, mut lanes: mpsc::Receiver<()>) {
    let mut wait = leases::heartbeat(&app);
    loop {
        tokio::select! {
            _ = lanes.recv() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = leases::heartbeat(&app);
        // A failed renewal must not end the loop: without the next ones every lease would run out.
        match panics::caught("heartbeat", leases::renew(&app)).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => {
                tracing::error!(%error, "the leases of this node's batches and mails could not be renewed");
            }
            Err(_) => {}
        }
        wait = wait.min(DATABASE_PAUSE);
    }
}

/// Background work: freezes audiences, skips the mails of cancelled issues, completes mailings, updates the gauges.
async fn upkeep(app: App) {
    static TOLD: Sparing = Sparing::new();
    let mut bell = app.db.bell().listen();
    let mut due = Instant::now();
    while !app.stopping.is_cancelled() {
        bell.mark_unchanged();
        app.mailer.domains.tick();
        // All of them run, even if one fails.
        let single = outbox::tick(&app).await.map_err(Unfinished::Db);
        let looked = mailing::look(&app).await.map_err(Unfinished::Db);
        let counts = transport::give_back(&app, false).await;
        let issues = mailing::tick(&app).await;
        let done = single.and(looked).and(counts.map_err(Unfinished::Db));
        if let Err(failed) = done.and(issues) {
            if let Unfinished::Db(error) = failed
                && TOLD.lets(&error)
            {
                tracing::error!(%error, "the upkeep of the mailer failed; trying again");
            }
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
            tracing::warn!(%error, "the mail metrics could not be updated");
        }
        // Every commit with a mail rings the bell; this bounds how often the loop runs.
        pause(&app, LOOK).await;
        rest(&app, &mut bell, LOOK * 2).await;
    }
}

/// Waits for the bell, the timeout or the stop, whichever comes first.
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
