//! Set-up links, by which an editor gets an account or replaces a lost password; and the closing of accounts.

use std::time::Duration;

use super::store;
use crate::db::{Db, DbErr};
use crate::types::token::{random_token, token_hash};
use crate::types::{EmailAddress, Random, UnixMillis};

/// How long a set-up link is valid.
pub const LINK_LIFETIME: Duration = Duration::from_secs(3 * 24 * 3_600);

/// Creates an account for `email`, if there is none, and a link that sets its password once within three days.
/// Earlier links of the same editor stop working; an existing password works until the new one is set. Returns the
/// path of the link.
pub async fn invite(
    db: &Db,
    random: &Random,
    now: UnixMillis,
    email: &EmailAddress,
    name: &str,
) -> Result<String, DbErr> {
    let token = random_token(random);
    let txn = db.write_txn("invite-editor").await?;
    let editor = store::add(&txn, email, name, now).await?;
    store::add_invite(&txn, editor, &token_hash(&token), now, now + LINK_LIFETIME).await?;
    txn.commit().await?;
    Ok(format!("/admin/set-password/{token}"))
}

/// Closes the account of `email` at once: its sessions end, and its password and set-up links stop working. The
/// editor's work stays. An invitation reopens the account with a new password. Returns false if there is no open
/// account.
pub async fn close(db: &Db, now: UnixMillis, email: &EmailAddress) -> Result<bool, DbErr> {
    let txn = db.write_txn("close-editor").await?;
    let done = store::close(&txn, email, now).await?;
    txn.commit().await?;
    Ok(done)
}
