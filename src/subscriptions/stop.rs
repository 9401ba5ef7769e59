//! Stops all mail to a reader, because the address bounces or its owner complained.

use super::model::{State, Suppression};
use super::store::subscribers;
use crate::db::{DbErr, WriteTxn};
use crate::types::{EmailAddress, Keys, NewsletterId, ReaderId, UnixMillis};

/// Ends every active subscription of a reader, who must be locked, as `state` (*bounced* or *complained*) and suppresses
/// the address. Idempotent.
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
    match EmailAddress::parse(&found.email) {
        Ok(address) => {
            let hash = keys.address_hash(address.key());
            stop_known(txn, reader, &hash, state, why, now).await
        }
        Err(_) => subscribers::stop(txn, reader, state, why, now).await,
    }
}

/// Like [`stop`], if the keyed hash of the reader's address is known.
pub(super) async fn stop_known(
    txn: &WriteTxn,
    reader: ReaderId,
    hash: &[u8],
    state: State,
    why: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let reason = match state {
        State::Complained => Suppression::Complaint,
        _ => Suppression::HardBounce,
    };
    subscribers::suppress(txn, hash, reason, why, now).await?;
    subscribers::stop(txn, reader, state, why, now).await
}

/// Ends one subscription by the reader's wish, in the caller's transaction, which has locked the reader. `how` is stored as the reason.
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
