//! Fair scheduling: issues share the lanes, and no batch is taken for a provider without room.
//!
//! The issue with the fewest lanes of this process goes first; issues with equally many take turns. A lane that has
//! worked on a batch for a while gives the rest back if another issue has fewer lanes
//! ([`FairQueue::should_yield`]), so that a slow issue does not keep the lanes it got when it was alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::FromQueryResult;
use tokio::time::Instant;

use super::states::{BatchState, MailingState};
use crate::{
    app::App,
    db::{self, DbErr},
    mailer::{domains::Crowd, leases::LeaseSql},
    types::IssueId,
};

/// The lanes of each issue, and the batches that are due.
#[derive(Debug, Default)]
pub(in crate::mailer) struct FairQueue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The issue whose batch was taken last.
    last: i64,
    lanes: BTreeMap<i64, u32>,
    due: Vec<Due>,
}

/// Batches of one issue that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) issue: IssueId,
    /// The provider they wait for; empty: readers of any provider.
    pub(super) provider: String,
    /// Whether their speed is limited by the number of lanes alone, not by a provider.
    quick: bool,
    /// Whether the issue has expired.
    late: bool,
}

/// A guard that counts a lane for this issue until it is dropped.
#[derive(Debug)]
pub(in crate::mailer) struct Turn {
    queue: Arc<FairQueue>,
    issue: i64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if let Some(lanes) = state.lanes.get_mut(&self.issue) {
            *lanes -= 1;
            if *lanes == 0 {
                state.lanes.remove(&self.issue);
            }
        }
    }
}

/// Reads which batches are due, without a write transaction, so that an idle system writes nothing.
pub(in crate::mailer) async fn look(app: &App) -> Result<(), DbErr> {
    let now = app.clock.now();
    let over = LeaseSql::new(app, app.mailer.held_batches()).over("b.");
    #[derive(FromQueryResult)]
    struct Row {
        issue_id: IssueId,
        provider: String,
        late: bool,
    }
    let rows: Vec<Row> = db::find_all(
        app.db.read(),
        format!(
            "SELECT DISTINCT b.issue_id, b.provider, m.expires_ms < $1 AS late FROM mailing m JOIN mail_batch b ON b.issue_id = m.issue_id
         WHERE m.state = {} AND m.not_before_ms <= $1 AND
           ((b.state = {} AND b.not_before_ms <= $1) OR (b.state = {} AND {over}))",
            MailingState::Sending.code(),
            BatchState::Waiting.code(),
            BatchState::Leased.code()
        ),
        [now.0.into()],
    )
    .await?;
    let now = Instant::now();
    let mut due = Vec::with_capacity(rows.len());
    for row in rows {
        let provider = row.provider;
        let quick = provider.is_empty() || {
            let group = app.mailer.domains.named(&provider);
            let alone = app.mailer.domains.crowd(&provider, false);
            group.closed(now, alone).is_none() && !group.is_slow(alone)
        };
        due.push(Due {
            issue: row.issue_id,
            provider,
            quick,
            late: row.late,
        });
    }
    app.mailer.fair_queue.lock().due = due;
    Ok(())
}

impl FairQueue {
    /// The batches that are due and may be taken, best first.
    pub(super) fn order(&self, app: &App) -> Vec<Due> {
        let now = Instant::now();
        let open = |due: &Due| {
            due.provider.is_empty() || {
                let group = app.mailer.domains.named(&due.provider);
                group.closed(now, self.crowd(app, &due.provider)).is_none()
                    // Their mails are settled with the provider's last reply, without an attempt.
                    || (due.late && group.takes_nothing(now).is_some())
            }
        };
        let due = self.lock().due.clone();
        let mut due: Vec<Due> = due.into_iter().filter(open).collect();
        let state = self.lock();
        due.sort_by_cached_key(|due| {
            let issue = due.issue.0;
            let lanes = state.lanes.get(&issue).copied().unwrap_or(0);
            let (had_its_turn, mixed) = (issue <= state.last, due.provider.is_empty());
            (lanes, had_its_turn, issue, mixed, due.provider.clone())
        });
        due
    }

    /// Counts a lane that takes a batch of this issue.
    pub(super) fn begin(self: &Arc<Self>, issue: IssueId) -> Turn {
        let mut state = self.lock();
        state.last = issue.0;
        *state.lanes.entry(issue.0).or_default() += 1;
        Turn {
            queue: Arc::clone(self),
            issue: issue.0,
        }
    }

    /// Whether this issue keeps another one, which could be faster, from its share of the lanes.
    pub(super) fn should_yield(&self, issue: IssueId) -> bool {
        let state = self.lock();
        let lanes = |issue: i64| state.lanes.get(&issue).copied().unwrap_or(0);
        let mine = lanes(issue.0);
        let others = state
            .due
            .iter()
            .filter(|due| due.quick && due.issue != issue);
        others.into_iter().any(|due| lanes(due.issue.0) + 1 < mine)
    }

    /// What a lane has to know about other work before it sends to this provider.
    pub(in crate::mailer) fn crowd(&self, app: &App, provider: &str) -> Crowd {
        let others = |due: &Due| due.quick && due.provider != provider;
        let others = self.lock().due.iter().any(others);
        app.mailer.domains.crowd(provider, others)
    }

    /// Whether anything is due whose speed is limited by the number of lanes alone.
    pub(in crate::mailer) fn any_due(&self) -> bool {
        self.lock().due.iter().any(|due| due.quick)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_with_more_lanes_than_another_gives_some_back() {
        let queue = Arc::new(FairQueue::default());
        let (large, small) = (IssueId(1), IssueId(2));
        let held: Vec<_> = (0..3).map(|_| queue.begin(large)).collect();
        assert!(!queue.should_yield(large), "nobody else is there");
        queue.lock().due = vec![Due {
            issue: small,
            provider: String::new(),
            quick: true,
            late: false,
        }];
        assert!(queue.should_yield(large));
        let _one = queue.begin(small);
        assert!(queue.should_yield(large), "three to one");
        let _two = queue.begin(small);
        assert!(!queue.should_yield(large), "three to two of five");
        drop(held);
        assert_eq!(queue.lock().lanes.len(), 1);
    }
}
