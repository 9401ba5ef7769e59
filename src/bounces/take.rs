//! Acts on a report.

use std::fmt;

use super::read::{Kind, read};
use super::store;
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::mailer::mailing::{self, CameBack, Noted, Weak};
use crate::mailer::outbox;
use crate::mailer::verp::{self, Mail};
use crate::subscriptions::{self, State};
use crate::types::{IssueId, OutboxId, ReaderId, UnixMillis};

/// The result of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It contains no return path of ours.
    NotOurs,
    /// It is about a single mail and has no effect: it is not a complaint, was taken before, or is about a mail to an
    /// editor.
    Single(Kind),
    /// It has no effect.
    Ignored(Kind),
    /// It was taken before.
    Repeated(Kind),
    /// It counts, but has no effect yet.
    Noted(Kind),
    /// The address gets no more mail.
    Stopped(Kind),
    /// The reader left one newsletter.
    Left,
}

impl fmt::Display for Taken {
    /// For the log of the mail server that ran the command. Names nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOurs => "it contains no return path of ours; nothing was done",
            Self::Single(_) => "about a single mail; nothing was done",
            Self::Ignored(_) => "nothing was done",
            Self::Repeated(_) => "it was already processed",
            Self::Noted(_) => "recorded; nothing else was done yet",
            Self::Stopped(_) => "the address gets no more mail",
            Self::Left => "the reader left the newsletter",
        })
    }
}

/// Takes one mail that came back. `recipient` is its envelope recipient, if the mail server passes it; otherwise the
/// mail is searched for a return path of ours.
///
/// # Errors
/// On a database error; then nothing was done, and the mail can be passed in again.
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
        Kind::AutoReply | Kind::Delivered | Kind::Delayed | Kind::Nothing
    ) {
        return Ok(Taken::Ignored(kind));
    }
    let now = app.clock.now();
    let txn = app.db.write_txn("bounce").await?;
    store::hold(&txn, app.db.backend(), reader).await?;
    let bounce = Noted {
        issue,
        reader,
        kind: kind as i16,
        status: report.status,
    };
    if mailing::note(&txn, std::slice::from_ref(&bounce), now).await? == 0 {
        return Ok(Taken::Repeated(kind));
    }
    let taken = follow(app, &txn, issue, reader, kind, now).await?;
    let counts = match taken {
        Taken::Stopped(Kind::Hard | Kind::NoDomain) => Some(CameBack::HardBounce),
        Taken::Stopped(Kind::Complaint) => Some(CameBack::Complaint),
        Taken::Noted(Kind::Ours) => Some(CameBack::Ours),
        Taken::Noted(Kind::Authentication) => {
            tracing::warn!(issue = issue.0, "a provider could not authenticate a mail");
            Some(CameBack::Unauthenticated)
        }
        _ => None,
    };
    if let Some(what) = counts {
        mailing::came_back(app, &txn, issue, what, &bounce.status).await?;
    }
    txn.commit().await?;
    Ok(taken)
}

/// Takes a complaint about a confirmation or another single mail. It counts once, because the mail's addressee is
/// forgotten in the same commit. The addresses in a report are never used.
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
        Kind::Hard => Some((State::Bounced, mailing::NO_SUCH_ADDRESS)),
        Kind::Complaint => Some((State::Complained, "reported as spam")),
        Kind::NoDomain | Kind::Soft => {
            let weak = if kind == Kind::Soft {
                Weak::Soft
            } else {
                Weak::NoDomain
            };
            let why = mailing::enough(txn, reader, weak, now).await?;
            why.map(|why| (State::Bounced, why))
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

/// The domain of our return paths: that of this mail's recipient, or the configured one.
fn own_domain<'a>(app: &'a App, recipient: Option<&'a str>, named: bool) -> &'a str {
    let domain = recipient
        .filter(|_| named)
        .and_then(|address| address.rsplit_once('@'));
    domain.map_or(app.config.mail.bounce_domain.as_str(), |(_, domain)| {
        domain.trim_end_matches('>')
    })
}

/// Searches a mail for a return path of ours: in the header, the report and the copy of our mail.
fn inside(app: &App, raw: &[u8]) -> Option<Mail> {
    let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'.' | b'-');
    raw.split(|b| !word(b))
        .filter(|w| w.len() > 30 && w.contains(&b'@'))
        .filter_map(|w| std::str::from_utf8(w).ok())
        .find_map(|w| verp::read(&app.keys, w))
}
