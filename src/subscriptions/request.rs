//! A visitor asks to subscribe an address.
//!
//! For known, unknown, pending and suppressed addresses, the same statements run, a mail is enqueued, and the page is
//! the same. The only difference is whether that mail is sent and what it says, which only the owner of the mailbox can
//! see.

use std::time::Duration;

use super::model::{Answer, MailCaps, Silence};
use super::store::requests::{self, About, NewRequest};
use super::{mails, reader_name::ReaderName};
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::mailer::outbox;
use crate::newsletters::{ConsentText, Newsletter};
use crate::polls;
use crate::types::token::{random_token, token_hash};
use crate::types::{EmailAddress, PollId, UnixMillis};
use crate::web::limits::refused_by;
use crate::web::{Client, Problem};

/// A validated wish to subscribe.
#[derive(Debug, Clone)]
pub struct Wish {
    pub newsletter: Newsletter,
    pub address: EmailAddress,
    pub name: Option<ReaderName>,
    /// The consent text that was agreed to.
    pub consent: ConsentText,
    /// The URL of the page on which it was expressed.
    pub page: String,
    pub source: Source,
    /// The poll with which it was submitted.
    pub poll: Option<PollId>,
    /// The answer with which it was submitted, if that belongs to no reader yet.
    pub answer: Option<Beside>,
}

/// An answer to a poll, given in a browser that may turn out to be the reader's.
#[derive(Debug, Clone)]
pub struct Beside {
    /// An encrypted token, which goes into the confirmation link.
    pub token: String,
    /// The question of the poll.
    pub question: String,
    pub poll: PollId,
}

/// Where a wish came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The newsletter's own form.
    Form,
    /// Together with an answer to a poll.
    Poll,
    Api,
}

impl Source {
    /// Its label in the evidence.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Poll => "poll",
            Self::Api => "api",
        }
    }

    /// The source with this label.
    pub(super) fn named(label: &str) -> Self {
        match label {
            "poll" => Self::Poll,
            "api" => Self::Api,
            _ => Self::Form,
        }
    }
}

/// The longest page URL that is stored, in characters.
const LONGEST_PAGE: usize = 500;

/// Asks for a subscription on behalf of a visitor.
///
/// # Errors
/// 429 if the visitor's network has asked too often, or a database error.
pub async fn request(app: &App, client: &Client, wish: &Wish) -> Result<(), Problem> {
    app.limits.subscriptions.check(&client.network())?;
    let txn = app.db.write_txn("subscribe").await?;
    request_in(app, &txn, wish).await?;
    txn.commit().await?;
    Ok(())
}

/// Like [`request`], but in the caller's transaction and without the limit on networks. The row and its mail are one
/// write.
pub async fn request_in(app: &App, txn: &WriteTxn, wish: &Wish) -> Result<(), DbErr> {
    let now = app.clock.now();
    let expires = now + Duration::from_secs(app.config.subscriptions.confirm_days * 24 * 60 * 60);
    if let Some(poll) = wish.poll {
        polls::count_step(txn, app.slot, poll, polls::Step::Asked).await?;
    }
    send(app, txn, wish, now, now, expires).await
}

/// `asked`: when the reader agreed to the consent text, which for a renewed link is earlier than `now`.
pub(super) async fn send(
    app: &App,
    txn: &WriteTxn,
    wish: &Wish,
    asked: UnixMillis,
    now: UnixMillis,
    expires: UnixMillis,
) -> Result<(), DbErr> {
    let hash = app.keys.address_hash(wish.address.key());
    requests::queue_up(&app.db, txn, &hash).await?;
    // A mail that is still queued counts against the caps, so a repeated request may not get another one: send the
    // queued one at once.
    outbox::hurry(txn, &hash, now).await?;
    let standing = requests::standing(
        txn,
        wish.newsletter.id,
        wish.address.key(),
        &hash,
        MailCaps::window_start(now),
    )
    .await?;
    let answer = standing.answer(caps(app), now);
    // Suppressed addresses use up their caps like all others; otherwise the caps would reveal them.
    let counted = answer != Answer::Nothing(Silence::Capped);
    if !counted {
        refused_by("confirmations_of_address");
    }
    let about = About::Newsletter(wish.newsletter.id);
    requests::count_mail(txn, &hash, about, counted.then_some(now)).await?;

    // If nobody gets the link, the request is expired from the start. It is written all the same, so that it takes as
    // long.
    let token = random_token(&app.random);
    let live = answer == Answer::Confirmation;
    let page: String = wish
        .page
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_PAGE)
        .collect();
    requests::insert(
        txn,
        &NewRequest {
            token_hash: token_hash(&token),
            newsletter: wish.newsletter.id,
            email_key: wish.address.key(),
            email: wish.address.as_str(),
            name: wish.name.as_ref().map_or("", ReaderName::as_str),
            consent_text: wish.consent.id,
            page: &page,
            source: wish.source.label(),
            asked,
            expires: if live { expires } else { now },
            poll: wish.poll,
        },
    )
    .await?;
    mails::answer(app, txn, wish, answer, &token, expires).await
}

pub(super) fn caps(app: &App) -> MailCaps {
    let settings = &app.config.subscriptions;
    MailCaps {
        pause: Duration::from_secs(settings.confirm_pause_minutes * 60),
        per_day: settings.confirm_per_day,
    }
}
