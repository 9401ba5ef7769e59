//! A reader leaves a newsletter, or takes it back.

use super::model::{State, UNDO_WITHIN};
use super::store::subscribers;
use crate::app::App;
use crate::db::DbErr;
use crate::newsletters::{self, Newsletter};
use crate::types::{NewsletterId, ReaderId, UnixMillis};

/// How things stand between a reader and a newsletter.
#[derive(Debug)]
pub struct Relation {
    pub newsletter: Newsletter,
    pub receives: bool,
    /// The reader left a moment ago and can take it back.
    pub can_undo: bool,
}

/// Looks; changes nothing. `None` when there is no such newsletter.
///
/// # Errors
/// What the database said.
pub async fn look(
    app: &App,
    newsletter: NewsletterId,
    reader: ReaderId,
) -> Result<Option<Relation>, DbErr> {
    let Some(found) = newsletters::by_id(app.db.read(), newsletter).await? else {
        return Ok(None);
    };
    let state = subscribers::state(app.db.read(), newsletter, reader).await?;
    Ok(Some(Relation {
        newsletter: found,
        receives: state.is_some_and(|(code, _)| code == State::Active.code()),
        can_undo: undoable(state, app.clock.now()).is_some(),
    }))
}

/// Stops a newsletter's mails. Again changes nothing. `how` stands as the reason in the subscription.
///
/// # Errors
/// What the database said.
pub async fn leave(
    app: &App,
    newsletter: NewsletterId,
    reader: ReaderId,
    how: &str,
) -> Result<(), DbErr> {
    let txn = app.db.write_txn("unsubscribe").await?;
    subscribers::leave(&txn, newsletter, reader, how, app.clock.now()).await?;
    txn.commit().await
}

/// Takes a leaving back while it is fresh ([`UNDO_WITHIN`]); false when it is not.
///
/// # Errors
/// What the database said.
pub async fn undo(app: &App, newsletter: NewsletterId, reader: ReaderId) -> Result<bool, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("undo unsubscribe").await?;
    let state = subscribers::state(&*txn, newsletter, reader).await?;
    let done = match undoable(state, now) {
        Some(left) => subscribers::come_back(&txn, newsletter, reader, left, now).await?,
        // Twice is fine.
        None => state.is_some_and(|(code, _)| code == State::Active.code()),
    };
    txn.commit().await?;
    Ok(done)
}

/// When the reader left, if that can be taken back.
fn undoable(state: Option<(i16, UnixMillis)>, now: UnixMillis) -> Option<UnixMillis> {
    let (code, changed) = state?;
    (code == State::Left.code() && now.since(changed) <= UNDO_WITHIN).then_some(changed)
}
