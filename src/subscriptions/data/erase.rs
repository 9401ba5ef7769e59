//! Erasing a reader.

use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::mailer::{mailing, outbox};
use crate::polls;
use crate::subscriptions::confirm::parse_own;
use crate::subscriptions::model::{State, Suppression};
use crate::subscriptions::store::{one_reader, requests, subscribers};
use crate::types::token::random_token;
use crate::types::{ReaderId, UnixMillis};

/// Erases a reader, at their own wish or an editor's. False: that was done before. Secret ballots stay as they are:
/// nobody can find them, and their links no longer work.
///
/// # Errors
/// On a database error; then nothing was erased.
pub async fn erase(app: &App, reader: ReaderId) -> Result<bool, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("erase reader").await?;
    let done = erase_in(&txn, app, reader, now).await?;
    txn.cut_log();
    txn.commit().await?;
    Ok(done)
}

async fn erase_in(
    txn: &WriteTxn,
    app: &App,
    reader: ReaderId,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let Some(found) = subscribers::reader(&**txn, reader).await? else {
        return Ok(false);
    };
    let address = parse_own(&found.email)?;
    let hash = app.keys.address_hash(address.key());
    // Take this lock before any of the reader's rows, as a confirmation and a complaint do, to avoid deadlocks.
    requests::queue_up(&app.db, txn, &hash).await?;
    // Concurrent writes for this reader wait for the row, and then find that the reader is gone.
    let nobody = format!("erased:{}", random_token(&app.random));
    subscribers::hold(txn, app.db.backend(), reader).await?;
    requests::forget(txn, address.key()).await?;
    if !one_reader::erase(txn, reader, &nobody, now).await? {
        return Ok(false);
    }
    polls::take_back_links(txn, app.db.backend(), reader).await?;
    subscribers::stop(txn, reader, State::Left, "erased", now).await?;
    mailing::forget_reader(txn, reader).await?;
    outbox::forget(txn, &hash, "its reader was erased", now).await?;
    subscribers::suppress(txn, &hash, Suppression::Erased, "", now).await?;
    Ok(true)
}
