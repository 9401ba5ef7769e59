//! What a reader gets, and how we call them.

use super::model::Subscribed;
use super::reader_name::ReaderName;
use super::store::subscribers::{self, Reader};
use crate::app::App;
use crate::db::DbErr;
use crate::newsletters::{self, Newsletter};
use crate::polls::{self, LinkedAnswer};
use crate::scheduler::Zone;
use crate::types::{EmailAddress, NewsletterId, ReaderId};

/// A reader's preferences as they stand.
#[derive(Debug)]
pub struct Preferences {
    pub reader: Reader,
    /// What the reader gets.
    pub active: Vec<Subscribed>,
    /// What the reader could get.
    pub others: Vec<Newsletter>,
    /// The style sheet with the accent, where all newsletters have the same one.
    pub accent_sheet: Option<String>,
    /// Answers that the reader let join to the address.
    pub linked: Vec<LinkedAnswer>,
}

/// What the reader wants them to be.
#[derive(Debug)]
pub struct Change {
    pub name: Option<ReaderName>,
    pub time_zone: Option<Zone>,
    /// To be left. Nothing is ever subscribed here: that takes a double opt-in.
    pub leave: Vec<NewsletterId>,
}

/// The preferences of a reader; `None` when the reader was erased.
pub async fn look(app: &App, reader: ReaderId) -> Result<Option<Preferences>, DbErr> {
    let Some(reader) = subscribers::reader(app.db.read(), reader).await? else {
        return Ok(None);
    };
    let mut active = subscribers::of_reader(app.db.read(), reader.id).await?;
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
        others,
        accent_sheet,
        linked,
    }))
}

/// The address of a reader; `None` when they were erased.
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

/// Changes them, all in one write.
pub async fn change(app: &App, reader: ReaderId, change: &Change) -> Result<(), DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("preferences").await?;
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

/// Takes back that the answer to a poll is joined to the address: it stays counted, and is secret. False: it was not.
pub async fn take_back(app: &App, reader: ReaderId, poll: &str) -> Result<bool, DbErr> {
    let txn = app.db.write_txn("take back link").await?;
    let done = polls::take_back_link(&txn, reader, poll).await?;
    txn.commit().await?;
    Ok(done)
}

/// Leaves everything; the newsletters that were left, by slug.
pub async fn leave_all(app: &App, reader: ReaderId) -> Result<Vec<String>, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("leave all").await?;
    let mut left = Vec::new();
    for subscribed in subscribers::of_reader(&*txn, reader).await? {
        subscribers::leave(&txn, subscribed.newsletter, reader, "preferences", now).await?;
        if subscribed.is_active() {
            left.push(subscribed.slug);
        }
    }
    txn.commit().await?;
    Ok(left)
}

/// Takes back that these newsletters were left, as far as that was a moment ago ([`super::leave::undo`]). False: none was.
pub async fn undo_all(app: &App, reader: ReaderId, slugs: &[String]) -> Result<bool, DbErr> {
    let mut done = false;
    for subscribed in subscribers::of_reader(app.db.read(), reader).await? {
        if slugs.contains(&subscribed.slug) {
            done |= super::leave::undo(app, subscribed.newsletter, reader).await?;
        }
    }
    Ok(done)
}
