//! The mail that notifies editors of a burst: enqueued in the commit that records it, at most
//! once an hour for each poll.

use std::time::Duration;

use serde_json::json;

use super::store;
use super::watch::Due;
use crate::admin;
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::mailer::mime::Mailbox;
use crate::mailer::outbox::{OutboxMail, Priority, enqueue};
use crate::mailer::templates::Template;
use crate::newsletters;
use crate::polls::model::Poll;
use crate::scheduler::{Zone, written};
use crate::types::{BurstId, EmailAddress, UnixMillis};

const HOUR: Duration = Duration::from_secs(3_600);
/// After a day, an editor has seen the burst on the pages.
const OF_USE: Duration = Duration::from_secs(24 * 3_600);

/// Puts the mails into the outbox. The sender is the poll's newsletter, or else the first one; without any newsletter
/// no mail is sent, and only the pages show the burst.
pub async fn warn(
    app: &App,
    txn: &WriteTxn,
    poll: &Poll,
    burst: BurstId,
    due: &Due,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let newsletters = newsletters::all(&**txn).await?;
    let sender = newsletters
        .iter()
        .find(|newsletter| Some(newsletter.id) == poll.newsletter)
        .or(newsletters.first());
    let Some(sender) = sender else {
        return Ok(());
    };
    let Ok(from) = EmailAddress::parse(&sender.from_address) else {
        return Ok(());
    };
    if !store::warn(txn, burst, due.poll, now - HOUR, now).await? {
        return Ok(());
    }
    let zone = Zone::parse(&poll.time_zone).unwrap_or_else(|_| Zone::utc());
    let signs: Vec<&str> = due.signs.iter().map(|sign| sign.words()).collect();
    let origin = app.config.origin();
    let data = json!({
        "lang": "en",
        "site": app.config.host(),
        "question": poll.headline(),
        "ballots": admin::show::count(due.voters.len() as i64),
        "counted": due.held,
        "since": written::full(due.first.timestamp(), &zone),
        "networks": admin::show::counted(due.networks as i64, "network", "networks"),
        "signs": signs,
        "bursts_url": format!("{origin}/admin/polls/{}/bursts", poll.slug),
    });
    for editor in admin::list(&**txn, now).await? {
        let Ok(to) = EmailAddress::parse(&editor.email) else {
            continue;
        };
        if editor.disabled {
            continue;
        }
        let mail = OutboxMail {
            template: Template::PollBurst,
            data: data.clone(),
            from: Mailbox {
                name: sender.from_name.clone(),
                address: from.clone(),
            },
            reply_to: None,
            to,
            priority: Priority::Soon,
            expires: now + OF_USE,
        };
        enqueue(txn, app, &mail).await?;
    }
    Ok(())
}
