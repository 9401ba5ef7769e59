//! The words, and the links as others than the ballot box see them. What writes links is `ballots::links`.

use aws_lc_rs::digest::{SHA256, digest};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use super::LinkWords;
use crate::db::{Backend, Db, WriteTxn, fetch_all, fetch_one, run};
use crate::types::{PollId, ReaderId, UnixMillis};

/// Keeps words that readers may agree to; the same words again are the same text. Gives their version.
///
/// # Errors
/// What the database said.
pub async fn keep_words(txn: &WriteTxn, words: &str, now: UnixMillis) -> Result<i64, DbErr> {
    let hash = digest(&SHA256, words.as_bytes()).as_ref().to_vec();
    // The row is given back also when it was there.
    let sql = "INSERT INTO link_text (sha256, body, created_ms) VALUES ($1, $2, $3) \
               ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256 RETURNING id";
    let values: [Value; 3] = [hash.into(), words.into(), now.into()];
    let row = fetch_one(&**txn, sql, values).await?;
    row.ok_or(DbErr::RecordNotInserted)?.try_get("", "id")
}

/// The words of this version.
///
/// # Errors
/// What the database said.
pub async fn words<C: ConnectionTrait>(db: &C, version: i64) -> Result<Option<LinkWords>, DbErr> {
    let sql = "SELECT body FROM link_text WHERE id = $1";
    let row = fetch_one(db, sql, [version.into()]).await?;
    row.map(|row| {
        Ok(LinkWords {
            version,
            text: row.try_get("", "body")?,
        })
    })
    .transpose()
}

/// Whether this reader's answer is linked.
///
/// # Errors
/// What the database said.
pub async fn is_linked(db: &Db, poll: PollId, reader: ReaderId) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM ballot_link WHERE poll_id = $1 AND reader_id = $2";
    let row = fetch_one(db.read(), sql, [poll.into(), reader.into()]).await?;
    Ok(row.is_some())
}

/// An answer as its reader let it be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    pub poll: PollId,
    /// The poll's name in links.
    pub slug: String,
    /// As the ballot's row keeps it.
    pub choices: Vec<u8>,
    /// What was agreed to.
    pub words: LinkWords,
    /// When the box was ticked.
    pub agreed: UnixMillis,
    /// When it took effect.
    pub linked: UnixMillis,
    /// When the answer was given, or changed last.
    pub changed: UnixMillis,
}

/// Every linked answer of a reader, the newest first.
///
/// # Errors
/// What the database said.
pub async fn of_reader<C: ConnectionTrait>(db: &C, reader: ReaderId) -> Result<Vec<Linked>, DbErr> {
    let sql = "SELECT l.poll_id, p.slug, l.choices, l.link_text_id, t.body, l.agreed_ms, l.linked_ms, l.changed_ms FROM ballot_link l \
               JOIN poll p ON p.id = l.poll_id JOIN link_text t ON t.id = l.link_text_id \
               WHERE l.reader_id = $1 ORDER BY l.linked_ms DESC, l.poll_id DESC";
    let rows = fetch_all(db, sql, [reader.into()]).await?;
    rows.iter().map(linked).collect()
}

fn linked(row: &QueryResult) -> Result<Linked, DbErr> {
    Ok(Linked {
        poll: row.try_get("", "poll_id")?,
        slug: row.try_get("", "slug")?,
        choices: row.try_get("", "choices")?,
        words: LinkWords {
            version: row.try_get("", "link_text_id")?,
            text: row.try_get("", "body")?,
        },
        agreed: row.try_get("", "agreed_ms")?,
        linked: row.try_get("", "linked_ms")?,
        changed: row.try_get("", "changed_ms")?,
    })
}

/// Takes back the consent for one poll: the ballot stays, counted and secret. False: there was none.
///
/// # Errors
/// What the database said.
pub async fn take_back_poll(txn: &WriteTxn, reader: ReaderId, slug: &str) -> Result<bool, DbErr> {
    let sql = "DELETE FROM ballot_link WHERE reader_id = $1 AND poll_id = (SELECT id FROM poll WHERE slug = $2)";
    let done = run(&**txn, sql, [reader.into(), slug.into()]).await?;
    Ok(done.rows_affected() > 0)
}

/// Takes back all consents of a reader.
///
/// # Errors
/// What the database said.
pub async fn take_back_in(
    txn: &WriteTxn,
    backend: Backend,
    reader: ReaderId,
) -> Result<u64, DbErr> {
    if backend == Backend::Postgres {
        // In the order in which commits of answers take them.
        let sql = "SELECT 1 FROM ballot_link WHERE reader_id = $1 ORDER BY poll_id FOR UPDATE";
        fetch_all(&**txn, sql, [reader.into()]).await?;
    }
    let sql = "DELETE FROM ballot_link WHERE reader_id = $1";
    Ok(run(&**txn, sql, [reader.into()]).await?.rows_affected())
}
