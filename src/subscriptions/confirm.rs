//! The owner of an address confirms a subscription, or learns why that is not possible.

use std::time::Duration;

use super::model::Suppression;
use super::request::{Beside, Source, Wish, send};
use super::store::{consent_texts, requests, subscribers};
use crate::app::App;
use crate::db::DbErr;
use crate::newsletters::{self, Newsletter};
use crate::polls;
use crate::types::token::token_hash;
use crate::types::{EmailAddress, ReaderId};

/// The state of a confirmation link.
#[derive(Debug)]
pub enum Link {
    /// It can be confirmed.
    Open(Newsletter),
    /// It was confirmed. The flag says whether the subscription is still active.
    Done(Newsletter, bool),
    /// It can be replaced by a fresh one.
    Expired(Newsletter),
    /// It was never ours, or is so old that it was deleted.
    Unknown,
}

/// The result of pressing the button.
#[derive(Debug)]
pub enum Confirmed {
    Now(Newsletter, ReaderId),
    /// Nothing new: the button was pressed before. Also the reader, if known, and whether the subscription is still
    /// active.
    Before(Newsletter, Option<ReaderId>, bool),
    Expired(Newsletter),
    /// The address is suppressed, by a complaint or by an editor.
    Refused(Newsletter),
    Unknown,
}

/// The state of the link. Changes nothing.
pub async fn look(app: &App, token: &str) -> Result<Link, DbErr> {
    let Some(request) = requests::by_token(app.db.read(), token_hash(token)).await? else {
        return Ok(Link::Unknown);
    };
    let Some(newsletter) = newsletters::by_id(app.db.read(), request.newsletter).await? else {
        return Ok(Link::Unknown);
    };
    Ok(if request.confirmed.is_some() {
        let key = parse_own(&request.email)?;
        let reader = subscribers::by_address(app.db.read(), key.key()).await?;
        let stands = subscribers::is_active(app.db.read(), newsletter.id, reader).await?;
        Link::Done(newsletter, stands)
    } else if request.expires <= app.clock.now() {
        Link::Expired(newsletter)
    } else {
        Link::Open(newsletter)
    })
}

/// Confirms: the reader, the subscription and the evidence are written in one transaction. A fresh double opt-in ends a
/// suppression that [its owner can end](Suppression::ends_by_opt_in).
pub async fn confirm(app: &App, token: &str) -> Result<Confirmed, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("confirm").await?;
    let Some(request) = requests::by_token(&*txn, token_hash(token)).await? else {
        return Ok(Confirmed::Unknown);
    };
    let Some(newsletter) = newsletters::by_id(&*txn, request.newsletter).await? else {
        return Ok(Confirmed::Unknown);
    };
    let address = parse_own(&request.email)?;
    if request.confirmed.is_some() {
        let reader = subscribers::by_address(&*txn, address.key()).await?;
        let stands = subscribers::is_active(&*txn, newsletter.id, reader).await?;
        return Ok(Confirmed::Before(newsletter, reader, stands));
    }
    if request.expires <= now {
        return Ok(Confirmed::Expired(newsletter));
    }
    let hash = app.keys.address_hash(address.key());
    // Serialises with a complaint at the same moment: one of the two sees the other.
    requests::queue_up(&app.db, &txn, &hash).await?;
    if let Some(reader) = subscribers::by_address(&*txn, address.key()).await? {
        subscribers::hold(&txn, app.db.backend(), reader).await?;
    }
    match subscribers::suppression(&*txn, &hash).await? {
        Some(reason) if !Suppression::ends_by_opt_in(reason) => {
            return Ok(Confirmed::Refused(newsletter));
        }
        Some(_) => subscribers::lift_suppression(&txn, &hash).await?,
        None => {}
    }
    // If two confirm at once, one gets the row and the other finds it done.
    if !requests::mark_confirmed(&txn, request.id, now).await? {
        return Ok(Confirmed::Before(newsletter, None, true));
    }
    let reader = subscribers::enter(&txn, address.key(), &request, now).await?;
    subscribers::subscribe(&txn, reader, &request, now).await?;
    if let Some(poll) = request.poll {
        polls::count_step(&txn, app.slot, poll, polls::Step::Confirmed).await?;
    }
    txn.commit().await?;
    Ok(Confirmed::Now(newsletter, reader))
}

/// Mails a fresh link for an expired one, within the caps. It leads to the same `answer` to a poll, and the evidence
/// keeps the time at which the reader agreed to the consent text. `None` if there is nothing to renew.
pub async fn renew(
    app: &App,
    token: &str,
    answer: Option<Beside>,
) -> Result<Option<Newsletter>, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("renew confirmation").await?;
    let Some(request) = requests::by_token(&*txn, token_hash(token)).await? else {
        return Ok(None);
    };
    let Some(newsletter) = newsletters::by_id(&*txn, request.newsletter).await? else {
        return Ok(None);
    };
    let consent = consent_texts::by_id(&*txn, request.consent_text).await?;
    let (None, Some(consent)) = (request.confirmed, consent) else {
        return Ok(Some(newsletter));
    };
    let wish = Wish {
        address: parse_own(&request.email)?,
        name: super::reader_name::ReaderName::parse(&request.name)
            .ok()
            .flatten(),
        consent,
        page: request.page,
        source: Source::named(&request.source),
        poll: request.poll,
        answer,
        newsletter: newsletter.clone(),
    };
    let expires = now + Duration::from_secs(app.config.subscriptions.confirm_days * 24 * 60 * 60);
    send(app, &txn, &wish, request.asked, now, expires).await?;
    txn.commit().await?;
    Ok(Some(newsletter))
}

/// Parses an address that we have stored ourselves.
pub(super) fn parse_own(stored: &str) -> Result<EmailAddress, DbErr> {
    EmailAddress::parse(stored)
        .map_err(|refused| DbErr::Type(format!("a stored address is refused: {refused}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::started;
    use crate::db;
    use crate::types::{Clock, UnixMillis};

    /// Pressing an invalid link must not make the database's disk check write.
    #[tokio::test]
    async fn a_refusal_is_no_reason_to_try_the_disk_and_a_full_one_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let app = started(dir.path(), &Clock::manual(UnixMillis(1))).await;
        for _ in 0..3 {
            let confirmed = confirm(&app, "x").await.expect("an answer");
            assert!(matches!(confirmed, Confirmed::Unknown));
            app.db.look_after().await;
        }
        // A violated unique key is no reason, either.
        let taken = "INSERT INTO setting (name, value) VALUES ('pepper', '')";
        let txn = app.db.write_txn("test").await.expect("a transaction");
        db::run(&*txn, taken, []).await.expect_err("it is there");
        drop(txn);
        app.db.look_after().await;
        assert_eq!((app.db.trials(), app.db.trouble()), (0, None));

        let txn = app.db.write_txn("test").await.expect("a transaction");
        db::run(&*txn, "PRAGMA max_page_count = 1", [])
            .await
            .expect("a limit");
        let large = "INSERT INTO setting (name, value) VALUES ('x', hex(randomblob(1000000)))";
        db::run(&*txn, large, []).await.expect_err("full");
        drop(txn);
        app.db.look_after().await;
        assert_eq!(app.db.trials(), 1);
    }
}
