//! Hard bounces: addresses that do not exist cost the subscription at once, and many of them stop the issue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::ledger::Entry;
use super::orders::{self, By, OrderKind};
use super::states::{DeliveryState, MailingState, Reason};
use crate::{
    app::App,
    db::{self, DbErr, WriteTxn},
    types::{IssueId, ReaderId, SubscriptionState, UnixMillis},
};

/// The last recipients of an issue among whom its hard bounces are counted.
const WINDOW: i64 = 1_000;
/// So many of a window are too many, in percent; and of one that follows after an editor has let the issue go on.
const PERCENT: i64 = 2;
const PERCENT_AFTER: i64 = 10;
/// Issues that are remembered.
const KEPT: usize = 100;
/// Fewer say nothing about a list, however small it is.
const FEWEST: i64 = 5;
/// Rows of one statement.
const ROWS: usize = 1_000;

/// An address that does not exist is not written to again: it is suppressed, and its reader's subscriptions end as bounced. In the
/// commit of the outcomes.
pub(super) async fn settle(
    app: &App,
    txn: &WriteTxn,
    entries: &[&Entry],
    now: UnixMillis,
) -> Result<(), DbErr> {
    let mut bounced: BTreeMap<&[u8], ReaderId> = BTreeMap::new();
    let mut issues: BTreeMap<i64, i64> = BTreeMap::new();
    for entry in entries {
        for row in entry.rows.iter() {
            if let Some(hash) = &row.suppress {
                bounced.insert(hash, row.reader);
                *issues.entry(entry.issue.0).or_default() += 1;
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
                "UPDATE subscription SET state = {}, changed_ms = $1, reason = 'the address does not exist'
                 WHERE state = {} AND reader_id IN {list}",
                SubscriptionState::Bounced.code(),
                SubscriptionState::Active.code()
            ),
            std::iter::once(now.0.into()).chain(readers),
        )
        .await?;
    }
    for (issue, fresh) in issues {
        stop_if_many(app, txn, issue, fresh, now).await?;
    }
    Ok(())
}

/// Pauses an issue that comes to too many hard bounces: its list may be old, or a provider may deny addresses that exist, as it happens
/// when its directory is away. `fresh` of them are of this commit.
async fn stop_if_many(
    app: &App,
    txn: &WriteTxn,
    issue: i64,
    fresh: i64,
    now: UnixMillis,
) -> Result<(), DbErr> {
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
        "SELECT m.audience, {}, {}, m.bounce_paused FROM mailing m WHERE m.issue_id = $1 AND m.state = $2",
        tally("t.state IN (2, 4, 5)"),
        tally(&bad)
    );
    let state = MailingState::Sending.code();
    let row = db::fetch_one(&**txn, sql, [issue.into(), state.into()]).await?;
    let Some(row) = row else {
        return Ok(());
    };
    let audience: i64 = row.try_get_by_index(0)?;
    let total = Mark {
        tried: row.try_get_by_index(1)?,
        bounces: row.try_get_by_index(2)?,
    };
    let again = row.try_get_by_index::<i16>(3)? != 0;
    let lately = app.mailer.bounced.now(issue, total, fresh, again);
    if !too_many(audience, total.tried, lately.bounces, again) {
        return Ok(());
    }
    let reason = format!(
        "{} of the last {} addresses do not exist: the list may be old or wrong, or a provider in trouble denies all of its addresses. Resuming goes on with the rest.",
        lately.bounces, lately.tried
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
    app.mailer.bounced.begin_anew(issue, total);
    tracing::warn!(
        issue,
        bounces = lately.bounces,
        tried = lately.tried,
        "an issue stopped itself: too many addresses do not exist"
    );
    Ok(())
}

/// So many percent of a window, and at least [`FEWEST`], while there is a rest to be spared. After an editor has let the issue go on, only
/// what is much worse stops it: an old list has been seen.
fn too_many(audience: i64, tried: i64, bounces: i64, again: bool) -> bool {
    let percent = if again { PERCENT_AFTER } else { PERCENT };
    tried < audience && bounces >= FEWEST && bounces * 100 >= audience.min(WINDOW) * percent
}

/// How many were tried, and how many of them bounced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    tried: i64,
    bounces: i64,
}

/// Where each issue stood at its last bounces. This process's own: after a restart the window begins with it.
#[derive(Debug, Default)]
pub struct Bounced(Mutex<BTreeMap<i64, VecDeque<Mark>>>);

impl Bounced {
    /// What the window holds at these totals of the ledger. Those are all that is remembered, so whoever asks twice is told the same.
    fn now(&self, issue: i64, total: Mark, fresh: i64, again: bool) -> Mark {
        let mut issues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if issues.len() >= KEPT && !issues.contains_key(&issue) {
            issues.clear();
        }
        let marks = issues.entry(issue).or_default();
        if marks
            .back()
            .is_some_and(|last| last.bounces > total.bounces)
        {
            // Some were ordered to be sent again.
            marks.clear();
        }
        if marks.is_empty() {
            let all_of_it = total.tried <= WINDOW && !again;
            marks.push_back(if all_of_it {
                Mark::default()
            } else {
                Mark {
                    tried: total.tried - fresh,
                    bounces: total.bounces - fresh,
                }
            });
        }
        marks.push_back(total);
        // The number of bounces changes at marks and nowhere else: those since the first are those since the window's beginning.
        while marks
            .get(1)
            .is_some_and(|second| second.tried <= total.tried - WINDOW)
        {
            marks.pop_front();
        }
        let first = marks.front().copied().unwrap_or_default();
        Mark {
            tried: (total.tried - first.tried).min(WINDOW),
            bounces: total.bounces - first.bounces,
        }
    }

    /// What was before these totals does not count any more.
    fn begin_anew(&self, issue: i64, total: Mark) {
        let mut issues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        issues.insert(issue, VecDeque::from([total]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_in_a_hundred_are_too_many_and_ten_after_somebody_has_looked() {
        for (audience, tried, bounces, again, expected) in [
            (100_000, 800, 20, false, true),
            (100_000, 800, 19, false, false),
            (100_000, 50_000, 20, false, true),
            (100_000, 50_000, 99, true, false),
            (100_000, 50_000, 100, true, true),
            (200, 50, 5, false, true),
            (200, 50, 4, false, false),
            (600, 500, 11, false, false),
            (600, 500, 12, false, true),
            (10, 10, 10, false, false),
        ] {
            let given = too_many(audience, tried, bounces, again);
            assert_eq!(given, expected, "{audience}, {tried}, {bounces}, {again}");
        }
    }

    fn at(bounced: &Bounced, tried: i64, bounces: i64) -> (i64, i64) {
        let lately = bounced.now(1, Mark { tried, bounces }, 1, false);
        (lately.tried, lately.bounces)
    }

    #[test]
    fn the_window_slides() {
        let bounced = Bounced::default();
        assert_eq!(at(&bounced, 100, 1), (100, 1));
        assert_eq!(at(&bounced, 900, 2), (900, 2));
        assert_eq!(at(&bounced, 900, 2), (900, 2), "asked twice");
        assert_eq!(at(&bounced, 1_100, 3), (1_000, 2));
        assert_eq!(at(&bounced, 50_000, 4), (1_000, 1), "a long time well");
        for more in 1..=19 {
            assert_eq!(at(&bounced, 50_000 + more, 4 + more).1, 1 + more);
        }
        bounced.begin_anew(
            1,
            Mark {
                tried: 50_019,
                bounces: 23,
            },
        );
        assert_eq!(at(&bounced, 50_030, 24), (11, 1));
        assert_eq!(at(&bounced, 50_040, 3), (1, 1), "sent again");
    }

    #[test]
    fn a_process_that_begins_in_the_middle_counts_from_there() {
        let bounced = Bounced::default();
        assert_eq!(at(&bounced, 5_000, 300), (1, 1));
        assert_eq!(at(&bounced, 5_010, 301), (11, 2));
        let soon = Bounced::default();
        assert_eq!(at(&soon, 600, 10), (600, 10), "all of it is in the window");
    }
}
