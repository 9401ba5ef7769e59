//! Live progress of issues: one query a second for each watched issue, whatever the number of viewers.
//!
//! The query is one statement on the tally, which has a handful of rows. The pace covers the last 20 seconds, not the
//! average since the start. Deferrals by domain are queried less often, and less often still if the query takes long.
//! Nothing runs for an issue that nobody watches; but a watch lingers for a while, so that a page that reloads without
//! a script still finds the pace.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::deferred::{Deferrals, deferrals};
use super::progress::{Progress, progress};
use super::states::{BatchState, MailingState};
use crate::{
    app::App,
    db::{self, DbErr, Sparing},
    types::{IssueId, UnixMillis},
    web::watched::{Followed, Watched},
};

/// The time between queries.
const LOOK: Duration = Duration::from_secs(1);
/// The window in which the pace is measured.
const WINDOW: Duration = Duration::from_secs(20);
/// How long an issue is still watched after its last viewer has gone.
const LINGER: Duration = Duration::from_secs(20);
/// The time between queries for deferrals: at least this, and at least `DEFERRALS_SHARE` times the duration of one.
const DEFERRALS: Duration = Duration::from_secs(5);
const DEFERRALS_SHARE: u32 = 20;

/// What is shown of an issue that is being sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The numbers.
    pub progress: Progress,
    /// The sending rate; `None` until it has been measured, and while nothing is sent.
    pub pace: Option<Pace>,
    /// The domains that defer mails.
    pub deferrals: Deferrals,
    /// The time of the next retry, if only deferred mails are left.
    pub next_attempt: Option<UnixMillis>,
}

/// The sending rate of an issue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Mails handed over per second.
    pub per_second: f64,
    /// The time until the queue is empty at this pace; `None` if nothing moves.
    pub left: Option<Duration>,
}

/// The issues that are watched in this process.
pub(in crate::mailer) type Watches = Watched<IssueId, Arc<Snapshot>>;

/// Watches an issue: yields its snapshot now and after every change. The channel closes after the last possible change,
/// and when the process stops.
#[must_use]
pub fn watch(app: &App, issue: IssueId) -> watch::Receiver<Option<Arc<Snapshot>>> {
    let viewed = app.clone();
    app.mailer
        .watches
        .watch(issue, "progress", |followed| async move {
            follow(&viewed, issue, &followed).await;
        })
}

async fn follow(app: &App, issue: IssueId, followed: &Arc<Followed<Arc<Snapshot>>>) {
    let mut eye = Eye::default();
    let mut alone_since: Option<Instant> = None;
    loop {
        match eye.look(app, issue).await {
            Ok(None) => return,
            Ok(Some(snapshot)) => {
                let done = matches!(
                    snapshot.progress.state,
                    MailingState::Finished | MailingState::Cancelled
                );
                followed.tell(Arc::new(snapshot));
                if done {
                    return;
                }
            }
            Err(error) => {
                // Each watched issue is read once a second.
                static LOGGED: Sparing = Sparing::new();
                if let Some(unsaid) = LOGGED.now() {
                    tracing::warn!(issue = issue.0, %error, unsaid, "the progress of an issue could not be read; trying again");
                }
            }
        }
        tokio::time::sleep(LOOK).await;
        if !followed.is_alone() {
            alone_since = None;
        } else if alone_since.get_or_insert_with(Instant::now).elapsed() > LINGER
            && app.mailer.watches.forget_alone(issue, followed)
        {
            return;
        }
    }
}

/// What a watch remembers between queries.
#[derive(Default)]
struct Eye {
    samples: VecDeque<Sample>,
    deferrals: Deferrals,
    deferrals_due: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    sent: i64,
    queued: i64,
}

impl Eye {
    async fn look(&mut self, app: &App, issue: IssueId) -> Result<Option<Snapshot>, DbErr> {
        let Some(progress) = progress(app, issue).await? else {
            return Ok(None);
        };
        let now = Instant::now();
        self.note(&progress, now);
        if progress.counts.deferred == 0 {
            self.deferrals = Deferrals::default();
        } else if self.deferrals_due.is_none_or(|due| due <= now) {
            self.deferrals = deferrals(&app.db, issue).await?;
            let wait = (now.elapsed() * DEFERRALS_SHARE).max(DEFERRALS);
            self.deferrals_due = Some(Instant::now() + wait);
        }
        let only_deferred = progress.counts.queued == 0 && progress.counts.deferred > 0;
        let next_attempt = if only_deferred && progress.state == MailingState::Sending {
            next_attempt(app, issue).await?
        } else {
            None
        };
        Ok(Some(Snapshot {
            pace: pace(&self.samples),
            deferrals: self.deferrals.clone(),
            next_attempt,
            progress,
        }))
    }

    fn note(&mut self, progress: &Progress, at: Instant) {
        if progress.state != MailingState::Sending {
            // After a pause, measuring starts again.
            self.samples.clear();
            return;
        }
        self.samples.push_back(Sample {
            at,
            sent: progress.counts.sent,
            queued: progress.counts.queued,
        });
        while self
            .samples
            .front()
            .is_some_and(|oldest| at.duration_since(oldest.at) > WINDOW)
        {
            self.samples.pop_front();
        }
    }
}

fn pace(samples: &VecDeque<Sample>) -> Option<Pace> {
    let (first, last) = (samples.front()?, samples.back()?);
    let seconds = last.at.duration_since(first.at).as_secs_f64();
    if seconds < 0.9 {
        return None;
    }
    let gone = (first.queued - last.queued) as f64 / seconds;
    // Capped at about a year: beyond that nobody cares.
    let left = (gone > 0.0).then(|| Duration::from_secs_f64((last.queued as f64 / gone).min(3e7)));
    Some(Pace {
        per_second: ((last.sent - first.sent) as f64 / seconds).max(0.0),
        left,
    })
}

async fn next_attempt(app: &App, issue: IssueId) -> Result<Option<UnixMillis>, DbErr> {
    let at: Option<Option<UnixMillis>> = db::find_value(
        app.db.read(),
        "SELECT MIN(not_before_ms) FROM mail_batch WHERE issue_id = $1 AND state = $2",
        [issue.0.into(), BatchState::Waiting.code().into()],
    )
    .await?;
    Ok(at.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pace_is_that_of_the_last_moments() {
        let start = Instant::now();
        let sample = |second: u64, sent: i64, queued: i64| Sample {
            at: start + Duration::from_secs(second),
            sent,
            queued,
        };
        let of = |samples: &[Sample]| pace(&samples.iter().copied().collect());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[sample(0, 10, 90)]), None, "one look is no pace");
        let steady = of(&[sample(0, 10, 90), sample(10, 50, 48)]).unwrap();
        assert!((steady.per_second - 4.0).abs() < 1e-9);
        // 42 left the queue in ten seconds, two of them without being handed over.
        let left = steady.left.unwrap().as_secs_f64();
        assert!((left - 48.0 / 4.2).abs() < 1e-6, "{left}");
        let still = of(&[sample(0, 50, 48), sample(5, 50, 48)]).unwrap();
        assert_eq!((still.per_second, still.left), (0.0, None));
        let settled = of(&[sample(0, 50, 0), sample(5, 45, 5)]).unwrap();
        assert_eq!(
            (settled.per_second, settled.left),
            (0.0, None),
            "never backwards"
        );
    }

    #[tokio::test]
    async fn what_is_older_than_the_window_is_forgotten_and_a_pause_begins_anew() {
        let mut eye = Eye::default();
        let start = Instant::now();
        let mut progress = Progress {
            state: MailingState::Sending,
            reason: String::new(),
            counts: super::super::Counts::default(),
            reasons: Vec::new(),
            doubts: Vec::new(),
            came_back: Vec::new(),
            not_before: UnixMillis(0),
            started: None,
            finished: None,
        };
        for second in 0..60 {
            progress.counts.sent = second * 100;
            eye.note(&progress, start + Duration::from_secs(second as u64));
        }
        assert!(eye.samples.len() <= 21, "{}", eye.samples.len());
        progress.state = MailingState::Paused;
        eye.note(&progress, start + Duration::from_secs(61));
        assert!(eye.samples.is_empty());
    }
}
