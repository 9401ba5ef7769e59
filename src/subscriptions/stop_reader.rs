//! An editor stops the mails to a reader, or allows them again.

use super::model::Suppression;
use super::store::one_reader::{self, Reader};
use super::store::subscribers;
use crate::app::App;
use crate::db::DbErr;
use crate::types::{EditorId, EmailAddress, Keys, NewsletterId, ReaderId};

/// What an editor can do about a reader's mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Removes the reader from one newsletter.
    Remove(NewsletterId),
    /// Removes the reader from all newsletters and suppresses the address.
    Suppress,
    /// Lifts the suppression. The address is mailed again once its owner subscribes.
    Allow,
}

/// Carries out an editor's wish, in one transaction. `reason` is stored.
///
/// # Errors
/// On a database error, or if a stored address does not parse.
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
    subscribers::hold(&txn, app.db.backend(), reader.id).await?;
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

/// Lifts the suppression of an address that belongs to no reader, because its owner reported a confirmation as spam or
/// was erased.
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

/// Logs who lifted a suppression, because nothing of it is left in the database. Never logs the address.
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

/// The keyed hash of the address, as in the table of suppressions; `None` for an erased reader.
pub fn hash_of(keys: &Keys, reader: &Reader) -> Option<[u8; 32]> {
    let address = EmailAddress::parse(&reader.email).ok()?;
    Some(keys.address_hash(address.key()))
}
