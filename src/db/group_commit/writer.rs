//! The receiving end of a queue: takes what is waiting, commits it as one group, and answers.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::poll;
use sea_orm::DbErr;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::{Pace, Queue, Refusals, Refused};
use crate::db::{Sparing, connection_lost, is_unwritable};
use crate::panics;

/// After this many yields in a row that added nothing, the group is committed. On an idle server they take some
/// microseconds.
const TURNS: usize = 8;
/// The interval for checking the queue for late requests while a commit is slow.
const LOOK: Duration = Duration::from_secs(1);
/// How long a group is retried while the database cannot be reached.
const RECONNECT: Duration = Duration::from_secs(5);
/// The pause between two retries.
const AGAIN: Duration = Duration::from_millis(100);

/// A request in the queue.
pub(super) struct Waiting<Req, Res> {
    pub(super) request: Req,
    pub(super) answer: Answer<Res>,
    /// When to refuse it as busy; `None` if the caller has a limit of its own.
    pub(super) until: Option<Instant>,
    /// Its place in the queue.
    pub(super) room: OwnedSemaphorePermit,
}

/// Where to send the result of a request.
pub(super) struct Answer<Res> {
    pub(super) to: oneshot::Sender<Result<Res, Refused>>,
    /// Whether the caller waits however long it takes.
    pub(super) is_patient: bool,
}

/// The answers of a group, in order; `None` if one was already given.
type Answers<Res> = Vec<Option<Answer<Res>>>;

/// A group that is on disk and not answered yet.
struct Committed<Res> {
    answers: Answers<Res>,
    /// One for each.
    results: Vec<Res>,
}

/// The one writer of a queue.
pub(super) struct Writer<Req, Res> {
    queue: Queue,
    longest_write: Duration,
    pace: Pace,
    arriving: mpsc::UnboundedReceiver<Waiting<Req, Res>>,
    /// The requests that have arrived, in order.
    waiting: VecDeque<Waiting<Req, Res>>,
    refusals: Refusals,
    /// Limits the log lines that say the database cannot be written.
    told: Sparing,
}

impl<Req: Clone, Res> Writer<Req, Res> {
    pub(super) fn of(
        queue: Queue,
        longest_write: Duration,
        pace: Pace,
        refusals: Refusals,
        arriving: mpsc::UnboundedReceiver<Waiting<Req, Res>>,
    ) -> Self {
        Self {
            queue,
            longest_write,
            pace,
            arriving,
            waiting: VecDeque::new(),
            refusals,
            told: Sparing::new(),
        }
    }

    /// Writes until all senders are gone and the queue is empty.
    pub(super) async fn run<F, Fut>(&mut self, commit: &F)
    where
        F: Fn(Vec<Req>) -> Fut,
        Fut: Future<Output = Result<Vec<Res>, DbErr>>,
    {
        let Queue { name, largest, .. } = self.queue;
        let pace = self.pace.clone();
        let timed = |group| pace.of(unbroken(name, async { commit(group).await }));
        let mut last = 0;
        let mut committed = None;
        loop {
            self.take_in();
            // Half of those who take part: they either wait or were in the last group. While one half is being
            // written, the other is answered and comes back; a group of all would leave the processor idle meanwhile.
            let enough = (last + self.waiting.len()).div_ceil(2).clamp(1, largest);
            if self.waiting.len() < enough {
                tell(committed.take());
                if !self.someone().await {
                    return;
                }
                self.gather(enough).await;
            }
            last = self.waiting.len().min(largest);
            metrics::histogram!("canvass_group_size", "queue" => name).record(last as f64);
            let (requests, answers) = self.first(last);
            let mut writing = pin!(self.write(&timed, requests, answers));
            committed = match committed.take() {
                None => writing.await,
                // The next commit is on its way to the database before the answers to the last one are given:
                // they make work for every thread of the runtime.
                before => match poll!(writing.as_mut()) {
                    Poll::Ready(committed) => {
                        tell(before);
                        committed
                    }
                    Poll::Pending => {
                        tell(before);
                        writing.await
                    }
                },
            };
        }
    }

    /// Takes the first `size` requests out of the queue, to be written.
    fn first(&mut self, size: usize) -> (Vec<Req>, Answers<Res>) {
        let taken = self.waiting.drain(..size);
        taken
            .map(|waiting| (waiting.request, Some(waiting.answer)))
            .unzip()
    }

    /// Commits a group and returns what is to be answered. If the commit fails, the requests are answered here: for
    /// another reason than a lost connection they are committed one by one.
    async fn write<F, Fut>(
        &mut self,
        commit: &F,
        requests: Vec<Req>,
        mut answers: Answers<Res>,
    ) -> Option<Committed<Res>>
    where
        F: Fn(Vec<Req>) -> Fut,
        Fut: Future<Output = Result<Vec<Res>, DbErr>>,
    {
        let name = self.queue.name;
        let done = self
            .meanwhile(&mut answers, reconnecting(commit, &requests))
            .await;
        match done {
            Ok(results) => return Some(Committed { answers, results }),
            Err(error) if answers.len() == 1 || is_unwritable(&error) => {
                self.answer_failed(answers, &error);
            }
            Err(error) => {
                tracing::warn!(queue = name, %error, "a group of writes failed; trying each request on its own");
                for (request, answer) in requests.into_iter().zip(answers) {
                    let mut answer = vec![answer];
                    match self.meanwhile(&mut answer, commit(vec![request])).await {
                        Ok(results) => tell(Some(Committed {
                            answers: answer,
                            results,
                        })),
                        Err(error) => self.answer_failed(answer, &error),
                    }
                }
            }
        }
        None
    }

    /// Answers every request of a failed group.
    fn answer_failed(&self, answers: Answers<Res>, error: &DbErr) {
        let queue = self.queue.name;
        let unwritable = is_unwritable(error);
        if !unwritable {
            tracing::error!(queue, %error, "a write failed");
        } else if let Some(unsaid) = self.told.now() {
            tracing::error!(queue, %error, unsaid, "the database cannot be written; clients are asked to retry");
        }
        if unwritable {
            self.refusals.unwritable(answers.iter().flatten().count());
        }
        for answer in answers.into_iter().flatten() {
            let refused = match unwritable {
                true => Refused::Unwritable,
                false => Refused::Failed(error.to_string()),
            };
            let _ = answer.to.send(Err(refused));
        }
    }

    /// Waits for a request; false if there can be no more.
    async fn someone(&mut self) -> bool {
        if self.waiting.is_empty() {
            match self.arriving.recv().await {
                Some(first) => self.waiting.push_back(first),
                None => return false,
            }
        }
        true
    }

    /// Waits until `enough` requests are there, or until other tasks add nothing more: clients that were just answered
    /// come back at the same time, and a commit costs nearly the same for all of them as for one.
    async fn gather(&mut self, enough: usize) {
        self.take_in();
        let mut in_vain = 0;
        while self.waiting.len() < enough && in_vain < TURNS {
            tokio::select! {
                biased;
                // An arrival wakes this task at once. A yield alone would wait for all that is ready to run.
                arrived = self.arriving.recv() => match arrived {
                    Some(request) => {
                        self.waiting.push_back(request);
                        in_vain = 0;
                    }
                    None => return,
                },
                () = yield_now() => in_vain += 1,
            }
            self.take_in();
        }
    }

    fn take_in(&mut self) {
        while let Ok(waiting) = self.arriving.try_recv() {
            self.waiting.push_back(waiting);
        }
    }

    /// Waits for a commit. While it is slow, requests that have waited too long are refused.
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
                () = sleep(LOOK.min(self.longest_write)) => {}
            }
            self.take_in();
            let now = Instant::now();
            let late = |waiting: &Waiting<Req, Res>| waiting.until.is_some_and(|at| at <= now);
            if self.waiting.iter().any(late) {
                let (refused, waiting): (VecDeque<_>, _) = self.waiting.drain(..).partition(late);
                self.waiting = waiting;
                self.refusals.slow(refused.len());
                for Waiting { answer, room, .. } in refused {
                    drop(room);
                    let _ = answer.to.send(Err(Refused::Busy));
                }
            }
            if now - begun >= self.longest_write {
                let mut told = 0;
                for answer in answers.iter_mut() {
                    if let Some(answer) = answer.take_if(|answer| !answer.is_patient) {
                        let _ = answer.to.send(Err(Refused::Unknown));
                        told += 1;
                    }
                }
                self.refusals.unknown(told);
            }
        }
    }
}

/// A commit that panics counts as failed: its transaction was dropped.
async fn unbroken<T>(
    queue: &'static str,
    commit: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let done = panics::caught(queue, commit).await;
    done.unwrap_or_else(|broke| Err(DbErr::Custom(broke.to_string())))
}

/// Commits a group, and retries while the connection is lost, up to [`RECONNECT`].
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

/// Answers a group that is committed.
fn tell<Res>(committed: Option<Committed<Res>>) {
    let Some(Committed { answers, results }) = committed else {
        return;
    };
    debug_assert_eq!(answers.len(), results.len(), "one result a request");
    for (answer, result) in answers.into_iter().zip(results) {
        if let Some(answer) = answer {
            // The caller may be gone; the write is committed nevertheless.
            let _ = answer.to.send(Ok(result));
        }
    }
}
