//! Undoes the bounces of an issue in bulk, after a relay or provider denied addresses that do exist, at once or by mail.
//!
//! The suppression and the end of the subscription carry the same millisecond as the ledger's row or the recorded
//! bounce, because one commit wrote them. So exactly these are undone, and later events stand: a complaint, an
//! unsubscription, an erasure, a bounce of another issue.

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, EntityTrait as _, FromQueryResult, QueryFilter as _};

use super::bounces::{NO_SUCH_ADDRESS, Weak};
use super::states::{DeliveryState, Reason};
use crate::{
    app::App,
    db::entities::{subscription, suppression},
    db::{self, Backend, DbErr, WriteTxn},
    types::{EmailAddress, IssueId, ReaderId, SubscriptionState, Suppression, UnixMillis},
};

/// Readers per transaction.
const AT_ONCE: usize = 500;

/// How much was undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllowedAgain {
    /// Addresses that may be mailed again.
    pub addresses: u64,
    /// Subscriptions that are active again.
    pub subscriptions: u64,
}

/// A recipient who bounced.
#[derive(FromQueryResult)]
struct Bounced {
    reader_id: ReaderId,
    email: String,
    /// When that was found.
    at_ms: UnixMillis,
}

/// Allows mail again to the readers whom bounces of this issue suppressed from `from` to before `until`, and
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
    let lock = match app.db.backend() {
        Backend::Postgres => " FOR UPDATE OF r",
        Backend::Sqlite => "",
    };
    for bounced in [at_once(lock), by_mail(lock)] {
        let mut after = Some(ReaderId(0));
        while let Some(reader) = after {
            let txn = app.db.write_txn("allow_again").await?;
            let values = [issue.into(), reader.into(), from.into(), until.into()];
            let rows: Vec<Bounced> = db::find_all(&*txn, &bounced, values).await?;
            // A reader may have several rows, and the last page may have ended between them.
            let full = rows.last().filter(|_| rows.len() == AT_ONCE);
            after = full.map(|last| ReaderId(last.reader_id.0 - 1));
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
    Ok(given)
}

/// The recipients whom a relay refused when it was given the mail.
fn at_once(lock: &str) -> String {
    format!(
        "SELECT b.reader_id, r.email, b.at_ms FROM delivery b JOIN reader r ON r.id = b.reader_id
         WHERE b.issue_id = $1 AND b.reader_id > $2 AND b.at_ms >= $3 AND b.at_ms < $4
           AND b.state = {} AND b.reason IN ({}, {}) ORDER BY b.reader_id LIMIT {AT_ONCE}{lock}",
        DeliveryState::Failed.code(),
        Reason::BadAddress.code(),
        Reason::Refused.code()
    )
}

/// Those about whom a report came back. Kind 1 is a hard bounce.
fn by_mail(lock: &str) -> String {
    format!(
        "SELECT b.reader_id, r.email, b.at_ms FROM bounce b JOIN reader r ON r.id = b.reader_id
         WHERE b.issue_id = $1 AND b.reader_id > $2 AND b.at_ms >= $3 AND b.at_ms < $4
           AND b.kind IN (1, {}, {}) ORDER BY b.reader_id LIMIT {AT_ONCE}{lock}",
        Weak::NoDomain as i16,
        Weak::Soft as i16
    )
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
        .filter(subscription::Column::Reason.is_in([
            NO_SUCH_ADDRESS,
            Weak::NoDomain.why(),
            Weak::Soft.why(),
        ]))
        .exec(&**txn)
        .await?;
    Ok(active.rows_affected)
}
