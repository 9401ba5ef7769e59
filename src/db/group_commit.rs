//! Group commit: many small writes in one durable commit.
//!
//! A bounded queue and one writer. The writer takes everything that is waiting when the last commit has ended (there
//! is no timer, so an idle system adds no latency), commits it as one group, and only then answers each
//! request. A full queue is [`Refused::Busy`] at once, and so is one that moves too slowly, after [`PATIENCE`]: the caller says 503
//! with Retry-After instead of letting people wait for a time-out. What is refused so is out of the queue, and never written. Only
//! what is being written when patience ends is [`Refused::Unknown`].
//!
//! A group that fails is tried again one request at a time, so that one bad request cannot fail its neighbours. A group that failed
//! because the database was lost is tried again as a whole, for a few seconds: a [`WriteTxn`](super::WriteTxn) that
//! fails has written nothing, so nothing can be applied twice.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::connection_lost;

/// How long a request may wait in the queue before it is told to come again.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// How long one may wait that is being written: the database hangs, and nobody knows what it will do.
pub const LONGEST_WRITE: Duration = Duration::from_secs(20);
/// While a commit is slow, the queue is looked through so often.
const LOOK: Duration = Duration::from_secs(1);
/// How long a group is tried again while the database cannot be reached.
const RECONNECT: Duration = Duration::from_secs(5);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(100);

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

/// A request that was not committed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The queue is full, or the writer has stopped: try again in a moment.
    #[error("the write queue is full")]
    Busy,
    /// It is being written, and the database does not answer: it may stand later, or not.
    #[error("the database does not answer")]
    Unknown,
    /// The database refused it; nothing was written.
    #[error("the write failed: {0}")]
    Failed(String),
}

/// A request in the queue.
struct Waiting<Req, Res> {
    request: Req,
    answer: Answer<Res>,
    /// When it is told to come again; never, if it has a bound of its own.
    until: Option<Instant>,
    /// Its place.
    room: OwnedSemaphorePermit,
}

/// The sending side of a queue. Cheap to clone; the writer stops when all are dropped and the queue is empty.
#[derive(Debug)]
pub struct GroupCommit<Req, Res> {
    queue: mpsc::UnboundedSender<Waiting<Req, Res>>,
    /// Bounds the queue, wherever in it a request waits.
    room: Arc<Semaphore>,
    capacity: usize,
}

impl<Req, Res> Clone for GroupCommit<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            room: self.room.clone(),
            capacity: self.capacity,
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
        let (this, writer) = Self::open(queue, commit);
        tokio::spawn(writer);
        this
    }

    /// A queue, and the writer that is to be run.
    fn open<F, Fut>(queue: Queue, commit: F) -> (Self, impl Future<Output = ()> + Send + 'static)
    where
        F: Fn(Vec<Req>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Res>, DbErr>> + Send,
    {
        let Queue {
            name,
            capacity,
            largest,
            gathers,
        } = queue;
        let (queue, arriving) = mpsc::unbounded_channel();
        let mut line = Line {
            name,
            arriving,
            waiting: VecDeque::new(),
        };
        let writing = async move {
            let mut last = 1;
            while line.someone().await {
                let enough = if gathers { (last / 2).max(2) } else { 0 };
                line.gather(enough).await;
                let size = line.waiting.len().min(largest);
                metrics::histogram!("canvass_group_size", "queue" => name).record(size as f64);
                last = size;
                let (mut requests, mut answers) =
                    (Vec::with_capacity(size), Answers::with_capacity(size));
                for Waiting {
                    request, answer, ..
                } in line.waiting.drain(..size)
                {
                    requests.push(request);
                    answers.push(Some(answer));
                }
                let done = line
                    .meanwhile(&mut answers, reconnecting(&commit, &requests))
                    .await;
                match done {
                    Ok(results) => answer_all(answers, results),
                    Err(error) if answers.len() == 1 || connection_lost(&error) => {
                        answer_failed(answers, name, &error);
                    }
                    Err(error) => {
                        tracing::warn!(queue = name, %error, "a group failed; each request is tried alone");
                        for (request, answer) in requests.into_iter().zip(answers) {
                            let mut answer = vec![answer];
                            match line.meanwhile(&mut answer, commit(vec![request])).await {
                                Ok(results) => answer_all(answer, results),
                                Err(error) => answer_failed(answer, name, &error),
                            }
                        }
                    }
                }
            }
        };
        let room = Arc::new(Semaphore::new(capacity));
        let this = Self {
            queue,
            room,
            capacity,
        };
        (this, writing)
    }

    /// How many requests wait; those that are being written do not count.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.capacity - self.room.available_permits()
    }

    /// Queues `request` and waits until it is committed, or until patience ends.
    ///
    /// # Errors
    /// [`Refused`]; then nothing of the request was written, unless it is [`Refused::Unknown`].
    pub async fn submit(&self, request: Req) -> Result<Res, Refused> {
        let room = self.room.clone();
        let room = room.try_acquire_owned().map_err(|_| Refused::Busy)?;
        self.enqueue(request, Some(Instant::now() + PATIENCE), room)
            .await
    }

    /// As [`submit`](Self::submit), but waits for room in the queue, and in it as long as it takes: for background work that has its
    /// own bound.
    ///
    /// # Errors
    /// [`Refused::Failed`], or [`Refused::Busy`] when the writer has stopped.
    pub async fn submit_waiting(&self, request: Req) -> Result<Res, Refused> {
        let room = self.room.clone();
        let room = room.acquire_owned().await.map_err(|_| Refused::Busy)?;
        self.enqueue(request, None, room).await
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
        answered.await.map_err(|_| Refused::Busy)?
    }
}

/// Whom to answer.
struct Answer<Res> {
    to: oneshot::Sender<Result<Res, Refused>>,
    /// However long it takes.
    is_patient: bool,
}

/// The answers of a group, in order; none where one was given already.
type Answers<Res> = Vec<Option<Answer<Res>>>;

/// The queue, as the writer has it.
struct Line<Req, Res> {
    name: &'static str,
    arriving: mpsc::UnboundedReceiver<Waiting<Req, Res>>,
    waiting: VecDeque<Waiting<Req, Res>>,
}

impl<Req, Res> Line<Req, Res> {
    /// Waits for a request; false when there can be none any more.
    async fn someone(&mut self) -> bool {
        if self.waiting.is_empty() {
            match self.arriving.recv().await {
                Some(first) => self.waiting.push_back(first),
                None => return false,
            }
        }
        true
    }

    /// Takes in what has arrived. While that is less than `enough`, whoever else is ready to run may add to it: those who were answered
    /// just now come again at the same time, and a commit for the first of them alone would make the others wait for two. What arrived
    /// during the last commit is committed at once, so that the answers to one half are made while the other half is written.
    async fn gather(&mut self, enough: usize) {
        self.take_in();
        let mut before = 0;
        while self.waiting.len() < enough && self.waiting.len() > before {
            before = self.waiting.len();
            yield_now().await;
            self.take_in();
        }
    }

    fn take_in(&mut self) {
        while let Ok(waiting) = self.arriving.try_recv() {
            self.waiting.push_back(waiting);
        }
    }

    /// Waits for a commit. While it is slow, those are refused who have waited for too long.
    async fn meanwhile<T>(
        &mut self,
        answers: &mut [Option<Answer<Res>>],
        commit: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let begun = Instant::now();
        let mut commit = pin!(commit);
        loop {
            tokio::select! {
                biased;
                done = &mut commit => return done,
                () = sleep(LOOK) => {}
            }
            self.take_in();
            let now = Instant::now();
            let late = |waiting: &Waiting<Req, Res>| waiting.until.is_some_and(|at| at <= now);
            if self.waiting.iter().any(late) {
                let (refused, waiting): (VecDeque<_>, _) = self.waiting.drain(..).partition(late);
                self.waiting = waiting;
                tracing::warn!(
                    queue = self.name,
                    refused = refused.len(),
                    "the database is slow; requests were told to come again"
                );
                for Waiting { answer, room, .. } in refused {
                    drop(room);
                    let _ = answer.to.send(Err(Refused::Busy));
                }
            }
            if now - begun >= LONGEST_WRITE {
                for answer in answers.iter_mut() {
                    if let Some(answer) = answer.take_if(|answer| !answer.is_patient) {
                        let _ = answer.to.send(Err(Refused::Unknown));
                    }
                }
            }
        }
    }
}

/// Commits a group, again and again while the database is only lost for a moment.
async fn reconnecting<Req, Res, F, Fut>(commit: &F, requests: &[Req]) -> Result<Vec<Res>, DbErr>
where
    Req: Clone,
    F: Fn(Vec<Req>) -> Fut,
    Fut: Future<Output = Result<Vec<Res>, DbErr>>,
{
    let until = Instant::now() + RECONNECT;
    loop {
        match commit(requests.to_vec()).await {
            Err(error) if connection_lost(&error) && Instant::now() < until => sleep(AGAIN).await,
            done => return done,
        }
    }
}

fn answer_all<Res>(answers: Answers<Res>, results: Vec<Res>) {
    debug_assert_eq!(answers.len(), results.len(), "one result a request");
    for (answer, result) in answers.into_iter().zip(results) {
        if let Some(answer) = answer {
            // Whoever asked may have gone; the write stands all the same.
            let _ = answer.to.send(Ok(result));
        }
    }
}

fn answer_failed<Res>(answers: Answers<Res>, name: &'static str, error: &DbErr) {
    tracing::error!(queue = name, %error, "a write failed");
    for answer in answers.into_iter().flatten() {
        let _ = answer.to.send(Err(Refused::Failed(error.to_string())));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn queue(capacity: usize, largest: usize) -> Queue {
        Queue {
            name: "test",
            capacity,
            largest,
            gathers: false,
        }
    }

    #[tokio::test]
    async fn what_waits_during_a_commit_travels_together() {
        let commits = Arc::new(AtomicUsize::new(0));
        let (gate, opened) = tokio::sync::watch::channel(false);
        let counted = commits.clone();
        let queue = GroupCommit::start(queue(100, 100), move |group: Vec<u32>| {
            let counted = counted.clone();
            let mut opened = opened.clone();
            async move {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = opened.wait_for(|open| *open).await;
                Ok(group.into_iter().map(|n| n * 2).collect())
            }
        });
        let asked: Vec<_> = (0..50u32)
            .map(|n| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.submit(n).await.expect("committed") })
            })
            .collect();
        while commits.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        gate.send_replace(true);
        for (n, answer) in asked.into_iter().enumerate() {
            assert_eq!(answer.await.expect("no panic"), n as u32 * 2);
        }
        assert!(commits.load(Ordering::SeqCst) < 50);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let queue = GroupCommit::start(queue(1, 1), |group: Vec<()>| async move {
            std::future::pending::<()>().await;
            Ok(group)
        });
        let mut refused = 0;
        let mut waiting = Vec::new();
        for _ in 0..4 {
            let queue = queue.clone();
            waiting.push(tokio::spawn(async move { queue.submit(()).await }));
            tokio::task::yield_now().await;
        }
        for task in waiting {
            if task.is_finished() {
                assert!(matches!(task.await.expect("no panic"), Err(Refused::Busy)));
                refused += 1;
            }
        }
        assert!(refused >= 2);
    }

    #[tokio::test]
    async fn who_waits_too_long_is_refused_and_not_written() {
        let (written, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (counted, closed) = (written.clone(), gate.clone());
        let begun = Arc::new(AtomicUsize::new(0));
        let begins = begun.clone();
        let (queue, writer) = GroupCommit::open(queue(10, 1), move |group: Vec<u32>| {
            let (counted, closed) = (counted.clone(), closed.clone());
            begins.fetch_add(1, Ordering::SeqCst);
            async move {
                drop(closed.acquire().await);
                counted.fetch_add(group.len(), Ordering::SeqCst);
                Ok(group)
            }
        });
        let writer = tokio::spawn(writer);
        let submit = |queue: &GroupCommit<u32, u32>, n, patience: Option<Duration>| {
            let (queue, room) = (queue.clone(), queue.room.clone());
            let until = patience.map(|patience| Instant::now() + patience);
            tokio::spawn(async move {
                let room = room.acquire_owned().await.expect("open");
                queue.enqueue(n, until, room).await
            })
        };
        let first = submit(&queue, 1, Some(Duration::ZERO));
        while begun.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        let second = submit(&queue, 2, Some(Duration::ZERO));
        let third = submit(&queue, 3, None);
        let refused = second.await.expect("no panic");
        assert!(matches!(refused, Err(Refused::Busy)), "{refused:?}");
        assert!(!first.is_finished(), "what is being written is waited for");
        assert_eq!(queue.waiting(), 1, "the third");
        gate.close();
        assert_eq!(first.await.expect("no panic").expect("written"), 1);
        assert_eq!(third.await.expect("no panic").expect("written"), 3);
        drop(queue);
        writer.await.expect("stops");
        assert_eq!(written.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn one_bad_request_does_not_fail_its_neighbours() {
        let queue = GroupCommit::start(queue(10, 10), |group: Vec<i32>| async move {
            if group.contains(&13) {
                return Err(DbErr::Custom("unlucky".into()));
            }
            Ok(group)
        });
        let (a, b, c) = tokio::join!(queue.submit(1), queue.submit(13), queue.submit(2));
        assert_eq!(a.expect("good"), 1);
        assert!(matches!(b, Err(Refused::Failed(_))));
        assert_eq!(c.expect("good"), 2);
    }

    #[tokio::test]
    async fn a_group_waits_for_a_database_that_comes_back() {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = tries.clone();
        let queue = GroupCommit::start(queue(10, 10), move |group: Vec<i32>| {
            let n = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                if n < 3 {
                    return Err(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout));
                }
                Ok(group)
            }
        });
        assert_eq!(queue.submit(1).await.expect("after some tries"), 1);
        assert_eq!(tries.load(Ordering::SeqCst), 4);
    }
}
