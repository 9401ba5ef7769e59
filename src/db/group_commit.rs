//! Group commit: many small writes in one durable commit.
//!
//! A bounded queue and one writer. The writer takes everything that is waiting when the last commit has ended (there
//! is no timer, so an idle system adds no latency), commits it as one group, and only then answers each
//! request. A full queue is [`Refused::Busy`] at once, and so is one that moves too slowly, after [`PATIENCE`]: the caller says 503
//! with Retry-After instead of letting people wait for a time-out. What is refused so is out of the queue, and never written. Only
//! what is being written when patience ends is [`Refused::Unknown`].
//!
//! A group that fails is tried again one request at a time, so that one bad request cannot fail its neighbours; so is one whose commit panics
//! (its transaction is dropped, and rolled back by that). The writer outlives its faults ([`panics`]). A group that failed
//! because the database was lost is tried again as a whole, for a few seconds: a [`WriteTxn`](super::WriteTxn) that
//! fails has written nothing, so nothing can be applied twice.
//!
//! This file is the queue's sending side; `writer` is the other end, [`Lines`] are several queues.

mod lines;
mod writer;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

pub use self::lines::{Lines, Spill};
use self::writer::{Answer, Waiting, Writer};
use crate::panics;

/// How long a request may wait in the queue before it is told to come again.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// How long one may wait that is being written: the database hangs, and nobody knows what it will do.
pub const LONGEST_WRITE: Duration = Duration::from_secs(20);

/// What a queue is like.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// In metrics and logs.
    pub name: &'static str,
    /// At most so many requests wait.
    pub capacity: usize,
    /// At most so many are committed together.
    pub largest: usize,
    /// Whether a small group lets others run first, so that it grows: for requests that come by hundreds at once and have nothing else
    /// to do. Where those others have much to do, such as to sign mails, that would only hold up the writer.
    pub gathers: bool,
}

/// How long requests may take. Tests have less time than readers.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// In the queue.
    pub patience: Duration,
    /// Being written.
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
    /// It is being written, and the database does not answer, or the writer broke over it: it may stand later, or not.
    #[error("the database does not answer")]
    Unknown,
    /// The database cannot be written for the moment ([`is_unwritable`](super::is_unwritable)): of a commit that failed so nobody knows.
    #[error("the database cannot be written")]
    Unwritable,
    /// The database refused it; nothing was written.
    #[error("the write failed: {0}")]
    Failed(String),
}

/// Room for one request; free again when dropped.
#[derive(Debug)]
pub struct Place(OwnedSemaphorePermit);

/// The sending side of a queue. Cheap to clone; the writer stops when all are dropped and the queue is empty.
#[derive(Debug)]
pub struct GroupCommit<Req, Res> {
    queue: mpsc::UnboundedSender<Waiting<Req, Res>>,
    /// Bounds the queue, wherever in it a request waits.
    room: Arc<Semaphore>,
    capacity: usize,
    patience: Duration,
    pace: Pace,
    pulse: Pulse,
}

/// Whether a writer is at work: for `/readyz`.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicBool>);

impl Pulse {
    /// Nobody writes what is queued: the writer broke, and was not begun again yet, or has ended.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// A writer while it is at work.
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

/// How long a commit has taken lately, in microseconds.
#[derive(Debug, Clone, Default)]
struct Pace(Arc<AtomicU64>);

impl Pace {
    /// Notes how long a commit takes that succeeds: a database that is lost is not slow, however long it takes to say so.
    async fn of<T>(&self, commit: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let begun = Instant::now();
        let done = commit.await;
        if done.is_ok() {
            self.note(begun.elapsed());
        }
        done
    }

    /// The last dozen commits count.
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

    /// As [`start`](Self::start), within other bounds.
    pub fn start_within<F, Fut>(queue: Queue, bounds: Bounds, commit: F) -> Self
    where
        F: Fn(Vec<Req>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Res>, DbErr>> + Send,
    {
        let (this, writer) = Self::open(queue, bounds, commit);
        tokio::spawn(writer);
        this
    }

    /// A queue, and the writer that is to be run.
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
        };
        let writer = Writer::of(queue, bounds.longest_write, this.pace.clone(), arriving);
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

    /// Of its writer.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// How many requests wait; those that are being written do not count.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.capacity - self.room.available_permits()
    }

    /// How long a commit takes, by the last dozen of them. Zero before the first.
    #[must_use]
    pub fn pace(&self) -> Duration {
        Duration::from_micros(self.pace.0.load(Relaxed))
    }

    /// Whether nobody else may wait.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.room.available_permits() == 0
    }

    /// Queues `request` and waits until it is committed, or until patience ends.
    ///
    /// # Errors
    /// [`Refused`]; then nothing of the request was written, unless it is [`Refused::Unknown`].
    pub async fn submit(&self, request: Req) -> Result<Res, Refused> {
        let place = self.place().ok_or(Refused::Busy)?;
        self.submit_in(place, request).await
    }

    /// A place in the queue, if there is room: for a caller that has more than one queue to choose from.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.room.clone().try_acquire_owned().ok().map(Place)
    }

    /// As [`submit`](Self::submit), in a place of this queue.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub async fn submit_in(&self, place: Place, request: Req) -> Result<Res, Refused> {
        self.enqueue(request, Some(Instant::now() + self.patience), place.0)
            .await
    }

    /// As [`submit`](Self::submit), but waits for room in the queue, and in it as long as it takes: for background work that has its
    /// own bound.
    ///
    /// # Errors
    /// [`Refused::Failed`]; when the writer has stopped [`Refused::Busy`], or [`Refused::Unknown`] where it had the request.
    pub async fn submit_waiting(&self, request: Req) -> Result<Res, Refused> {
        let room = self.room.clone();
        let room = room.acquire_owned().await.map_err(|_| Refused::Busy)?;
        self.submit_patiently(Place(room), request).await
    }

    /// As [`submit_waiting`](Self::submit_waiting), in a place of this queue.
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
