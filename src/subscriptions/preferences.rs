//! What a reader receives, and the name by which mails address them.

use super::leave;
use super::model::Subscribed;
use super::reader_name::ReaderName;
use super::store::subscribers::{self, Reader};
use crate::app::App;
use crate::db::DbErr;
use crate::newsletters::{self, Newsletter};
use crate::polls::{self, LinkedAnswer};
use crate::scheduler::Zone;
use crate::types::{EmailAddress, NewsletterId, ReaderId};

/// A reader's present preferences.
#[derive(Debug)]
pub struct Preferences {
    pub reader: Reader,
    /// The subscriptions that are active.
    pub active: Vec<Subscribed>,
    /// Those that were just left, which can be undone.
    pub left: Vec<Subscribed>,
    /// The other newsletters.
    pub others: Vec<Newsletter>,
    /// The style sheet with the accent, if all newsletters have the same one.
    pub accent_sheet: Option<String>,
    /// Answers that the reader agreed to have linked to the address.
    pub linked: Vec<LinkedAnswer>,
}

/// A change of the preferences.
#[derive(Debug)]
pub struct Change {
    pub name: Option<ReaderName>,
    pub time_zone: Option<Zone>,
    /// Newsletters to leave. Subscribing is not possible here, because it takes a double opt-in.
    pub leave: Vec<NewsletterId>,
}

/// The preferences of a reader; `None` if the reader was erased.
pub async fn look(app: &App, reader: ReaderId) -> Result<Option<Preferences>, DbErr> {
    let Some(reader) = subscribers::reader(app.db.read(), reader).await? else {
        return Ok(None);
    };
    let mut active = subscribers::of_reader(app.db.read(), reader.id).await?;
    let left = leave::undoable_of(app, &reader, &active).await?;
    active.retain(Subscribed::is_active);
    let mut others = newsletters::all(app.db.read()).await?;
    let mut sheets = others.iter().map(Newsletter::accent_sheet);
    let first = sheets.next();
    let accent_sheet = first.filter(|first| sheets.all(|sheet| sheet == *first));
    others.retain(|newsletter| active.iter().all(|s| s.newsletter != newsletter.id));
    let linked = polls::linked_answers(app, reader.id).await?;
    Ok(Some(Preferences {
        reader,
        active,
        left,
        others,
        accent_sheet,
        linked,
    }))
}

/// The address of a reader; `None` if the reader was erased.
pub async fn address(app: &App, reader: ReaderId) -> Result<Option<String>, DbErr> {
    let found = subscribers::reader(app.db.read(), reader).await?;
    Ok(found.map(|reader| reader.email))
}

/// Whether this is the address of the reader.
pub async fn has_address(
    app: &App,
    reader: ReaderId,
    address: &EmailAddress,
) -> Result<bool, DbErr> {
    let known = subscribers::by_address(app.db.read(), address.key()).await?;
    Ok(known == Some(reader))
}

/// Changes the preferences, all in one transaction.
pub async fn change(app: &App, reader: ReaderId, change: &Change) -> Result<(), DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("preferences").await?;
    subscribers::hold(&txn, app.db.backend(), reader).await?;
    let name = change.name.as_ref().map_or("", ReaderName::as_str);
    subscribers::describe(
        &txn,
        reader,
        name,
        change.time_zone.as_ref().map(Zone::name),
    )
    .await?;
    for newsletter in &change.leave {
        subscribers::leave(&txn, *newsletter, reader, "preferences", now).await?;
    }
    txn.commit().await
}

/// Unlinks the answer to a poll from the address. The answer stays counted, and is secret again. False: it was not
/// linked.
pub async fn take_back(app: &App, reader: ReaderId, poll: &str) -> Result<bool, DbErr> {
    let txn = app.db.write_txn("take back link").await?;
    let done = polls::take_back_link(&txn, reader, poll).await?;
    txn.commit().await?;
    Ok(done)
}

/// Leaves all newsletters.
pub async fn leave_all(app: &App, reader: ReaderId) -> Result<(), DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("leave all").await?;
    subscribers::hold(&txn, app.db.backend(), reader).await?;
    for subscribed in subscribers::of_reader(&*txn, reader).await? {
        subscribers::leave(&txn, subscribed.newsletter, reader, "preferences", now).await?;
    }
    txn.commit().await
}

/// Undoes leaving these newsletters, as far as that is still possible ([`leave::undo`]). False: none was.
pub async fn undo_all(app: &App, reader: ReaderId, slugs: &[String]) -> Result<bool, DbErr> {
    let mut done = false;
    for subscribed in subscribers::of_reader(app.db.read(), reader).await? {
        if slugs.contains(&subscribed.slug) {
            done |= leave::undo(app, subscribed.newsletter, reader).await?;
        }
    }
    Ok(done)
}
