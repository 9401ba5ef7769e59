//! Requests that wait for their confirmation, and what is known about an address when a request arrives.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult,
    QueryFilter as _,
};

use crate::db::entities::subscription_request;
use crate::db::{Backend, Db, DbErr, WriteTxn, find_one, find_value, run};
use crate::subscriptions::model::Standing;
use crate::types::{ConsentTextId, NewsletterId, PollId, ReaderId, UnixMillis};

/// A wish to subscribe, as stored in the database.
#[derive(Debug, Clone)]
pub struct Request {
    pub id: i64,
    pub newsletter: NewsletterId,
    pub email: String,
    pub name: String,
    pub consent_text: ConsentTextId,
    pub page: String,
    pub source: String,
    pub asked: UnixMillis,
    pub expires: UnixMillis,
    pub confirmed: Option<UnixMillis>,
    pub poll: Option<PollId>,
}

/// A wish to store.
#[derive(Debug)]
pub struct NewRequest<'a> {
    pub token_hash: Vec<u8>,
    pub newsletter: NewsletterId,
    pub email_key: &'a str,
    pub email: &'a str,
    pub name: &'a str,
    pub consent_text: ConsentTextId,
    pub page: &'a str,
    pub source: &'a str,
    pub asked: UnixMillis,
    pub expires: UnixMillis,
    /// The poll with which it was submitted.
    pub poll: Option<PollId>,
}

/// Serialises requests for one address, because two at once must not both find that no mail was sent yet. On SQLite the
/// single writer does that already.
pub async fn queue_up(db: &Db, txn: &WriteTxn, address_hash: &[u8]) -> Result<(), DbErr> {
    if db.backend() == Backend::Postgres {
        let mut key = [0; 8];
        key.copy_from_slice(&address_hash[..8]);
        run(
            &**txn,
            "SELECT pg_advisory_xact_lock($1)",
            [i64::from_le_bytes(key).into()],
        )
        .await?;
    }
    Ok(())
}

/// All that is known about an address, in a single query whatever there is to find.
pub async fn standing(
    txn: &WriteTxn,
    newsletter: NewsletterId,
    email_key: &str,
    address_hash: &[u8],
    since: UnixMillis,
) -> Result<Standing, DbErr> {
    #[derive(FromQueryResult)]
    struct Facts {
        suppressed: Option<i16>,
        reader: Option<ReaderId>,
        state: Option<i16>,
        mails: i64,
        last_mail: Option<UnixMillis>,
    }
    let facts: Option<Facts> = find_one(
        &**txn,
        "SELECT (SELECT reason FROM suppression WHERE address_hash = $1) AS suppressed,
                (SELECT id FROM reader WHERE email_key = $2) AS reader,
                (SELECT s.state FROM subscription s JOIN reader r ON r.id = s.reader_id WHERE s.newsletter_id = $3 AND r.email_key = $2) AS state,
                (SELECT COUNT(*) FROM triggered_mail WHERE address_hash = $1 AND sent_ms > $4 AND COALESCE(newsletter_id, $3) <> 0) AS mails,
                (SELECT MAX(sent_ms) FROM triggered_mail WHERE address_hash = $1 AND sent_ms > $4 AND newsletter_id = $3) AS last_mail",
        [address_hash.to_vec().into(), email_key.into(), newsletter.0.into(), since.0.into()],
    )
    .await?;
    let facts = facts.ok_or_else(|| DbErr::RecordNotFound("a row of facts".into()))?;
    Ok(Standing {
        suppressed: facts.suppressed,
        reader: facts.reader,
        state: facts.state,
        mails: facts.mails,
        last_mail: facts.last_mail,
    })
}

/// The subject of a mail that visitors can trigger. Each has caps of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The confirmation of a subscription, or a note that there is nothing to confirm. Anybody can trigger it.
    Newsletter(NewsletterId),
    /// The link to a reader's own data. Anybody who has one of the reader's links can trigger it.
    OwnData,
}

impl About {
    /// Its code in the database. No newsletter has the id 0.
    const fn code(self) -> i64 {
        match self {
            Self::Newsletter(id) => id.0,
            Self::OwnData => 0,
        }
    }
}

/// Counts a mail against the caps. If it is not sent, a row outside of every window is written, so that both take as
/// long.
pub async fn count_mail(
    txn: &WriteTxn,
    address_hash: &[u8],
    about: About,
    sent: Option<UnixMillis>,
) -> Result<(), DbErr> {
    let at = sent.unwrap_or(UnixMillis(0));
    run(
        &**txn,
        "INSERT INTO triggered_mail (address_hash, sent_ms, newsletter_id) VALUES ($1, $2, $3)",
        [
            address_hash.to_vec().into(),
            at.0.into(),
            about.code().into(),
        ],
    )
    .await
    .map(drop)
}

/// How many mails with a link to their own data a reader has got.
pub async fn data_links(
    txn: &WriteTxn,
    address_hash: &[u8],
    since: UnixMillis,
) -> Result<i64, DbErr> {
    let n = find_value(
        &**txn,
        "SELECT COUNT(*) FROM triggered_mail WHERE address_hash = $1 AND sent_ms > $2 AND newsletter_id = $3",
        [
            address_hash.to_vec().into(),
            since.0.into(),
            About::OwnData.code().into(),
        ],
    )
    .await?;
    Ok(n.unwrap_or(0))
}

/// Stores a request.
pub async fn insert(txn: &WriteTxn, new: &NewRequest<'_>) -> Result<(), DbErr> {
    let row = subscription_request::ActiveModel {
        id: NotSet,
        token_hash: Set(new.token_hash.clone()),
        newsletter_id: Set(new.newsletter),
        email_key: Set(new.email_key.to_owned()),
        email: Set(new.email.to_owned()),
        name: Set(new.name.to_owned()),
        consent_text_id: Set(new.consent_text),
        page: Set(new.page.to_owned()),
        source: Set(new.source.to_owned()),
        created_ms: Set(new.asked),
        expires_ms: Set(new.expires),
        confirmed_ms: Set(None),
        poll_id: Set(new.poll),
    };
    row.insert(&**txn).await.map(drop)
}

/// The request that a mailed token belongs to.
pub async fn by_token<C: ConnectionTrait>(
    db: &C,
    token_hash: Vec<u8>,
) -> Result<Option<Request>, DbErr> {
    let row = subscription_request::Entity::find()
        .filter(subscription_request::Column::TokenHash.eq(token_hash))
        .one(db)
        .await?;
    Ok(row.map(Request::from))
}

impl From<subscription_request::Model> for Request {
    fn from(row: subscription_request::Model) -> Self {
        Self {
            id: row.id,
            newsletter: row.newsletter_id,
            email: row.email,
            name: row.name,
            consent_text: row.consent_text_id,
            page: row.page,
            source: row.source,
            asked: row.created_ms,
            expires: row.expires_ms,
            confirmed: row.confirmed_ms,
            poll: row.poll_id,
        }
    }
}

/// Marks a request as confirmed; false if it was already.
pub async fn mark_confirmed(txn: &WriteTxn, id: i64, now: UnixMillis) -> Result<bool, DbErr> {
    let done = subscription_request::Entity::update_many()
        .col_expr(subscription_request::Column::ConfirmedMs, Expr::value(now))
        .filter(subscription_request::Column::Id.eq(id))
        .filter(subscription_request::Column::ConfirmedMs.is_null())
        .exec(&**txn)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Expires a reader's unused confirmation links for a newsletter: an agreement from before the reader left no longer
/// holds.
pub async fn end_open(
    txn: &WriteTxn,
    newsletter: NewsletterId,
    reader: ReaderId,
    now: UnixMillis,
) -> Result<(), DbErr> {
    run(
        &**txn,
        "UPDATE subscription_request SET expires_ms = $1 WHERE email_key = (SELECT email_key FROM reader WHERE id = $2)
         AND newsletter_id = $3 AND confirmed_ms IS NULL AND expires_ms > $1",
        [now.0.into(), reader.0.into(), newsletter.0.into()],
    )
    .await
    .map(drop)
}

/// Deletes all requests for an address.
pub async fn forget(txn: &WriteTxn, email_key: &str) -> Result<(), DbErr> {
    subscription_request::Entity::delete_many()
        .filter(subscription_request::Column::EmailKey.eq(email_key))
        .exec(&**txn)
        .await
        .map(drop)
}

/// Deletes requests that expired before `requests`, and counts of mails before `mails`. Returns the number of rows.
pub async fn purge(db: &Db, requests: UnixMillis, mails: UnixMillis) -> Result<u64, DbErr> {
    let name = "purge requests";
    let old = "DELETE FROM subscription_request WHERE expires_ms < $1";
    let gone = db.purge(name, old, "expires_ms", requests).await?;
    let old = "DELETE FROM triggered_mail WHERE sent_ms < $1";
    Ok(gone + db.purge(name, old, "sent_ms", mails).await?)
}
