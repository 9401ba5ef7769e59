//! Set-up links: how an editor gets an account, and how a lost password is replaced.

use std::time::Duration;

use super::store;
use crate::db::{Db, DbErr};
use crate::types::token::{random_token, token_hash};
use crate::types::{EmailAddress, Random, UnixMillis};

/// How long a set-up link works.
pub const LINK_LIFETIME: Duration = Duration::from_secs(3 * 24 * 3_600);

/// Makes an account for `email`, if there is none, and a link that sets its password, once, within three days. Links made for
/// the same editor before stop working; the password they have, if any, works until the new one is set. Returns the link's path.
///
/// # Errors
/// What the database said.
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
