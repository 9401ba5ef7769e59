//! The consent texts, and access to links outside the ballot box. Links are written by `ballots::links`.

use aws_lc_rs::digest::{SHA256, digest};
use futures::TryStreamExt as _;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, DbErr,
    EntityTrait as _, FromQueryResult, QueryFilter as _, SelectExt as _, StreamTrait as _, Value,
};

use super::LinkWords;
use super::export::Taker;
use crate::db::entities::{ballot_link, link_export, link_text};
use crate::db::{Backend, Db, WriteTxn, fetch_all, find_all, find_value, query, run};
use crate::types::{EditorId, PollId, ReaderId, UnixMillis};

/// Stores a consent text and returns its version; an identical text keeps its version.
pub async fn keep_words(txn: &WriteTxn, words: &str, now: UnixMillis) -> Result<i64, DbErr> {
    let hash = digest(&SHA256, words.as_bytes()).as_ref().to_vec();
    // Returns the row even if it already existed.
    let sql = "INSERT INTO link_text (sha256, body, created_ms) VALUES ($1, $2, $3) \
               ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256 RETURNING id";
    let values: [Value; 3] = [hash.into(), words.into(), now.into()];
    let version = find_value(&**txn, sql, values).await?;
    version.ok_or(DbErr::RecordNotInserted)
}

/// The consent text with this version.
pub async fn words<C: ConnectionTrait>(db: &C, version: i64) -> Result<Option<LinkWords>, DbErr> {
    let row = link_text::Entity::find_by_id(version).one(db).await?;
    Ok(row.map(|row| LinkWords {
        version,
        text: row.body,
    }))
}

/// Whether this reader's answer is linked.
pub async fn is_linked(db: &Db, poll: PollId, reader: ReaderId) -> Result<bool, DbErr> {
    ballot_link::Entity::find()
        .filter(ballot_link::Column::PollId.eq(poll))
        .filter(ballot_link::Column::ReaderId.eq(reader))
        .exists(db.read())
        .await
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
    #[derive(FromQueryResult)]
    struct Row {
        poll_id: PollId,
        slug: String,
        choices: Vec<u8>,
        link_text_id: i64,
        body: String,
        agreed_ms: UnixMillis,
        linked_ms: UnixMillis,
        changed_ms: UnixMillis,
    }
    let rows: Vec<Row> = find_all(db, sql, [reader.into()]).await?;
    let linked = |row: Row| Linked {
        poll: row.poll_id,
        slug: row.slug,
        choices: row.choices,
        words: LinkWords {
            version: row.link_text_id,
            text: row.body,
        },
        agreed: row.agreed_ms,
        linked: row.linked_ms,
        changed: row.changed_ms,
    };
    Ok(rows.into_iter().map(linked).collect())
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
    #[derive(FromQueryResult)]
    struct Row {
        reader_id: ReaderId,
        choices: Vec<u8>,
    }
    let rows: Vec<Row> = match frozen {
        None => find_all(db.read(), sql, values).await?,
        Some(txn) => {
            let lock = match db.backend() {
                Backend::Postgres => " FOR SHARE",
                Backend::Sqlite => "",
            };
            find_all(&**txn, format!("{sql}{lock}"), values).await?
        }
    };
    let pair = |row: Row| (row.reader_id, row.choices);
    Ok(rows.into_iter().map(pair).collect())
}

/// The numbers of linked answers of a poll, grouped by what they say.
pub async fn kinds(db: &Db, poll: PollId) -> Result<Vec<(Vec<u8>, i64)>, DbErr> {
    let sql = "SELECT choices, CAST(COUNT(*) AS BIGINT) AS n FROM ballot_link WHERE poll_id = $1 GROUP BY choices";
    #[derive(FromQueryResult)]
    struct Row {
        choices: Vec<u8>,
        n: i64,
    }
    let rows: Vec<Row> = find_all(db.read(), sql, [poll.into()]).await?;
    Ok(rows.into_iter().map(|row| (row.choices, row.n)).collect())
}

/// A linked answer with its reader.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct OfPoll {
    pub email: String,
    pub name: String,
    pub choices: Vec<u8>,
    #[sea_orm(from_alias = "link_text_id")]
    pub version: i64,
    #[sea_orm(from_alias = "agreed_ms")]
    pub agreed: UnixMillis,
    #[sea_orm(from_alias = "linked_ms")]
    pub linked: UnixMillis,
    #[sea_orm(from_alias = "changed_ms")]
    pub changed: UnixMillis,
}

/// Passes every linked answer of a poll to `take`, ordered by address, without holding them in memory.
pub async fn of_poll(
    db: &DatabaseTransaction,
    poll: PollId,
    mut take: impl FnMut(OfPoll) -> Result<(), DbErr> + Send,
) -> Result<(), DbErr> {
    let sql = "SELECT r.email, r.name, l.choices, l.link_text_id, l.agreed_ms, l.linked_ms, l.changed_ms FROM ballot_link l \
               JOIN reader r ON r.id = l.reader_id WHERE l.poll_id = $1 AND r.erased_ms IS NULL ORDER BY r.email_key";
    let mut rows = db.stream_raw(query(db, sql, [poll.into()])).await?;
    while let Some(row) = rows.try_next().await? {
        take(OfPoll::from_query_result(&row, "")?)?;
    }
    Ok(())
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
    let row = link_export::ActiveModel {
        poll_id: Set(poll),
        editor_id: Set(editor),
        format: Set(format.to_owned()),
        readers: Set(readers),
        at_ms: Set(now),
        token_id: Set(token),
        ..Default::default()
    };
    link_export::Entity::insert(row)
        .exec_without_returning(&**txn)
        .await
        .map(drop)
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
               e.token_id IS NOT NULL AS script, e.format, e.readers, e.at_ms FROM link_export e \
               LEFT JOIN editor d ON d.id = e.editor_id LEFT JOIN api_token t ON t.id = e.token_id \
               WHERE e.poll_id = $1 ORDER BY e.id DESC LIMIT 20";
    #[derive(FromQueryResult)]
    struct Row {
        who: Option<String>,
        script: bool,
        format: String,
        readers: i64,
        at_ms: UnixMillis,
    }
    let rows: Vec<Row> = find_all(db.read(), sql, [poll.into()]).await?;
    let taken = |row: Row| Taken {
        who: match (row.who, row.script) {
            (Some(name), true) => format!("Script “{name}”"),
            (None, true) => "A script that no longer exists".to_owned(),
            (Some(name), false) => name,
            (None, false) => "An editor who no longer exists".to_owned(),
        },
        format: row.format,
        readers: row.readers,
        at: row.at_ms,
    };
    Ok(rows.into_iter().map(taken).collect())
}
