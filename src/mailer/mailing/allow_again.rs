//! Undoes the hard bounces of an issue in bulk, after a relay or provider denied addresses that do exist.
//!
//! The suppression and the end of the subscription carry the same millisecond as the ledger's row, because one commit
//! wrote them. So exactly these are undone, and later events stand: a complaint, an unsubscription, an erasure, a
//! bounce of another issue.

use super::states::{DeliveryState, Reason};
use crate::{
    app::App,
    db::{self, DbErr},
    types::{EmailAddress, IssueId, SubscriptionState, UnixMillis},
};

/// Readers per transaction.
const AT_ONCE: i64 = 500;

/// How much was undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllowedAgain {
    /// Addresses that may be mailed again.
    pub addresses: u64,
    /// Subscriptions that are active again.
    pub subscriptions: u64,
}

/// Allows mail again to the readers whom hard bounces of this issue suppressed from `from` to before `until`, and
/// reactivates the subscriptions that ended with them. If it is interrupted, call it again.
///
/// # Errors
/// On a database error; the transactions that were committed before it stand.
pub async fn allow_again(
    app: &App,
    issue: IssueId,
    from: UnixMillis,
    until: UnixMillis,
) -> Result<AllowedAgain, DbErr> {
    let mut given = AllowedAgain::default();
    let mut after = 0i64;
    loop {
        let txn = app.db.write_txn("allow_again").await?;
        let rows = db::fetch_all(
            &*txn,
            format!(
                "SELECT d.reader_id, r.email, d.at_ms FROM delivery d JOIN reader r ON r.id = d.reader_id
                 WHERE d.issue_id = $1 AND d.reader_id > $2 AND d.state = $3 AND d.reason = $4
                   AND d.at_ms >= $5 AND d.at_ms < $6 ORDER BY d.reader_id LIMIT {AT_ONCE}"
            ),
            [
                issue.0.into(),
                after.into(),
                DeliveryState::Failed.code().into(),
                Reason::BadAddress.code().into(),
                from.0.into(),
                until.0.into(),
            ],
        )
        .await?;
        if rows.is_empty() {
            return Ok(given);
        }
        for row in &rows {
            after = row.try_get_by_index(0)?;
            let (email, at): (String, i64) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            let Ok(address) = EmailAddress::parse(&email) else {
                continue;
            };
            let hash = app.keys.address_hash(address.key()).to_vec();
            let lifted = db::run(
                &*txn,
                "DELETE FROM suppression WHERE address_hash = $1 AND reason = 1 AND created_ms = $2",
                [hash.into(), at.into()],
            )
            .await?;
            if lifted.rows_affected() == 0 {
                continue;
            }
            given.addresses += 1;
            let active = db::run(
                &*txn,
                format!(
                    "UPDATE subscription SET state = {}, changed_ms = $1, reason = '' WHERE reader_id = $2 AND state = {}
                       AND changed_ms = $3 AND reason = 'the address does not exist'",
                    SubscriptionState::Active.code(),
                    SubscriptionState::Bounced.code()
                ),
                [app.clock.now().0.into(), after.into(), at.into()],
            )
            .await?;
            given.subscriptions += active.rows_affected();
        }
        txn.commit().await?;
    }
}
