//! Undoes the hard bounces of an issue in bulk, after a relay or provider denied addresses that do exist.
//!
//! The suppression and the end of the subscription carry the same millisecond as the ledger's row, because one commit
//! wrote them. So exactly these are undone, and later events stand: a complaint, an unsubscription, an erasure, a
//! bounce of another issue.

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, EntityTrait as _, FromQueryResult, QueryFilter as _};

use super::bounces::NO_SUCH_ADDRESS;
use super::states::{DeliveryState, Reason};
use crate::{
    app::App,
    db::entities::{subscription, suppression},
    db::{self, DbErr, WriteTxn},
    types::{EmailAddress, IssueId, ReaderId, SubscriptionState, Suppression, UnixMillis},
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

/// A recipient whose address did not exist.
#[derive(FromQueryResult)]
struct Bounced {
    reader_id: ReaderId,
    email: String,
    /// When that was found.
    at_ms: UnixMillis,
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
    let mut after = ReaderId(0);
    loop {
        let txn = app.db.write_txn("allow_again").await?;
        let rows: Vec<Bounced> = db::find_all(
            &*txn,
            format!(
                "SELECT d.reader_id, r.email, d.at_ms FROM delivery d JOIN reader r ON r.id = d.reader_id
                 WHERE d.issue_id = $1 AND d.reader_id > $2 AND d.state = $3 AND d.reason = $4
                   AND d.at_ms >= $5 AND d.at_ms < $6 ORDER BY d.reader_id LIMIT {AT_ONCE}"
            ),
            [
                issue.into(),
                after.into(),
                DeliveryState::Failed.code().into(),
                Reason::BadAddress.code().into(),
                from.into(),
                until.into(),
            ],
        )
        .await?;
        let Some(last) = rows.last() else {
            return Ok(given);
        };
        after = last.reader_id;
        for row in &rows {
            if !lift(app, &txn, row).await? {
                continue;
            }
            given.addresses += 1;
            given.subscriptions += reactivate(&txn, row, app.clock.now()).await?;
        }
        txn.commit().await?;
    }
}

/// Lifts the suppression that this bounce caused. Returns false if there is none any more.
async fn lift(app: &App, txn: &WriteTxn, row: &Bounced) -> Result<bool, DbErr> {
    let Ok(address) = EmailAddress::parse(&row.email) else {
        return Ok(false);
    };
    let hash = app.keys.address_hash(address.key()).to_vec();
    let lifted = suppression::Entity::delete_many()
        .filter(suppression::Column::AddressHash.eq(hash))
        .filter(suppression::Column::Reason.eq(Suppression::HardBounce.code()))
        .filter(suppression::Column::CreatedMs.eq(row.at_ms))
        .exec(&**txn)
        .await?;
    Ok(lifted.rows_affected > 0)
}

/// Reactivates the subscriptions that this bounce ended, and returns their number.
async fn reactivate(txn: &WriteTxn, row: &Bounced, now: UnixMillis) -> Result<u64, DbErr> {
    let active = subscription::Entity::update_many()
        .set(subscription::ActiveModel {
            state: Set(SubscriptionState::Active.code()),
            changed_ms: Set(now),
            reason: Set(String::new()),
            ..Default::default()
        })
        .filter(subscription::Column::ReaderId.eq(row.reader_id))
        .filter(subscription::Column::State.eq(SubscriptionState::Bounced.code()))
        .filter(subscription::Column::ChangedMs.eq(row.at_ms))
        .filter(subscription::Column::Reason.eq(NO_SUCH_ADDRESS))
        .exec(&**txn)
        .await?;
    Ok(active.rows_affected)
}
