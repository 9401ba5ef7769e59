//! Doing what a report says.

use std::fmt;
use std::time::Duration;

use super::read::{Kind, read};
use super::store;
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::mailer::outbox;
use crate::mailer::verp::{self, Mail};
use crate::subscriptions::{self, State};
use crate::types::{IssueId, OutboxId, ReaderId, UnixMillis};

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Soft bounces are counted for so long.
const WINDOW: Duration = Duration::from_secs(14 * 24 * 3_600);
/// So many of them end a subscription.
const SOFT: i64 = 5;
/// A mail that left later than this may still bounce, so it says nothing yet.
const SETTLES: Duration = DAY;

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// No return path of ours is in it.
    NotOurs,
    /// It is about a single mail, and nothing follows: it is no complaint, was taken before, or speaks of a mail to an editor.
    Single(Kind),
    /// Nothing follows from it.
    Ignored(Kind),
    /// It was taken before.
    Repeated(Kind),
    /// It counts, and nothing follows yet.
    Noted(Kind),
    /// The address gets no more mail.
    Stopped(Kind),
    /// The reader left one newsletter.
    Left,
}

impl fmt::Display for Taken {
    /// For the log of the mail server that ran the command; names nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOurs => "no return path of ours is in it; nothing was done",
            Self::Single(_) => "about a single mail; nothing follows",
            Self::Ignored(_) => "nothing follows from it",
            Self::Repeated(_) => "it was taken before",
            Self::Noted(_) => "noted; nothing follows yet",
            Self::Stopped(_) => "the address gets no more mail",
            Self::Left => "the reader left the newsletter",
        })
    }
}

/// Takes one mail that came back. `recipient` is whom it came to, where the mail server says so; otherwise a return path
/// of ours is looked for in the mail.
///
/// # Errors
/// What the database said; nothing was done then, and the mail can be given again.
pub async fn take(app: &App, raw: &[u8], recipient: Option<&str>) -> Result<Taken, DbErr> {
    let named = recipient.and_then(|address| verp::read(&app.keys, address));
    let Some(mail) = named.or_else(|| inside(app, raw)) else {
        return Ok(Taken::NotOurs);
    };
    let report = read(raw, own_domain(app, recipient, named.is_some()));
    let kind = report.kind;
    let (issue, reader) = match mail {
        Mail::Issue(issue, reader) => (issue, reader),
        Mail::Single(id) if kind == Kind::Complaint => return about_a_single(app, id).await,
        Mail::Single(_) => return Ok(Taken::Single(kind)),
    };
    if matches!(
        kind,
        Kind::AutoReply | Kind::Delivered | Kind::Delayed | Kind::Authentication | Kind::Nothing
    ) {
        return Ok(Taken::Ignored(kind));
    }
    let now = app.clock.now();
    let txn = app.db.write_txn("bounce").await?;
    store::hold(&txn, app.db.backend(), reader).await?;
    if !store::note(&txn, issue, reader, kind, &report.status, now).await? {
        return Ok(Taken::Repeated(kind));
    }
    let taken = follow(app, &txn, issue, reader, kind, now).await?;
    txn.commit().await?;
    Ok(taken)
}

/// A complaint about a confirmation or another single mail. It counts once: the mail forgets its address with it. The addresses that a report
/// names are never looked at.
async fn about_a_single(app: &App, id: OutboxId) -> Result<Taken, DbErr> {
    let Some(hash) = outbox::addressee(app, id).await? else {
        return Ok(Taken::Single(Kind::Complaint));
    };
    let sought = subscriptions::look_for(app, &hash).await?;
    let now = app.clock.now();
    let txn = app.db.write_txn("complaint").await?;
    let held = subscriptions::hold(app, &txn, sought).await?;
    if !outbox::forget_one(&txn, id).await? {
        return Ok(Taken::Single(Kind::Complaint));
    }
    outbox::drop_to(&txn, &hash, "a mail to this address was called spam", now).await?;
    held.complained(&txn, now).await?;
    txn.commit().await?;
    Ok(Taken::Stopped(Kind::Complaint))
}

async fn follow(
    app: &App,
    txn: &WriteTxn,
    issue: IssueId,
    reader: ReaderId,
    kind: Kind,
    now: UnixMillis,
) -> Result<Taken, DbErr> {
    let ends = match kind {
        Kind::Hard => Some((State::Bounced, "the address does not exist")),
        Kind::Complaint => Some((State::Complained, "reported as spam")),
        Kind::NoDomain => {
            let since = store::last_arrival(txn, reader, now - SETTLES).await?;
            let said = store::issues(txn, reader, kind, since).await?;
            (said >= 2).then_some((State::Bounced, "the domain does not exist"))
        }
        Kind::Soft => {
            let arrived = store::last_arrival(txn, reader, now - SETTLES).await?;
            let said = store::issues(txn, reader, kind, arrived.max(now - WINDOW)).await?;
            (said >= SOFT).then_some((State::Bounced, "it bounced for two weeks"))
        }
        Kind::OptOut => {
            if let Some(newsletter) = store::newsletter(txn, issue).await? {
                subscriptions::leave_in(txn, newsletter, reader, "feedback loop", now).await?;
            }
            return Ok(Taken::Left);
        }
        _ => None,
    };
    let Some((state, why)) = ends else {
        return Ok(Taken::Noted(kind));
    };
    subscriptions::stop(txn, &app.keys, reader, state, why, now).await?;
    Ok(Taken::Stopped(kind))
}

/// The domain of our return paths: the one this mail came to, or the configured one.
fn own_domain<'a>(app: &'a App, recipient: Option<&'a str>, named: bool) -> &'a str {
    let domain = recipient
        .filter(|_| named)
        .and_then(|address| address.rsplit_once('@'));
    domain.map_or(app.config.mail.bounce_domain.as_str(), |(_, domain)| {
        domain.trim_end_matches('>')
    })
}

/// A return path of ours anywhere in a mail: in a header, in the report, in the copy of our mail.
fn inside(app: &App, raw: &[u8]) -> Option<Mail> {
    let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'.' | b'-');
    raw.split(|b| !word(b))
        .filter(|w| w.len() > 30 && w.contains(&b'@'))
        .filter_map(|w| std::str::from_utf8(w).ok())
        .find_map(|w| verp::read(&app.keys, w))
}
