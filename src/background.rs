//! The one list of background tasks: start, drain, stop.
//!
//! Each is a loop round a *tick*, a function that does what is due now and that tests call themselves. A loop sleeps
//! between ticks and ends when [`Parts::stopping`](crate::app::Parts) is cancelled, after finishing what it has in hand.
//! The mailer's lanes are loops of their own, which wake early when something is enqueued.

use std::future::Future;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::{api, bounces, digests, mailer, polls, probes, subscriptions};

/// The running tasks.
#[derive(Debug)]
pub struct Tasks {
    tracker: TaskTracker,
}

/// How long the tasks may take to finish what they have in hand.
const PATIENCE: Duration = Duration::from_secs(8);

impl Tasks {
    /// Starts all of them.
    #[must_use]
    pub fn start(app: &App) -> Self {
        let tracker = TaskTracker::new();
        tracker.spawn(every(
            app.clone(),
            Duration::from_secs(60),
            |app| async move {
                app.limits.tidy();
                probes::tidy();
            },
        ));
        tracker.spawn(every(
            app.clone(),
            Duration::from_secs(2),
            |app| async move { app.db.look_after().await },
        ));
        mailer::start(app, &tracker);
        tracker.spawn(every(
            app.clone(),
            Duration::from_secs(5),
            |app| async move {
                mailer::refresh_signing_keys(&app).await;
            },
        ));
        tracker.spawn(every(
            app.clone(),
            Duration::from_secs(3_600),
            |app| async move {
                if let Err(error) = subscriptions::purge(&app).await {
                    tracing::error!(%error, "old subscription requests were not purged");
                }
                if let Err(error) = mailer::outbox::purge(&app).await {
                    tracing::error!(%error, "old single mails were not purged");
                }
                if let Err(error) = bounces::purge(&app).await {
                    tracing::error!(%error, "old bounces were not purged");
                }
                if let Err(error) = api::purge(&app).await {
                    tracing::error!(%error, "old idempotency keys were not purged");
                }
            },
        ));
        tracker.spawn(every(
            app.clone(),
            Duration::from_millis(500),
            |app| async move {
                if let Err(error) = digests::tick(&app).await {
                    tracing::error!(%error, "due issues could not be looked for");
                }
            },
        ));
        let last = app.clone();
        let views = every(app.clone(), Duration::from_secs(30), add_views);
        tracker.spawn(async move {
            views.await;
            add_views(last).await;
        });
        tracker.spawn(every(
            app.clone(),
            Duration::from_secs(3_600),
            |app| async move {
                if let Err(error) = polls::purge_pictures(&app).await {
                    tracing::error!(%error, "unused pictures were not purged");
                }
            },
        ));
        tracker.spawn(polls::keep_looks(app.clone()));
        tracker.spawn(every(
            app.clone(),
            Duration::from_secs(1),
            |app| async move {
                if let Err(error) = polls::ballots::watch_closes(&app.db, app.clock.now()).await {
                    tracing::error!(%error, "polls that close could not be looked for");
                }
            },
        ));
        tracker.spawn(every(
            app.clone(),
            Duration::from_secs(60),
            |app| async move {
                if let Err(error) = app.polls.audits.tick(&app.db).await {
                    tracing::error!(%error, "tallies could not be audited");
                }
            },
        ));
        tracker.spawn(every(
            app.clone(),
            Duration::from_secs(10),
            |app| async move {
                if let Err(error) = polls::seal_tick(&app).await {
                    tracing::error!(%error, "polls could not be recorded or sealed");
                }
            },
        ));
        let last = app.clone();
        let counts = every(app.clone(), Duration::from_secs(1), keep_counts);
        tracker.spawn(async move {
            counts.await;
            keep_counts(last).await;
        });
        tracker.spawn(every(app.clone(), polls::WATCH_PAUSE, |app| async move {
            if let Err(error) = polls::watch_tick(&app).await {
                tracing::error!(%error, "a burst of answers could not be set aside");
            }
        }));
        tracker.close();
        Self { tracker }
    }

    /// Waits until all have ended; [`Parts::stopping`](crate::app::Parts) must have been cancelled. Returns whether they did in time.
    pub async fn ended(self) -> bool {
        tokio::time::timeout(PATIENCE, self.tracker.wait())
            .await
            .is_ok()
    }
}

async fn add_views(app: App) {
    if let Err(error) = polls::flush_views(&app).await {
        tracing::error!(%error, "views of polls were not added");
    }
}

async fn keep_counts(app: App) {
    if let Err(error) = app.polls.answers.keep(&app.db).await {
        tracing::error!(%error, "what editors looked at was not written down");
    }
}

/// Runs `tick` now and then every `pause`, until the process stops.
async fn every<F, Fut>(app: App, pause: Duration, tick: F)
where
    F: Fn(App) -> Fut,
    Fut: Future<Output = ()>,
{
    loop {
        tick(app.clone()).await;
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
