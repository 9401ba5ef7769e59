//! Set-up links: how an editor gets an account, and how a lost password is replaced. And how an account ends.

use std::time::Duration;

use super::store;
use crate::db::{Db, DbErr};
use crate::types::token::{random_token, token_hash};
use crate::types::{EmailAddress, Random, UnixMillis};

/// How long a set-up link works.
pub const LINK_LIFETIME: Duration = Duration::from_secs(3 * 24 * 3_600);

/// Makes an account for `email`, if there is none, and a link that sets its password, once, within three days. Links made for
/// the same editor before stop working; the password they have, if any, works until the new one is set. Returns the link's path.
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

/// Closes the account of `email`, at once: whoever is signed in to it is signed out, and neither its password nor its set-up links work any
/// more. What the editor did stays. An invitation opens it again, with a new password. False: there is no such account that is open.
pub async fn close(db: &Db, now: UnixMillis, email: &EmailAddress) -> Result<bool, DbErr> {
    let txn = db.write_txn("close-editor").await?;
    let done = store::close(&txn, email, now).await?;
    txn.commit().await?;
    Ok(done)
}
