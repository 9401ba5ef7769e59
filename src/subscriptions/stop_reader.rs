//! An editor stops a reader's mails, or lets them go out again.

use super::store::one_reader::{self, Reader};
use crate::app::App;
use crate::db::DbErr;
use crate::types::{EmailAddress, Keys, NewsletterId};

/// What an editor can do about a reader's mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Off one newsletter.
    Remove(NewsletterId),
    /// Off all, and the address is never mailed again.
    Suppress,
    /// The address may be mailed again, once its owner subscribes.
    Allow,
}

/// Does what an editor wishes, in one transaction. `reason` is kept.
///
/// # Errors
/// What the database said; that a stored address does not parse.
pub async fn stop_reader(
    app: &App,
    reader: &Reader,
    wish: Wish,
    reason: &str,
) -> Result<(), DbErr> {
    let now = app.clock.now();
    let hash = hash_of(&app.keys, reader)
        .ok_or_else(|| DbErr::Custom("a stored address does not parse".to_owned()));
    let txn = app.db.write_txn("stop-reader").await?;
    match wish {
        Wish::Remove(newsletter) => {
            one_reader::remove(&txn, reader.id, Some(newsletter), reason, now).await?;
        }
        Wish::Suppress => {
            one_reader::suppress(&txn, &hash?, reason, now).await?;
            one_reader::remove(&txn, reader.id, None, reason, now).await?;
        }
        Wish::Allow => one_reader::allow(&txn, &hash?).await?,
    }
    txn.commit().await
}

/// Allows mails to an address again that no reader has: its owner called a confirmation spam, or was erased.
///
/// # Errors
/// What the database said.
pub async fn allow_address(app: &App, address: &EmailAddress) -> Result<(), DbErr> {
    let txn = app.db.write_txn("allow-address").await?;
    one_reader::allow(&txn, &app.keys.address_hash(address.key())).await?;
    txn.commit().await
}

/// The address as the table of suppressions knows it; none for an erased reader.
pub fn hash_of(keys: &Keys, reader: &Reader) -> Option<[u8; 32]> {
    let address = EmailAddress::parse(&reader.email).ok()?;
    Some(keys.address_hash(address.key()))
}
