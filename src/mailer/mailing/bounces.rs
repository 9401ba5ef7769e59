//! Bounces: an address that does not exist loses its subscriptions at once, and too many of them pause the issue; other
//! bounces end subscriptions once they are enough.
//!
//! This file: what a relay says when it is given the mail. `came_back`: what is reported later, as mail. `recorded`:
//! when bounces are enough, however they are reported.

mod came_back;
mod recorded;

pub(in crate::mailer) use came_back::REPORTED;
pub use came_back::{CameBack, came_back};
pub use recorded::{Noted, Weak, enough, note};

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use sea_orm::FromQueryResult;

use super::ledger::Entry;
use super::orders::{self, By, OrderKind};
use super::states::{DeliveryState, MailingState, Reason};
use crate::{
    app::App,
    db::{self, DbErr, WriteTxn},
    types::{IssueId, ReaderId, SubscriptionState, Suppression, UnixMillis},
};

/// Hard bounces are counted among this many most recent recipients of an issue.
const WINDOW: i64 = 1_000;
/// The threshold, in percent of the window; the second one holds after an editor has resumed the issue.
const PERCENT: i64 = 2;
const PERCENT_AFTER: i64 = 10;
/// How many issues are remembered.
const KEPT: usize = 100;
/// Fewer bounces than this say nothing about a list, however small it is.
const FEWEST: i64 = 5;
/// Rows per statement.
const ROWS: usize = 1_000;
/// The reason stored in a subscription that ends by a hard bounce; see [`Weak`] for the others.
pub const NO_SUCH_ADDRESS: &str = "the address does not exist";

/// A recipient's address, as its keyed hash, and the reader.
type Address<'e> = (&'e [u8], ReaderId);

/// Suppresses the addresses that do not exist, or have bounced enough, and ends their readers' subscriptions as bounced,
/// in the commit of the outcomes.
pub(super) async fn settle(
    app: &App,
    txn: &WriteTxn,
    entries: &[&Entry],
    now: UnixMillis,
) -> Result<(), DbErr> {
    let mut gone: BTreeMap<&[u8], ReaderId> = BTreeMap::new();
    let mut issues: BTreeMap<i64, i64> = BTreeMap::new();
    let mut others: BTreeMap<Weak, Vec<(Noted, &[u8])>> = BTreeMap::new();
    for entry in entries {
        for row in entry.rows.iter() {
            let Some(hash) = &row.suppress else {
                continue;
            };
            if row.reason == Reason::BadAddress {
                gone.insert(hash, row.reader);
                *issues.entry(entry.issue.0).or_default() += 1;
            } else if let Some(words) = &row.words {
                let weak = Weak::of(words);
                let noted = Noted {
                    issue: entry.issue,
                    reader: row.reader,
                    kind: weak as i16,
                    status: words.enhanced.clone(),
                };
                others.entry(weak).or_default().push((noted, hash));
            }
        }
    }
    let gone: Vec<Address<'_>> = gone.into_iter().collect();
    end(txn, &gone, NO_SUCH_ADDRESS, now).await?;
    for (weak, bounced) in &others {
        recorded::settle(txn, *weak, bounced, now).await?;
    }
    for (issue, fresh) in issues {
        stop_if_many(app, txn, issue, fresh, now).await?;
    }
    Ok(())
}

/// Suppresses addresses and ends their readers' subscriptions as bounced.
async fn end(
    txn: &WriteTxn,
    addresses: &[Address<'_>],
    why: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let reason = Suppression::HardBounce.code();
    for chunk in addresses.chunks(ROWS) {
        let list = db::values_list(chunk.len(), 3, 0);
        let values = chunk.iter().flat_map(|(hash, _)| {
            let hash: Vec<u8> = hash.to_vec();
            [hash.into(), reason.into(), now.0.into()]
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
        let list = db::in_list(chunk.len(), 2);
        let readers = chunk.iter().map(|(_, reader)| reader.0.into());
        db::run(
            &**txn,
            format!(
                "UPDATE subscription SET state = {}, changed_ms = $1, reason = $2 WHERE state = {} AND reader_id IN {list}",
                SubscriptionState::Bounced.code(),
                SubscriptionState::Active.code()
            ),
            [now.0.into(), why.into()].into_iter().chain(readers),
        )
        .await?;
    }
    Ok(())
}

/// A bit of `mailing.bounce_paused`: the issue has paused itself because of hard bounces. `came_back` has others.
const PAUSED: i16 = 1;

/// A mailing's audience, its numbers, and whether it has paused itself before.
#[derive(FromQueryResult)]
struct Totals {
    audience: i64,
    tried: i64,
    bounces: i64,
    bounce_paused: i16,
}

/// The numbers of an issue that is being sent; `None` if it is not.
async fn totals(txn: &WriteTxn, issue: i64) -> Result<Option<Totals>, DbErr> {
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
    let tried = [
        DeliveryState::Sent,
        DeliveryState::Failed,
        DeliveryState::Unknown,
    ]
    .map(|state| state.code().to_string());
    let tried = format!("t.state IN ({})", tried.join(", "));
    let sql = format!(
        "SELECT m.audience, {} AS tried, {} AS bounces, m.bounce_paused FROM mailing m WHERE m.issue_id = $1 AND m.state = $2",
        tally(&tried),
        tally(&bad)
    );
    let state = MailingState::Sending.code();
    db::find_one(&**txn, sql, [issue.into(), state.into()]).await
}

/// Pauses an issue with too many hard bounces: its list may be old, or a provider may deny addresses that exist, as
/// happens when its directory is down. `fresh` of them belong to this commit.
async fn stop_if_many(
    app: &App,
    txn: &WriteTxn,
    issue: i64,
    fresh: i64,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let Some(row) = totals(txn, issue).await? else {
        return Ok(());
    };
    let audience = row.audience;
    let total = Mark {
        tried: row.tried,
        bounces: row.bounces,
    };
    let again = row.bounce_paused & PAUSED != 0;
    let lately = app.mailer.bounced.now(issue, total, fresh, again);
    if !too_many(audience, total.tried, lately.bounces, again) {
        return Ok(());
    }
    let reason = format!(
        "{} of the last {} addresses do not exist: the list may be old or wrong, or a provider with a failure is denying all of its addresses. Resuming continues with the rest.",
        lately.bounces, lately.tried
    );
    if !stop(txn, IssueId(issue), &reason, PAUSED, now).await? {
        return Ok(());
    }
    let app = app.clone();
    txn.after(move || {
        app.mailer.bounced.begin_anew(issue, total);
        tracing::warn!(
            issue,
            bounces = lately.bounces,
            tried = lately.tried,
            "an issue paused itself: too many addresses do not exist"
        );
    });
    Ok(())
}

/// Pauses an issue that is being sent, for a reason that editors see, and remembers `why` as a bit. Returns false if
/// somebody has paused or cancelled it in the meantime.
async fn stop(
    txn: &WriteTxn,
    issue: IssueId,
    reason: &str,
    why: i16,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let sql = format!(
        "UPDATE mailing SET state = $2, bounce_paused = bounce_paused | {why}, reason = $3 WHERE issue_id = $1 AND state = $4"
    );
    let values = [
        issue.into(),
        MailingState::Paused.code().into(),
        reason.into(),
        MailingState::Sending.code().into(),
    ];
    if db::run(&**txn, sql, values).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let (kind, nobody) = (OrderKind::PausedItself, By::nobody(now));
    orders::record(txn, issue, kind, &nobody, 0, reason).await?;
    Ok(true)
}

/// True from the threshold on, with at least [`FEWEST`] bounces, and only while some recipients are still to be
/// attempted. After an editor has resumed the issue the threshold is higher, because the editor knows by then that the
/// list is old.
fn too_many(audience: i64, tried: i64, bounces: i64, again: bool) -> bool {
    let percent = if again { PERCENT_AFTER } else { PERCENT };
    tried < audience && bounces >= FEWEST && bounces * 100 >= audience.min(WINDOW) * percent
}

/// How many recipients were attempted, and how many of them bounced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    tried: i64,
    bounces: i64,
}

/// The totals of each issue at its most recent bounces. Kept in memory: after a restart a new window begins.
#[derive(Debug, Default)]
pub struct Bounced(Mutex<BTreeMap<i64, VecDeque<Mark>>>);

impl Bounced {
    /// The numbers of the window, given these totals of the ledger. Only totals are remembered, so asking twice gives
    /// the same result.
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
            // Some of the bounced were ordered to be sent again, which lowered the total.
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
        // The number of bounces changes only at marks, so the bounces since the first mark are those in the window.
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

    /// Starts a new window: nothing before these totals counts any more.
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
