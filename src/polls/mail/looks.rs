//! The visits in progress, and the results of those that are over.
//!
//! A GET request writes nothing to the database: it is only noted here, in the memory of this process, for
//! half an hour at most. Once a visit is over, the counter of its poll and issue is incremented, as an access
//! log would be evaluated, and the reader is forgotten. A process that is killed loses what it had not
//! counted; no vote depends on it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderMap, Method};

use super::store;
use super::visit::{Look, Target, Visit};
use crate::app::App;
use crate::db::DbErr;
use crate::types::{IssueId, PollId, ReaderId, UnixMillis};
use crate::web::Client;

/// The most visits kept, some 10 MB. Beyond that, the oldest are counted as they are.
const MOST: usize = 50_000;
/// The interval between two counts.
const EVERY: Duration = Duration::from_secs(10);

type Mail = (IssueId, ReaderId);
/// The numbers of seen and scanned visits, by poll and issue.
pub(super) type Counts = BTreeMap<(PollId, IssueId), (i64, i64)>;

/// The visits of this process.
#[derive(Debug, Default)]
pub struct Looks {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    visits: HashMap<Mail, Visit>,
    /// In the order they began.
    begun: VecDeque<Mail>,
    /// Visits that are over but not yet in the database.
    over: Counts,
}

impl Looks {
    /// Notes that a link was opened.
    pub(super) fn note(&self, mail: Mail, look: Look) {
        self.with(|state| {
            if !state.visits.contains_key(&mail) {
                if state.visits.len() >= MOST
                    && let Some(oldest) = state.begun.pop_front()
                {
                    state.end(oldest);
                }
                state.begun.push_back(mail);
            }
            state.visits.entry(mail).or_default().add(look);
        });
    }

    /// Notes that a reader has answered, so that the links opened before led to a vote.
    pub fn answered(&self, mail: Mail, poll: PollId) {
        self.with(|state| {
            if let Some(visit) = state.visits.get_mut(&mail) {
                visit.answered(poll);
            }
        });
    }

    /// Takes the counts of the visits that are over at `now`; with `None`, of all visits.
    fn take(&self, now: Option<UnixMillis>) -> Counts {
        self.with(|state| {
            let over: Vec<Mail> = state
                .visits
                .iter()
                .filter(|(_, visit)| now.is_none_or(|now| visit.is_over(now)))
                .map(|(mail, _)| *mail)
                .collect();
            for mail in over {
                state.end(mail);
            }
            let State { visits, begun, .. } = state;
            begun.retain(|mail| visits.contains_key(mail));
            std::mem::take(&mut state.over)
        })
    }

    /// Puts back counts that could not be stored.
    fn put_back(&self, counts: Counts) {
        self.with(|state| {
            for (key, (seen, scanner)) in counts {
                let count = state.over.entry(key).or_default();
                count.0 += seen;
                count.1 += scanner;
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn end(&mut self, mail: Mail) {
        let Some(visit) = self.visits.remove(&mail) else {
            return;
        };
        for (poll, outcome) in visit.outcomes() {
            let count = self.over.entry((poll, mail.0)).or_default();
            count.0 += i64::from(outcome.seen);
            count.1 += i64::from(outcome.scanner);
        }
    }
}

/// The look for a request; `None` for a prefetch by a browser, which nobody has seen.
pub(super) fn from(
    app: &App,
    method: &Method,
    client: &Client,
    headers: &HeaderMap,
    target: Target,
) -> Option<Look> {
    let says = |name: &str, word: &str| {
        let values = headers.get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.to_ascii_lowercase().contains(word))
    };
    let ahead = ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .iter()
        .any(|name| says(name, "prefetch") || says(name, "preview") || says(name, "prerender"));
    if ahead {
        return None;
    }
    let now = app.clock.now();
    // Uses the network hashed under today's secret, so that not even memory holds an address.
    let mut hasher = DefaultHasher::new();
    app.polls
        .networks
        .hash(&client.network(), now)
        .hash(&mut hasher);
    headers.get(USER_AGENT).hash(&mut hasher);
    Some(Look {
        at: now,
        target,
        client: hasher.finish(),
        head: method == Method::HEAD,
    })
}

/// Counts the visits that are over.
///
/// # Errors
/// A database error; the visits are counted the next time.
pub async fn tick(app: &App) -> Result<(), DbErr> {
    write(app, app.polls.looks.take(Some(app.clock.now()))).await
}

async fn write(app: &App, counts: Counts) -> Result<(), DbErr> {
    if counts.is_empty() {
        return Ok(());
    }
    let written = store::add(app, &counts).await;
    if written.is_err() {
        app.polls.looks.put_back(counts);
    }
    written
}

/// The background task: counts periodically, and once more when the process stops.
pub async fn keep(app: App) {
    loop {
        let stopping = tokio::select! {
            () = app.stopping.cancelled() => true,
            () = tokio::time::sleep(EVERY) => false,
        };
        let counted = if stopping {
            write(&app, app.polls.looks.take(None)).await
        } else {
            tick(&app).await
        };
        if let Err(error) = counted {
            tracing::error!(%error, "views of mailed polls were not counted");
        }
        if stopping {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: i64) -> Look {
        Look {
            at: UnixMillis(at),
            target: Target::Whole(PollId(7)),
            client: 1,
            head: false,
        }
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_dropped() {
        let looks = Looks::default();
        let many = MOST as i64 + 1_000;
        for reader in 0..many {
            looks.note((IssueId(1), ReaderId(reader)), look(reader));
        }
        let (visits, begun) = looks.with(|state| (state.visits.len(), state.begun.len()));
        assert_eq!((visits, begun), (MOST, MOST));
        let counts = looks.take(None);
        assert_eq!(counts.get(&(PollId(7), IssueId(1))), Some(&(many, 0)));
        assert_eq!(looks.with(|state| state.begun.len()), 0);
    }

    #[test]
    fn what_could_not_be_written_is_counted_next_time() {
        let looks = Looks::default();
        looks.note((IssueId(1), ReaderId(1)), look(0));
        let counts = looks.take(None);
        looks.put_back(counts);
        looks.note((IssueId(1), ReaderId(2)), look(0));
        let counts = looks.take(None);
        assert_eq!(counts.get(&(PollId(7), IssueId(1))), Some(&(2, 0)));
        assert!(looks.take(None).is_empty());
    }
}
