//! The mails of subscriptions. They contain nothing that a stranger may have typed, not even a name.

use serde_json::json;

use super::confirm::parse_own;
use super::links;
use super::model::Answer;
use super::request::Wish;
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::mailer::mime::Mailbox;
use crate::mailer::outbox::{self, OutboxMail, Priority};
use crate::mailer::templates::Template;
use crate::newsletters::Newsletter;
use crate::polls;
use crate::types::{EmailAddress, UnixMillis};

/// Enqueues the answer to a request. An answer that must not be sent is enqueued as expired, so that it takes the same
/// work.
pub(super) async fn answer(
    app: &App,
    txn: &WriteTxn,
    wish: &Wish,
    answer: Answer,
    token: &str,
    expires: UnixMillis,
) -> Result<(), DbErr> {
    let origin = app.config.origin();
    let newsletter = &wish.newsletter;
    let mut data = json!({
        "lang": newsletter.language,
        "accent": newsletter.accent,
        "dark_accent": newsletter.dark_accent(),
        "publication": newsletter.from_name,
        "newsletter": newsletter.name,
        "postal_address": newsletter.address_below_name(),
    });
    let (template, expires) = match answer {
        Answer::AlreadySubscribed(reader) => {
            let token = links::manage_token(&app.keys, reader);
            data["manage_url"] = format!("{origin}/manage/{token}").into();
            if let Some(beside) = &wish.answer {
                // Do not repeat the poll answer: the person who typed the address may not be its owner.
                let link = polls::mine_link(&app.keys, beside.poll, reader, &beside.token);
                data["question"] = beside.question.clone().into();
                data["answer_url"] = format!("{origin}/v/{link}").into();
            }
            (Template::AlreadySubscribed, expires)
        }
        Answer::Confirmation | Answer::Nothing(_) => {
            let beside = wish.answer.as_ref();
            let query = beside.map_or_else(String::new, |b| format!("?answer={}", b.token));
            data["confirm_url"] = format!("{origin}/confirm/{token}{query}").into();
            data["valid_for"] = valid_for(app).into();
            let live = answer == Answer::Confirmation;
            (
                Template::ConfirmSubscription,
                if live { expires } else { UnixMillis(0) },
            )
        }
    };
    send(app, txn, newsletter, &wish.address, template, data, expires).await
}

pub(super) async fn send(
    app: &App,
    txn: &WriteTxn,
    newsletter: &Newsletter,
    to: &EmailAddress,
    template: Template,
    data: serde_json::Value,
    expires: UnixMillis,
) -> Result<(), DbErr> {
    let mailbox = |name: &str, address: &str| -> Result<Mailbox, DbErr> {
        Ok(Mailbox {
            name: name.to_owned(),
            address: parse_own(address)?,
        })
    };
    let mail = OutboxMail {
        template,
        data,
        from: mailbox(&newsletter.from_name, &newsletter.from_address)?,
        reply_to: newsletter
            .reply_to
            .as_deref()
            .map(|address| mailbox(&newsletter.from_name, address))
            .transpose()?,
        to: to.clone(),
        priority: Priority::Now,
        expires,
    };
    outbox::enqueue(txn, app, &mail).await.map(drop)
}

fn valid_for(app: &App) -> String {
    let days = app.config.subscriptions.confirm_days;
    format!("{days} day{}", if days == 1 { "" } else { "s" })
}
