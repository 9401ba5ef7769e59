//! A reader leaves a newsletter, or undoes that.

use super::confirm::parse_own;
use super::model::{State, Subscribed, UNDO_WITHIN};
use super::store::subscribers::{self, Changed, Reader};
use crate::app::App;
use crate::db::DbErr;
use crate::newsletters::{self, Newsletter};
use crate::types::{NewsletterId, ReaderId, UnixMillis};

/// The relation of a reader to a newsletter.
#[derive(Debug)]
pub struct Relation {
    pub newsletter: Newsletter,
    pub receives: bool,
    /// The reader left recently enough to undo it.
    pub can_undo: bool,
}

/// Reads the relation. Changes nothing. `None` if there is no such newsletter. An erased reader receives nothing and
/// cannot undo.
pub async fn look(
    app: &App,
    newsletter: NewsletterId,
    reader: ReaderId,
) -> Result<Option<Relation>, DbErr> {
    let Some(found) = newsletters::by_id(app.db.read(), newsletter).await? else {
        return Ok(None);
    };
    let Some(known) = subscribers::reader(app.db.read(), reader).await? else {
        return Ok(Some(Relation {
            newsletter: found,
            receives: false,
            can_undo: false,
        }));
    };
    let state = subscribers::state(app.db.read(), newsletter, reader).await?;
    let can_undo = match undoable(state, app.clock.now()) {
        Some(_) => !is_suppressed(app, &known).await?,
        None => false,
    };
    Ok(Some(Relation {
        newsletter: found,
        receives: state.is_some_and(|changed| changed.is(State::Active)),
        can_undo,
    }))
}

/// Stops a newsletter's mails. Idempotent. `how` is stored as the reason in the subscription.
pub async fn leave(
    app: &App,
    newsletter: NewsletterId,
    reader: ReaderId,
    how: &str,
) -> Result<(), DbErr> {
    let txn = app.db.write_txn("unsubscribe").await?;
    subscribers::hold(&txn, app.db.backend(), reader).await?;
    subscribers::leave(&txn, newsletter, reader, how, app.clock.now()).await?;
    txn.commit().await
}

/// Undoes leaving a newsletter within [`UNDO_WITHIN`]. False if it is too late, the address is suppressed, or the
/// reader was erased.
pub async fn undo(app: &App, newsletter: NewsletterId, reader: ReaderId) -> Result<bool, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("undo unsubscribe").await?;
    // Locking the row waits for a concurrent erasure, which can then be told from merely leaving.
    let Some(known) = subscribers::reader_held(&txn, app.db.backend(), reader).await? else {
        return Ok(false);
    };
    let state = subscribers::state(&*txn, newsletter, reader).await?;
    // With a suppression, which only a fresh double opt-in or an editor lifts, no mail would be sent anyway.
    let suppressed = subscribers::suppression(&*txn, &hash_of(app, &known)?).await?;
    let done = match undoable(state, now).filter(|_| suppressed.is_none()) {
        Some(left) => subscribers::come_back(&txn, newsletter, reader, left, now).await?,
        // A second undo succeeds, too.
        None => state.is_some_and(|changed| changed.is(State::Active)),
    };
    txn.commit().await?;
    Ok(done)
}

/// Those of a reader's subscriptions whose leaving can still be undone.
pub async fn undoable_of(
    app: &App,
    reader: &Reader,
    subscribed: &[Subscribed],
) -> Result<Vec<Subscribed>, DbErr> {
    let now = app.clock.now();
    let left = subscribed.iter().filter(|s| {
        let (state, at) = (s.state, s.changed);
        undoable(Some(Changed { state, at }), now).is_some()
    });
    let left: Vec<Subscribed> = left.cloned().collect();
    if left.is_empty() || is_suppressed(app, reader).await? {
        return Ok(Vec::new());
    }
    Ok(left)
}

async fn is_suppressed(app: &App, reader: &Reader) -> Result<bool, DbErr> {
    let hash = hash_of(app, reader)?;
    let found = subscribers::suppression(app.db.read(), &hash).await?;
    Ok(found.is_some())
}

fn hash_of(app: &App, reader: &Reader) -> Result<[u8; 32], DbErr> {
    Ok(app.keys.address_hash(parse_own(&reader.email)?.key()))
}

/// When the reader left, if that can still be undone.
fn undoable(state: Option<Changed>, now: UnixMillis) -> Option<UnixMillis> {
    let changed = state?;
    (changed.is(State::Left) && now.since(changed.at) <= UNDO_WITHIN).then_some(changed.at)
}
