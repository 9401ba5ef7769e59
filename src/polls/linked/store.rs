//! The consent texts, and access to links outside the ballot box. Links are written by `ballots::links`.

use aws_lc_rs::digest::{SHA256, digest};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use super::LinkWords;
use super::export::Taker;
use crate::db::{Backend, Db, WriteTxn, fetch_all, fetch_all_as, fetch_one, fetch_one_as, run};
use crate::types::{EditorId, PollId, ReaderId, UnixMillis};

/// Stores a consent text and returns its version; an identical text keeps its version.
pub async fn keep_words(txn: &WriteTxn, words: &str, now: UnixMillis) -> Result<i64, DbErr> {
    let hash = digest(&SHA256, words.as_bytes()).as_ref().to_vec();
    // Returns the row even if it already existed.
    let sql = "INSERT INTO link_text (sha256, body, created_ms) VALUES ($1, $2, $3) \
               ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256 RETURNING id";
    let values: [Value; 3] = [hash.into(), words.into(), now.into()];
    let row = fetch_one(&**txn, sql, values).await?;
    row.ok_or(DbErr::RecordNotInserted)?.try_get("", "id")
}

/// The consent text with this version.
pub async fn words<C: ConnectionTrait>(db: &C, version: i64) -> Result<Option<LinkWords>, DbErr> {
    let sql = "SELECT body FROM link_text WHERE id = $1";
    fetch_one_as(db, sql, [version.into()], |row| {
        Ok(LinkWords {
            version,
            text: row.try_get("", "body")?,
        })
    })
    .await
}

/// Whether this reader's answer is linked.
pub async fn is_linked(db: &Db, poll: PollId, reader: ReaderId) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM ballot_link WHERE poll_id = $1 AND reader_id = $2";
    let row = fetch_one(db.read(), sql, [poll.into(), reader.into()]).await?;
    Ok(row.is_some())
}

/// A linked answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    pub poll: PollId,
    /// The poll's slug.
    pub slug: String,
    /// The choices, encoded as in the ballot's row.
    pub choices: Vec<u8>,
    /// The consent text that was agreed to.
    pub words: LinkWords,
    /// When the box was ticked.
    pub agreed: UnixMillis,
    /// When the link took effect.
    pub linked: UnixMillis,
    /// When the answer was given or last changed.
    pub changed: UnixMillis,
}

/// Every linked answer of a reader, the newest first.
pub async fn of_reader<C: ConnectionTrait>(db: &C, reader: ReaderId) -> Result<Vec<Linked>, DbErr> {
    let sql = "SELECT l.poll_id, p.slug, l.choices, l.link_text_id, t.body, l.agreed_ms, l.linked_ms, l.changed_ms FROM ballot_link l \
               JOIN poll p ON p.id = l.poll_id JOIN link_text t ON t.id = l.link_text_id \
               WHERE l.reader_id = $1 ORDER BY l.linked_ms DESC, l.poll_id DESC";
    fetch_all_as(db, sql, [reader.into()], linked).await
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

/// Withdraws a reader's consent for one poll: the ballot remains, counted and secret. Returns
/// false if there was no link.
pub async fn take_back_poll(txn: &WriteTxn, reader: ReaderId, slug: &str) -> Result<bool, DbErr> {
    let sql = "DELETE FROM ballot_link WHERE reader_id = $1 AND poll_id = (SELECT id FROM poll WHERE slug = $2)";
    let done = run(&**txn, sql, [reader.into(), slug.into()]).await?;
    Ok(done.rows_affected() > 0)
}

/// Withdraws all consents of a reader.
pub async fn take_back_in(
    txn: &WriteTxn,
    backend: Backend,
    reader: ReaderId,
) -> Result<u64, DbErr> {
    if backend == Backend::Postgres {
        // Locks the rows in the same order as commits of answers do.
        let sql = "SELECT 1 FROM ballot_link WHERE reader_id = $1 ORDER BY poll_id FOR UPDATE";
        fetch_all(&**txn, sql, [reader.into()]).await?;
    }
    let sql = "DELETE FROM ballot_link WHERE reader_id = $1";
    Ok(run(&**txn, sql, [reader.into()]).await?.rows_affected())
}

/// The linked answers of a poll, by reader, ascending. With `frozen`, as seen by this transaction
/// and fixed until its end.
pub async fn by_reader(
    db: &Db,
    poll: PollId,
    frozen: Option<&WriteTxn>,
) -> Result<Vec<(ReaderId, Vec<u8>)>, DbErr> {
    let sql = "SELECT reader_id, choices FROM ballot_link WHERE poll_id = $1 ORDER BY reader_id";
    let values: [Value; 1] = [poll.into()];
    let rows = match frozen {
        None => fetch_all(db.read(), sql, values).await?,
        Some(txn) => {
            let lock = match db.backend() {
                Backend::Postgres => " FOR SHARE",
                Backend::Sqlite => "",
            };
            fetch_all(&**txn, format!("{sql}{lock}"), values).await?
        }
    };
    rows.iter()
        .map(|row| Ok((row.try_get("", "reader_id")?, row.try_get("", "choices")?)))
        .collect()
}

/// The numbers of linked answers of a poll, grouped by what they say.
pub async fn kinds(db: &Db, poll: PollId) -> Result<Vec<(Vec<u8>, i64)>, DbErr> {
    let sql = "SELECT choices, CAST(COUNT(*) AS BIGINT) AS n FROM ballot_link WHERE poll_id = $1 GROUP BY choices";
    fetch_all_as(db.read(), sql, [poll.into()], |row| {
        Ok((row.try_get("", "choices")?, row.try_get("", "n")?))
    })
    .await
}

/// A linked answer with its reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfPoll {
    pub email: String,
    pub name: String,
    pub choices: Vec<u8>,
    pub version: i64,
    pub agreed: UnixMillis,
    pub linked: UnixMillis,
    pub changed: UnixMillis,
}

/// Every linked answer of a poll, ordered by address.
pub async fn of_poll(txn: &WriteTxn, poll: PollId) -> Result<Vec<OfPoll>, DbErr> {
    let sql = "SELECT r.email, r.name, l.choices, l.link_text_id, l.agreed_ms, l.linked_ms, l.changed_ms FROM ballot_link l \
               JOIN reader r ON r.id = l.reader_id WHERE l.poll_id = $1 AND r.erased_ms IS NULL ORDER BY r.email_key";
    fetch_all_as(&**txn, sql, [poll.into()], |row| {
        Ok(OfPoll {
            email: row.try_get("", "email")?,
            name: row.try_get("", "name")?,
            choices: row.try_get("", "choices")?,
            version: row.try_get("", "link_text_id")?,
            agreed: row.try_get("", "agreed_ms")?,
            linked: row.try_get("", "linked_ms")?,
            changed: row.try_get("", "changed_ms")?,
        })
    })
    .await
}

/// Records who exports linked answers.
pub async fn note_export(
    txn: &WriteTxn,
    poll: PollId,
    taker: Taker,
    format: &str,
    readers: i64,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let (editor, token) = match taker {
        Taker::Editor(editor) => (editor, None),
        Taker::Script(token) => (EditorId(0), Some(token)),
    };
    let sql = "INSERT INTO link_export (poll_id, editor_id, format, readers, at_ms, token_id) VALUES ($1, $2, $3, $4, $5, $6)";
    let values: [Value; 6] = [
        poll.into(),
        editor.into(),
        format.into(),
        readers.into(),
        now.into(),
        token.map(|token| token.0).into(),
    ];
    run(&**txn, sql, values).await.map(drop)
}

/// An export of linked answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The editor's name or address, or the name of a script's token.
    pub who: String,
    pub format: String,
    pub readers: i64,
    pub at: UnixMillis,
}

/// The last twenty exports of a poll's linked answers, newest first.
pub async fn exports(db: &Db, poll: PollId) -> Result<Vec<Taken>, DbErr> {
    let sql = "SELECT CASE WHEN t.id IS NOT NULL THEN t.name WHEN d.name = '' THEN d.email ELSE d.name END AS who, \
               CASE WHEN e.token_id IS NULL THEN 0 ELSE 1 END AS script, e.format, e.readers, e.at_ms FROM link_export e \
               LEFT JOIN editor d ON d.id = e.editor_id LEFT JOIN api_token t ON t.id = e.token_id \
               WHERE e.poll_id = $1 ORDER BY e.id DESC LIMIT 20";
    fetch_all_as(db.read(), sql, [poll.into()], |row| {
        let who: Option<String> = row.try_get("", "who")?;
        let script: i32 = row.try_get("", "script")?;
        Ok(Taken {
            who: match (who, script) {
                (Some(name), 1) => format!("Script “{name}”"),
                (None, 1) => "A script that no longer exists".to_owned(),
                (Some(name), _) => name,
                (None, _) => "An editor who no longer exists".to_owned(),
            },
            format: row.try_get("", "format")?,
            readers: row.try_get("", "readers")?,
            at: row.try_get("", "at_ms")?,
        })
    })
    .await
}
