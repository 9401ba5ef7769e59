//! Group commit: many small writes in one durable commit.
//!
//! A bounded queue and one writer. The writer takes everything that is waiting when the last commit has ended (there
//! is no timer, so an idle system adds no latency), commits it as one group, and only then answers each
//! request. A full queue is [`Refused::Busy`] at once: the caller says 503 with Retry-After instead of letting
//! people wait for a time-out.
//!
//! A group that fails is tried again one request at a time, so that one bad request cannot fail its neighbours. A group that failed
//! because the database was lost is tried again as a whole, for a few seconds: a [`WriteTxn`](super::WriteTxn) that
//! fails has written nothing, so nothing can be applied twice.

use std::future::Future;
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::connection_lost;

/// How long a group is tried again while the database cannot be reached.
const RECONNECT: Duration = Duration::from_secs(5);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(100);

/// A request that was not committed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The queue is full, or the writer has stopped: try again in a moment.
    #[error("the write queue is full")]
    Busy,
    /// The database refused it; nothing was written.
    #[error("the write failed: {0}")]
    Failed(String),
}

type Waiting<Req, Res> = (Req, oneshot::Sender<Result<Res, Refused>>);

/// The sending side of a queue. Cheap to clone; the writer stops when all are dropped and the queue is empty.
#[derive(Debug)]
pub struct GroupCommit<Req, Res> {
    queue: mpsc::Sender<Waiting<Req, Res>>,
}

impl<Req, Res> Clone for GroupCommit<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
        }
    }
}

impl<Req, Res> GroupCommit<Req, Res>
where
    Req: Clone + Send + Sync + 'static,
    Res: Send + 'static,
{
    /// Starts a writer. `commit` gets 1 to `largest` requests, commits them in one transaction and returns one
    /// result each, in order. At most `capacity` requests wait.
    pub fn start<F, Fut>(
        name: &'static str,
        capacity: usize,
        largest: usize,
        commit: F,
    ) -> (Self, JoinHandle<()>)
    where
        F: Fn(Vec<Req>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Res>, DbErr>> + Send,
    {
        let (queue, mut waiting) = mpsc::channel::<Waiting<Req, Res>>(capacity);
        let writer = tokio::spawn(async move {
            let mut group = Vec::with_capacity(largest);
            while waiting.recv_many(&mut group, largest).await > 0 {
                metrics::histogram!("canvass_group_size", "queue" => name)
                    .record(group.len() as f64);
                let (requests, answers): (Vec<_>, Vec<_>) = group.drain(..).unzip();
                match reconnecting(&commit, &requests).await {
                    Ok(results) => answer_all(answers, results),
                    Err(error) if answers.len() == 1 || connection_lost(&error) => {
                        answer_failed(answers, name, &error);
                    }
                    Err(error) => {
                        tracing::warn!(queue = name, %error, "a group failed; each request is tried alone");
                        for (request, answer) in requests.into_iter().zip(answers) {
                            match commit(vec![request]).await {
                                Ok(results) => answer_all(vec![answer], results),
                                Err(error) => answer_failed(vec![answer], name, &error),
                            }
                        }
                    }
                }
            }
        });
        (Self { queue }, writer)
    }

    /// Queues `request` and waits until it is committed.
    ///
    /// # Errors
    /// [`Refused`]; then nothing of the request was written.
    pub async fn submit(&self, request: Req) -> Result<Res, Refused> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send((request, answer))
            .map_err(|_| Refused::Busy)?;
        answered.await.map_err(|_| Refused::Busy)?
    }

    /// As [`submit`](Self::submit), but waits for room in the queue: for background work that has its own bound.
    ///
    /// # Errors
    /// [`Refused::Failed`], or [`Refused::Busy`] when the writer has stopped.
    pub async fn submit_waiting(&self, request: Req) -> Result<Res, Refused> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .send((request, answer))
            .await
            .map_err(|_| Refused::Busy)?;
        answered.await.map_err(|_| Refused::Busy)?
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

fn answer_all<Res>(answers: Vec<oneshot::Sender<Result<Res, Refused>>>, results: Vec<Res>) {
    debug_assert_eq!(answers.len(), results.len(), "one result a request");
    for (answer, result) in answers.into_iter().zip(results) {
        // Whoever asked may have gone; the write stands all the same.
        let _ = answer.send(Ok(result));
    }
}

fn answer_failed<Res>(
    answers: Vec<oneshot::Sender<Result<Res, Refused>>>,
    name: &'static str,
    error: &DbErr,
) {
    tracing::error!(queue = name, %error, "a write failed");
    for answer in answers {
        let _ = answer.send(Err(Refused::Failed(error.to_string())));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_waits_during_a_commit_travels_together() {
        let commits = Arc::new(AtomicUsize::new(0));
        let (gate, opened) = tokio::sync::watch::channel(false);
        let counted = commits.clone();
        let (queue, _writer) = GroupCommit::start("test", 100, 100, move |group: Vec<u32>| {
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
        let (queue, _writer) = GroupCommit::start("test", 1, 1, |group: Vec<()>| async move {
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
    async fn one_bad_request_does_not_fail_its_neighbours() {
        let (queue, _writer) = GroupCommit::start("test", 10, 10, |group: Vec<i32>| async move {
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
        let (queue, _writer) = GroupCommit::start("test", 10, 10, move |group: Vec<i32>| {
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
