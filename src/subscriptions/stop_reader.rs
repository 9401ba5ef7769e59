//! An editor stops a reader's mails, or lets them go out again.

use super::model::Suppression;
use super::store::one_reader::{self, Reader};
use crate::app::App;
use crate::db::DbErr;
use crate::types::{EditorId, EmailAddress, Keys, NewsletterId, ReaderId};

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
    editor: EditorId,
) -> Result<(), DbErr> {
    let now = app.clock.now();
    let hash = hash_of(&app.keys, reader)
        .ok_or_else(|| DbErr::Custom("a stored address does not parse".to_owned()));
    let txn = app.db.write_txn("stop-reader").await?;
    let mut lifted = None;
    match wish {
        Wish::Remove(newsletter) => {
            one_reader::remove(&txn, reader.id, Some(newsletter), reason, now).await?;
        }
        Wish::Suppress => {
            one_reader::suppress(&txn, &hash?, reason, now).await?;
            one_reader::remove(&txn, reader.id, None, reason, now).await?;
        }
        Wish::Allow => lifted = one_reader::allow(&txn, &hash?).await?,
    }
    txn.commit().await?;
    tell(editor, Some(reader.id), lifted);
    Ok(())
}

/// Allows mails to an address again that no reader has: its owner called a confirmation spam, or was erased.
pub async fn allow_address(
    app: &App,
    address: &EmailAddress,
    editor: EditorId,
) -> Result<(), DbErr> {
    let txn = app.db.write_txn("allow-address").await?;
    let lifted = one_reader::allow(&txn, &app.keys.address_hash(address.key())).await?;
    txn.commit().await?;
    tell(editor, None, lifted);
    Ok(())
}

/// Nothing is left in the database of a suppression that was lifted, so the log says who did it; never of which address.
fn tell(editor: EditorId, reader: Option<ReaderId>, lifted: Option<i16>) {
    if let Some(code) = lifted {
        let (reader, suppression) = (reader.map(|id| id.0), Suppression::name_of(code));
        tracing::info!(
            editor = editor.0,
            reader,
            suppression,
            "an editor allowed mails to an address again"
        );
    }
}

/// The address as the table of suppressions knows it; none for an erased reader.
pub fn hash_of(keys: &Keys, reader: &Reader) -> Option<[u8; 32]> {
    let address = EmailAddress::parse(&reader.email).ok()?;
    Some(keys.address_hash(address.key()))
}
