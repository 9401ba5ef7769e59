//! The one list of background tasks: start, drain, stop.
//!
//! Each is a loop round a *tick*, a function that does what is due now and that tests call themselves. A loop sleeps
//! between ticks, carries on after a tick that panics ([`panics`]), and ends when
//! [`Parts::stopping`](crate::app::Parts) is cancelled, once the work in progress is finished.
//! The mailer's lanes are loops of their own, which wake early when something is enqueued.

use std::future::Future;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::db::{Sparing, Unfinished};
use crate::{api, bounces, digests, mailer, panics, polls, probes, subscriptions};

/// The running tasks.
#[derive(Debug)]
pub struct Tasks {
    tracker: TaskTracker,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long the tasks may take to finish the work in progress.
const PATIENCE: Duration = Duration::from_secs(8);

impl Tasks {
    /// Starts all of them.
    #[must_use]
    pub fn start(app: &App) -> Self {
        let tasks = Self {
            tracker: TaskTracker::new(),
        };
        tasks.keep_house(app);
        mailer::start(app, &tasks.tracker);
        tasks.mail(app);
        tasks.show_polls(app);
        tasks.count(app);
        tasks.tracker.close();
        tasks
    }

    /// The process and its database.
    fn keep_house(&self, app: &App) {
        self.every(app, "tidy", SECOND * 60, |app| async move {
            app.limits.tidy();
            probes::tidy();
        });
        self.every(app, "look_after", SECOND * 2, |app| async move {
            app.db.look_after().await;
        });
        self.every(app, "purge", HOUR, |app| async move {
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
        });
    }

    /// Issues and what signs them.
    fn mail(&self, app: &App) {
        self.every(app, "signing_keys", SECOND * 5, |app| async move {
            mailer::refresh_signing_keys(&app).await;
        });
        self.every(app, "issues", SECOND / 2, |app| async move {
            static TOLD: Sparing = Sparing::new();
            if let Err(error) = digests::tick(&app).await
                && TOLD.lets(&error)
            {
                tracing::error!(%error, "due issues could not be looked up");
            }
        });
    }

    /// What belongs to polls but not to their counts.
    fn show_polls(&self, app: &App) {
        self.every_and_at_last(app, "flush_views", SECOND * 30, |app| async move {
            if let Err(error) = polls::flush_views(&app).await {
                tracing::error!(%error, "views of polls were not saved");
            }
        });
        self.every(app, "purge_pictures", HOUR, |app| async move {
            if let Err(error) = polls::purge_pictures(&app).await {
                tracing::error!(%error, "unused pictures were not purged");
            }
        });
        let app = app.clone();
        self.tracker.spawn(async move {
            panics::kept("looks", || polls::keep_looks(app.clone())).await;
        });
    }

    /// The count: what closes, checks, seals and guards it.
    fn count(&self, app: &App) {
        self.every(app, "watch_closes", SECOND, |app| async move {
            static TOLD: Sparing = Sparing::new();
            if let Err(error) = polls::close_tick(&app).await
                && TOLD.lets(&error)
            {
                tracing::error!(%error, "closing polls could not be looked up");
            }
        });
        self.every(app, "audit", SECOND * 60, |app| async move {
            if let Err(error) = app.polls.audits.tick(&app.db).await {
                tracing::error!(%error, "tallies could not be audited");
            }
        });
        self.every(app, "seal", SECOND * 10, |app| async move {
            if let Err(Unfinished::Db(error)) = polls::seal_tick(&app).await {
                tracing::error!(%error, "polls could not be recorded or sealed");
            }
        });
        self.every_and_at_last(app, "keep_answers", SECOND, |app| async move {
            static TOLD: Sparing = Sparing::new();
            if let Err(error) = app.polls.answers.keep(&app.db).await
                && TOLD.lets(&error)
            {
                tracing::error!(%error, "what editors looked at was not recorded");
            }
        });
        self.every(app, "watch", polls::WATCH_PAUSE, |app| async move {
            static TOLD: Sparing = Sparing::new();
            if let Err(error) = polls::watch_tick(&app).await
                && TOLD.lets(&error)
            {
                tracing::error!(%error, "a burst of answers could not be set aside");
            }
        });
    }

    /// Waits until all tasks have ended, and returns whether they did so in time. Cancel
    /// [`Parts::stopping`](crate::app::Parts) first.
    pub async fn ended(self) -> bool {
        tokio::time::timeout(PATIENCE, self.tracker.wait())
            .await
            .is_ok()
    }

    /// Starts a loop that runs `tick` at once and then every `pause`.
    fn every<F, Fut>(&self, app: &App, task: &'static str, pause: Duration, tick: F)
    where
        F: Fn(App) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let app = app.clone();
        self.tracker
            .spawn(async move { until_stopped(&app, task, pause, &tick).await });
    }

    /// Like [`every`](Self::every), with a last run when the process stops, so that nothing collected in memory is
    /// lost.
    fn every_and_at_last<F, Fut>(&self, app: &App, task: &'static str, pause: Duration, tick: F)
    where
        F: Fn(App) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let app = app.clone();
        self.tracker.spawn(async move {
            until_stopped(&app, task, pause, &tick).await;
            let _ = panics::caught(task, async { tick(app).await }).await;
        });
    }
}

/// Runs `tick` at once and then every `pause`, until the process stops. A tick that panics does not end the loop.
async fn until_stopped<F, Fut>(app: &App, task: &'static str, pause: Duration, tick: &F)
where
    F: Fn(App) -> Fut,
    Fut: Future<Output = ()>,
{
    loop {
        let _ = panics::caught(task, async { tick(app.clone()).await }).await;
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
