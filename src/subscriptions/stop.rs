//! A reader is not written to any more: the address bounces, or its owner complained.

use super::model::{State, Suppression};
use super::store::subscribers;
use crate::db::{DbErr, WriteTxn};
use crate::types::{EmailAddress, Keys, NewsletterId, ReaderId, UnixMillis};

/// Ends every active subscription of a reader as `state` (*bounced* or *complained*) and suppresses the address. Again changes nothing.
///
/// # Errors
/// What the database said.
pub async fn stop(
    txn: &WriteTxn,
    keys: &Keys,
    reader: ReaderId,
    state: State,
    why: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let Some(found) = subscribers::reader(&**txn, reader).await? else {
        return Ok(());
    };
    subscribers::stop(txn, reader, state, why, now).await?;
    let reason = match state {
        State::Complained => Suppression::Complaint,
        _ => Suppression::HardBounce,
    };
    if let Ok(address) = EmailAddress::parse(&found.email) {
        let hash = keys.address_hash(address.key());
        subscribers::suppress(txn, &hash, reason, why, now).await?;
    }
    Ok(())
}

/// Ends one subscription by the reader's wish, in the caller's transaction. `how` stands as the reason.
///
/// # Errors
/// What the database said.
pub async fn leave_in(
    txn: &WriteTxn,
    newsletter: NewsletterId,
    reader: ReaderId,
    how: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    subscribers::leave(txn, newsletter, reader, how, now)
        .await
        .map(drop)
}
