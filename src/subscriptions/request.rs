//! Somebody asks to subscribe an address.
//!
//! Known or not, pending or suppressed: the same statements run, a mail is put into the outbox, the page is the same. Only whether that
//! mail may leave, and what it says, differs, and that is seen by nobody but the owner of the mailbox.

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

/// A wish to subscribe, checked at the door.
#[derive(Debug, Clone)]
pub struct Wish {
    pub newsletter: Newsletter,
    pub address: EmailAddress,
    pub name: Option<ReaderName>,
    /// The words that were agreed to.
    pub consent: ConsentText,
    /// The address of the page on which it was expressed.
    pub page: String,
    pub source: Source,
    /// The poll it was expressed beside.
    pub poll: Option<PollId>,
    /// The answer it was expressed beside, if it is nobody's yet.
    pub answer: Option<Beside>,
}

/// An answer to a poll, given by a browser that may turn out to be the reader's.
#[derive(Debug, Clone)]
pub struct Beside {
    /// Goes into the confirmation's link; sealed.
    pub token: String,
    /// What was asked.
    pub question: String,
    pub poll: PollId,
}

/// How a wish came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The newsletter's own form.
    Form,
    /// Together with an answer to a poll.
    Poll,
    Api,
}

impl Source {
    /// How it stands in the evidence.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Poll => "poll",
            Self::Api => "api",
        }
    }

    /// The source behind a label.
    pub(super) fn named(label: &str) -> Self {
        match label {
            "poll" => Self::Poll,
            "api" => Self::Api,
            _ => Self::Form,
        }
    }
}

/// The longest page address that is kept.
const LONGEST_PAGE: usize = 500;

/// Asks for a subscription on behalf of a visitor.
///
/// # Errors
/// A 429 when the visitor's network has asked too often; the database's.
pub async fn request(app: &App, client: &Client, wish: &Wish) -> Result<(), Problem> {
    app.limits.subscriptions.check(&client.network())?;
    let txn = app.db.write_txn("subscribe").await?;
    request_in(app, &txn, wish).await?;
    txn.commit().await?;
    Ok(())
}

/// As [`request`], in a transaction of the caller's and without the limit on networks. The row and its mail are one write.
pub async fn request_in(app: &App, txn: &WriteTxn, wish: &Wish) -> Result<(), DbErr> {
    let now = app.clock.now();
    let expires = now + Duration::from_secs(app.config.subscriptions.confirm_days * 24 * 60 * 60);
    if let Some(poll) = wish.poll {
        polls::count_step(txn, app.slot, poll, polls::Step::Asked).await?;
    }
    send(app, txn, wish, now, now, expires).await
}

/// `asked`: when the words were agreed to, which for a fresh link is not now.
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
    // A mail that the relay did not take uses up the caps like one that came; so it is what whoever asks again gets, at once.
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
    // Suppressed addresses use up their caps like all others, or the caps would tell them apart.
    let counted = answer != Answer::Nothing(Silence::Capped);
    if !counted {
        refused_by("confirmations_of_address");
    }
    let about = About::Newsletter(wish.newsletter.id);
    requests::count_mail(txn, &hash, about, counted.then_some(now)).await?;

    // A request whose link nobody gets is dead at birth; it is written all the same, so that it takes as long.
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
