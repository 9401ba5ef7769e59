//! Hard bounces: addresses that do not exist cost the subscription at once, and many of them stop the issue.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Entry;
use super::orders::{self, By, OrderKind};
use super::states::{DeliveryState, MailingState, Reason};
use crate::{
    db::{self, DbErr, WriteTxn},
    types::{IssueId, ReaderId, UnixMillis},
};

/// The beginning of an issue, in recipients: what its hard bounces are counted among.
const BEGINNING: i64 = 1_000;
/// Fewer say nothing about a list, however small it is.
const FEWEST: i64 = 5;
/// Rows of one statement.
const ROWS: usize = 1_000;

/// An address that does not exist is not written to again: it is suppressed, and its reader's subscriptions end as bounced. In the
/// commit of the outcomes.
pub(super) async fn settle(
    txn: &WriteTxn,
    entries: &[&Entry],
    now: UnixMillis,
) -> Result<(), DbErr> {
    let mut bounced: BTreeMap<&[u8], ReaderId> = BTreeMap::new();
    let mut issues: BTreeSet<i64> = BTreeSet::new();
    for entry in entries {
        for row in entry.rows.iter() {
            if let Some(hash) = &row.suppress {
                bounced.insert(hash, row.reader);
                issues.insert(entry.issue.0);
            }
        }
    }
    let bounced: Vec<(&[u8], ReaderId)> = bounced.into_iter().collect();
    for chunk in bounced.chunks(ROWS) {
        let list = db::values_list(chunk.len(), 3, 0);
        let values = chunk.iter().flat_map(|(hash, _)| {
            let hash: Vec<u8> = hash.to_vec();
            [hash.into(), 1i16.into(), now.0.into()]
        });
        db::run(
            &**txn,
            format!(
                "INSERT INTO suppression (address_hash, reason, created_ms) VALUES {list}
                 ON CONFLICT (address_hash) DO NOTHING"
            ),
            values,
        )
        .await?;
        let list = db::in_list(chunk.len(), 1);
        let readers = chunk.iter().map(|(_, reader)| reader.0.into());
        db::run(
            &**txn,
            format!(
                "UPDATE subscription SET state = 4, changed_ms = $1, reason = 'the address does not exist'
                 WHERE state = 1 AND reader_id IN {list}"
            ),
            std::iter::once(now.0.into()).chain(readers),
        )
        .await?;
    }
    for issue in issues {
        stop_if_many(txn, issue, now).await?;
    }
    Ok(())
}

/// Pauses an issue that begins with too many hard bounces. Once: an editor who resumes it has seen the reason.
async fn stop_if_many(txn: &WriteTxn, issue: i64, now: UnixMillis) -> Result<(), DbErr> {
    let tally = |condition: &str| {
        format!(
            "(SELECT CAST(COALESCE(SUM(t.n), 0) AS BIGINT) FROM issue_tally t WHERE t.issue_id = m.issue_id AND {condition})"
        )
    };
    let bad = format!(
        "t.state = {} AND t.reason = {}",
        DeliveryState::Failed.code(),
        Reason::BadAddress.code()
    );
    let sql = format!(
        "SELECT m.audience, {}, {} FROM mailing m WHERE m.issue_id = $1 AND m.state = $2 AND m.bounce_paused = 0",
        tally("t.state IN (2, 4, 5)"),
        tally(&bad)
    );
    let state = MailingState::Sending.code();
    let row = db::fetch_one(&**txn, sql, [issue.into(), state.into()]).await?;
    let Some(row) = row else {
        return Ok(());
    };
    let (audience, tried, bounces) = (
        row.try_get_by_index(0)?,
        row.try_get_by_index(1)?,
        row.try_get_by_index(2)?,
    );
    if !too_many(audience, tried, bounces) {
        return Ok(());
    }
    let reason = format!(
        "{bounces} of the first {tried} addresses do not exist: the list may be old or wrong. Resuming goes on with the rest."
    );
    let stopped = db::run(
        &**txn,
        "UPDATE mailing SET state = $2, bounce_paused = 1, reason = $3 WHERE issue_id = $1 AND state = $4",
        [
            issue.into(),
            MailingState::Paused.code().into(),
            reason.clone().into(),
            state.into(),
        ],
    )
    .await?;
    if stopped.rows_affected() == 0 {
        // A person was first.
        return Ok(());
    }
    let (kind, nobody) = (OrderKind::PausedItself, By::nobody(now));
    orders::record(txn, IssueId(issue), kind, &nobody, 0, &reason).await?;
    tracing::warn!(
        issue,
        bounces,
        tried,
        "an issue stopped itself: too many addresses do not exist"
    );
    Ok(())
}

/// 2 % of the beginning, and at least [`FEWEST`], while there is a rest to be spared.
fn too_many(audience: i64, tried: i64, bounces: i64) -> bool {
    let beginning = audience.min(BEGINNING);
    tried <= BEGINNING && tried < audience && bounces >= FEWEST && bounces * 50 >= beginning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_in_a_hundred_of_the_beginning_are_too_many() {
        for (audience, tried, bounces, expected) in [
            (100_000, 800, 20, true),
            (100_000, 800, 19, false),
            (100_000, 1_001, 500, false),
            (200, 50, 5, true),
            (200, 50, 4, false),
            (600, 500, 11, false),
            (600, 500, 12, true),
            (10, 10, 10, false),
        ] {
            let given = too_many(audience, tried, bounces);
            assert_eq!(given, expected, "{audience}, {tried}, {bounces}");
        }
    }
}
