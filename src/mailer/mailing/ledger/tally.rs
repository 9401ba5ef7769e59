//! The counters of an issue, changed in the commit of the rows that they count.

use std::collections::BTreeMap;

use super::super::states::{DeliveryState, Reason};
use crate::{
    db::{self, DbErr, WriteTxn},
    types::IssueId,
};

/// The changes for one recipient: (state, reason), and by how much.
pub(super) fn changes(
    was_deferred: bool,
    state: DeliveryState,
    reason: Reason,
) -> impl Iterator<Item = ((i16, i16), i32)> {
    // Deferred recipients are counted together, whatever the reason: so leaving the state needs no memory of it.
    let deferred = (DeliveryState::Deferred.code(), 0);
    let now = match state {
        DeliveryState::Deferred => deferred,
        _ => (state.code(), reason.code()),
    };
    let left = was_deferred.then_some((deferred, -1));
    left.into_iter().chain([(now, 1)])
}

/// Accumulated changes of the counters.
#[derive(Default)]
pub(in super::super) struct Tally(BTreeMap<(i64, i16, i16), i64>);

impl Tally {
    /// Counts a recipient that an editor's order moves from one state to another, without a lease on a batch.
    pub(in super::super) fn moved(
        &mut self,
        issue: IssueId,
        from: (DeliveryState, Reason),
        to: (DeliveryState, Reason),
    ) {
        let left = (issue.0, from.0.code(), from.1.code());
        *self.0.entry(left).or_default() -= 1;
        self.row(issue, false, to.0, to.1);
    }

    pub(super) fn row(
        &mut self,
        issue: IssueId,
        was_deferred: bool,
        state: DeliveryState,
        reason: Reason,
    ) {
        for ((state, reason), by) in changes(was_deferred, state, reason) {
            *self.0.entry((issue.0, state, reason)).or_default() += i64::from(by);
        }
    }

    /// Writes the changes in the order of their keys, so that two nodes cannot deadlock.
    pub(in super::super) async fn write(self, txn: &WriteTxn, slot: i64) -> Result<(), DbErr> {
        let changes: Vec<_> = self.0.into_iter().filter(|(_, n)| *n != 0).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let list = db::values_list(changes.len(), 5, 0);
        let sql = format!(
            "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES {list}
             ON CONFLICT (issue_id, state, reason, slot) DO UPDATE SET n = issue_tally.n + excluded.n"
        );
        let values = changes.into_iter().flat_map(|((issue, state, reason), n)| {
            [
                issue.into(),
                state.into(),
                reason.into(),
                slot.into(),
                n.into(),
            ]
        });
        db::run(&**txn, sql, values).await.map(drop)
    }
}
