//! Group commit: many small writes in one durable commit.
//!
//! A bounded queue and one writer. When a commit has ended, the writer takes everything that is waiting, as soon as
//! that is half of those who take part, or other tasks add nothing more (there is no timer, so an idle system adds no
//! latency). It commits this as one group, and only then answers each request: right after it has started the next
//! commit. A full queue is [`Refused::Busy`] at once, and so is a request that has waited for [`PATIENCE`]: the caller
//! answers 503 with Retry-After instead of letting people run into a timeout. A request refused this way has left the
//! queue and is never written. Only one that is being written for too long is [`Refused::Unknown`].
//!
//! A group that fails is retried one request at a time, so that one bad request cannot fail its neighbours. The
//! same holds if the commit panics: dropping the transaction rolls it back, and the writer survives ([`panics`]). A
//! group that failed because the connection was lost is retried as a whole for a few seconds: a
//! [`WriteTxn`](super::WriteTxn) has then found out that nothing was written, so nothing can be applied twice.
//!
//! This file is the sending side; `writer` is the receiving end, and [`Lines`] combines several queues. `refusals` counts
//! and logs what was refused.

mod lines;
mod refusals;
mod writer;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

pub use self::lines::{Lines, Spill};
use self::refusals::Refusals;
use self::writer::{Answer, Waiting, Writer};
use crate::panics;

/// How long a request may wait in the queue before it is refused as busy.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// How long a request that is being written may take. After that the database hangs, and the outcome is unknown.
pub const LONGEST_WRITE: Duration = Duration::from_secs(20);

/// The properties of a queue.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// The name in metrics and logs.
    pub name: &'static str,
    /// The most requests that may wait.
    pub capacity: usize,
    /// The most requests in one commit.
    pub largest: usize,
}

/// How long requests may take. Tests use shorter times than the server.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The time in the queue.
    pub patience: Duration,
    /// The time being written.
    pub longest_write: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            patience: PATIENCE,
            longest_write: LONGEST_WRITE,
        }
    }
}

/// A request that was not committed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The queue is full, or the writer has stopped: try again in a moment.
    #[error("the write queue is full")]
    Busy,
    /// The request is being written, and the database does not answer or the writer panicked: it may or may not
    /// take effect.
    #[error("the database does not answer")]
    Unknown,
    /// The database cannot be written at present ([`is_unwritable`](super::is_unwritable)); after such a failed
    /// commit the outcome is unknown.
    #[error("the database cannot be written")]
    Unwritable,
    /// The database refused it; nothing was written.
    #[error("the write failed: {0}")]
    Failed(String),
}

/// A place for one request in the queue; freed when dropped.
#[derive(Debug)]
pub struct Place(OwnedSemaphorePermit);

/// The sending side of a queue. Cheap to clone; the writer stops when all are dropped and the queue is empty.
#[derive(Debug)]
pub struct GroupCommit<Req, Res> {
    queue: mpsc::UnboundedSender<Waiting<Req, Res>>,
    /// Limits the queue: each waiting request holds a permit.
    room: Arc<Semaphore>,
    capacity: usize,
    patience: Duration,
    pace: Pace,
    pulse: Pulse,
    refusals: Refusals,
}

/// Whether a writer is running, for `/readyz`.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicBool>);

impl Pulse {
    /// Whether nobody writes what is queued: the writer has ended, or it panicked and was not restarted yet.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Marks the writer as running while it lives.
struct Beating(Pulse);

impl Beating {
    fn of(pulse: &Pulse) -> Self {
        pulse.0.store(false, Relaxed);
        Self(pulse.clone())
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.0.store(true, Relaxed);
    }
}

/// The recent duration of commits, in microseconds.
#[derive(Debug, Clone, Default)]
struct Pace(Arc<AtomicU64>);

impl Pace {
    /// Records the duration of a commit that succeeds. Failures do not count: a lost database is not a slow one.
    async fn of<T>(&self, commit: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let begun = Instant::now();
        let done = commit.await;
        if done.is_ok() {
            self.note(begun.elapsed());
        }
        done
    }

    /// A moving average over about a dozen commits.
    fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let before = self.0.load(Relaxed);
        self.0.store(before - before / 8 + took / 8, Relaxed);
    }
}

impl<Req, Res> Clone for GroupCommit<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            room: self.room.clone(),
            capacity: self.capacity,
            patience: self.patience,
            pace: self.pace.clone(),
            pulse: self.pulse.clone(),
            refusals: self.refusals.clone(),
        }
    }
}

impl<Req, Res> GroupCommit<Req, Res>
where
    Req: Clone + Send + Sync + 'static,
    Res: Send + 'static,
{
    /// Starts a writer. `commit` gets 1 to [`Queue::largest`] requests, commits them in one transaction and returns one
    /// result each, in order. Call it within the runtime.
    pub fn start<F, Fut>(queue: Queue, commit: F) -> Self
    where
        F: Fn(Vec<Req>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Res>, DbErr>> + Send,
    {
        Self::start_within(queue, Bounds::default(), commit)
    }

    /// Like [`start`](Self::start), with other bounds.
    pub fn start_within<F, Fut>(queue: Queue, bounds: Bounds, commit: F) -> Self
    where
        F: Fn(Vec<Req>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Res>, DbErr>> + Send,
    {
        let (this, writer) = Self::open(queue, bounds, commit);
        tokio::spawn(writer);
        this
    }

    /// Creates a queue and the writer that is to be run.
    fn open<F, Fut>(
        queue: Queue,
        bounds: Bounds,
        commit: F,
    ) -> (Self, impl Future<Output = ()> + Send + 'static)
    where
        F: Fn(Vec<Req>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Res>, DbErr>> + Send,
    {
        let (sender, arriving) = mpsc::unbounded_channel();
        let this = Self {
            queue: sender,
            room: Arc::new(Semaphore::new(queue.capacity)),
            capacity: queue.capacity,
            patience: bounds.patience,
            pace: Pace::default(),
            pulse: Pulse::default(),
            refusals: Refusals::of(queue.name),
        };
        let (pace, refusals) = (this.pace.clone(), this.refusals.clone());
        let writer = Writer::of(queue, bounds.longest_write, pace, refusals, arriving);
        let (writer, pulse) = (Mutex::new(writer), this.pulse.clone());
        let running = async move {
            panics::kept(queue.name, || async {
                let _at_work = Beating::of(&pulse);
                writer.lock().await.run(&commit).await;
            })
            .await;
        };
        (this, running)
    }

    /// The pulse of the queue's writer.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// How many requests are waiting, not counting those being written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.capacity - self.room.available_permits()
    }

    /// How long a commit takes, averaged over about the last dozen. Zero before the first.
    #[must_use]
    pub fn pace(&self) -> Duration {
        Duration::from_micros(self.pace.0.load(Relaxed))
    }

    /// Whether the queue is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.room.available_permits() == 0
    }

    /// Queues `request` and waits until it is committed or refused.
    ///
    /// # Errors
    /// [`Refused`]. Nothing of the request was written, except that the outcome is unknown for [`Refused::Unknown`]
    /// and [`Refused::Unwritable`].
    pub async fn submit(&self, request: Req) -> Result<Res, Refused> {
        let place = self.place().ok_or_else(|| self.refusals.full())?;
        self.submit_in(place, request).await
    }

    /// A place in the queue if there is room, for callers that choose between several queues.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.room.clone().try_acquire_owned().ok().map(Place)
    }

    /// Like [`submit`](Self::submit), with a place in this queue.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub async fn submit_in(&self, place: Place, request: Req) -> Result<Res, Refused> {
        self.enqueue(request, Some(Instant::now() + self.patience), place.0)
            .await
    }

    /// Like [`submit`](Self::submit), but waits for room in the queue and then for as long as it takes. For
    /// background work that has a limit of its own.
    ///
    /// # Errors
    /// [`Refused::Failed`] or [`Refused::Unwritable`]. If the writer has stopped: [`Refused::Busy`], or
    /// [`Refused::Unknown`] if it had already taken the request.
    pub async fn submit_waiting(&self, request: Req) -> Result<Res, Refused> {
        let room = self.room.clone();
        let room = room.acquire_owned().await.map_err(|_| Refused::Busy)?;
        self.submit_patiently(Place(room), request).await
    }

    /// Like [`submit_waiting`](Self::submit_waiting), with a place in this queue.
    ///
    /// # Errors
    /// As [`submit_waiting`](Self::submit_waiting).
    pub async fn submit_patiently(&self, place: Place, request: Req) -> Result<Res, Refused> {
        self.enqueue(request, None, place.0).await
    }

    async fn enqueue(
        &self,
        request: Req,
        until: Option<Instant>,
        room: OwnedSemaphorePermit,
    ) -> Result<Res, Refused> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            request,
            answer: Answer {
                to: answer,
                is_patient: until.is_none(),
            },
            until,
            room,
        };
        self.queue.send(waiting).map_err(|_| Refused::Busy)?;
        answered.await.map_err(|_| Refused::Unknown)?
    }
}

#[cfg(test)]
mod tests;
