//! The `poll_sample` table: written once, at the draw.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult,
    PaginatorTrait as _, QueryFilter as _, Value,
};

use super::{Sample, Sampling};
use crate::db::entities::{poll, poll_sample, subscription};
use crate::db::{Db, WriteTxn, find_all, find_one, find_values, is_unique_violation};
use crate::polls::definition::revised_draft;
use crate::polls::model::PollState;
use crate::types::reader_list::{packed, unpacked};
use crate::types::{EditorId, NewsletterId, PollId, ReaderId, SubscriptionState, UnixMillis};

/// Whom a poll asks.
pub async fn of_poll<C: ConnectionTrait>(db: &C, poll: PollId) -> Result<Sampling, DbErr> {
    // One query answers both: whether this is a sample's poll, and whether a sample's poll is beside it.
    let sql = "SELECT s.poll_id, s.beside_poll_id, s.newsletter_id, s.population, s.drawn_ms, n.name, \
               CASE WHEN s.poll_id = $1 THEN s.readers END AS readers \
               FROM poll_sample s JOIN newsletter n ON n.id = s.newsletter_id WHERE s.poll_id = $1 OR s.beside_poll_id = $1";
    #[derive(FromQueryResult)]
    struct Row {
        poll_id: PollId,
        beside_poll_id: Option<PollId>,
        newsletter_id: NewsletterId,
        population: i64,
        drawn_ms: UnixMillis,
        name: String,
        readers: Option<Vec<u8>>,
    }
    let Some(row) = find_one::<Row>(db, sql, [poll.into()]).await? else {
        return Ok(Sampling::Open);
    };
    if row.poll_id != poll {
        return Ok(Sampling::OpenBeside(row.poll_id));
    }
    Ok(Sampling::Drawn(Sample {
        newsletter: row.newsletter_id,
        name: row.name,
        population: row.population,
        readers: unpacked(&row.readers.unwrap_or_default()).into(),
        drawn_at: row.drawn_ms,
        beside: row.beside_poll_id,
    }))
}

/// A draw, with what is needed to repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub newsletter: NewsletterId,
    pub beside: Option<PollId>,
    pub seed: String,
    /// The confirmed subscribers at the draw, in ascending order.
    pub frame: Vec<ReaderId>,
    pub frame_sha256: Vec<u8>,
    pub readers: Vec<ReaderId>,
    pub drawn_at: UnixMillis,
    pub editor: Option<EditorId>,
}

/// Stores a draw. Returns false if the poll, or the open poll beside it, already has a sample.
pub async fn insert(txn: &WriteTxn, poll: PollId, record: &Record) -> Result<bool, DbErr> {
    let row = poll_sample::ActiveModel {
        poll_id: Set(poll),
        beside_poll_id: Set(record.beside),
        newsletter_id: Set(record.newsletter),
        seed: Set(record.seed.clone()),
        population: Set(i64::try_from(record.frame.len()).unwrap_or(i64::MAX)),
        frame: Set(packed(&record.frame)),
        frame_sha256: Set(record.frame_sha256.clone()),
        readers: Set(packed(&record.readers)),
        drawn_ms: Set(record.drawn_at),
        editor_id: Set(record.editor),
    };
    let insert = poll_sample::Entity::insert(row);
    match insert.exec_without_returning(&**txn).await {
        Ok(_) => Ok(true),
        Err(error) if is_unique_violation(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The draw of a poll with its list, so that it can be repeated.
pub async fn record(db: &Db, poll: PollId) -> Result<Option<Record>, DbErr> {
    let row = poll_sample::Entity::find_by_id(poll).one(db.read()).await?;
    Ok(row.map(|row| Record {
        newsletter: row.newsletter_id,
        beside: row.beside_poll_id,
        seed: row.seed,
        frame: unpacked(&row.frame),
        frame_sha256: row.frame_sha256,
        readers: unpacked(&row.readers),
        drawn_at: row.drawn_ms,
        editor: row.editor_id,
    }))
}

/// An entry in the list of samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The slug of its poll.
    pub poll: String,
    /// The slug of the open poll beside it.
    pub beside: Option<String>,
    /// The slug of the newsletter.
    pub newsletter: String,
    pub population: i64,
    pub drawn: i64,
    pub drawn_at: UnixMillis,
}

/// Samples on one page of the list.
const LISTED: usize = 100;

/// The samples drawn before the one that `after` names, or all, newest first; and whether there are more.
pub async fn listed(
    db: &Db,
    after: Option<(UnixMillis, PollId)>,
) -> Result<(Vec<Listed>, bool), DbErr> {
    let (at, poll) = after.unwrap_or((UnixMillis(i64::MAX), PollId(i64::MAX)));
    let sql = "SELECT p.slug AS poll, b.slug AS beside, n.slug AS newsletter, s.population, s.readers, s.drawn_ms \
               FROM poll_sample s JOIN poll p ON p.id = s.poll_id LEFT JOIN poll b ON b.id = s.beside_poll_id \
               JOIN newsletter n ON n.id = s.newsletter_id WHERE (s.drawn_ms, s.poll_id) < ($1, $2) \
               ORDER BY s.drawn_ms DESC, s.poll_id DESC LIMIT $3";
    let most = i64::try_from(LISTED + 1).unwrap_or(i64::MAX);
    let values: [Value; 3] = [at.into(), poll.into(), most.into()];
    #[derive(FromQueryResult)]
    struct Row {
        poll: String,
        beside: Option<String>,
        newsletter: String,
        population: i64,
        readers: Vec<u8>,
        drawn_ms: UnixMillis,
    }
    let mut found: Vec<Row> = find_all(db.read(), sql, values).await?;
    let more = found.len() > LISTED;
    found.truncate(LISTED);
    let listed = |row: Row| Listed {
        poll: row.poll,
        beside: row.beside,
        newsletter: row.newsletter,
        population: row.population,
        drawn: i64::try_from(unpacked(&row.readers).len()).unwrap_or(i64::MAX),
        drawn_at: row.drawn_ms,
    };
    Ok((found.into_iter().map(listed).collect(), more))
}

/// The confirmed subscribers of a newsletter, ascending, read in one statement and so at one instant.
pub async fn frame(db: &Db, newsletter: NewsletterId) -> Result<Vec<ReaderId>, DbErr> {
    let sql = format!(
        "SELECT reader_id FROM subscription WHERE newsletter_id = $1 AND state = {} ORDER BY reader_id",
        SubscriptionState::Active.code()
    );
    find_values(db.read(), sql, [newsletter.into()]).await
}

/// The number of confirmed subscribers of a newsletter.
pub async fn population(db: &Db, newsletter: NewsletterId) -> Result<i64, DbErr> {
    let n = subscription::Entity::find()
        .filter(subscription::Column::NewsletterId.eq(newsletter))
        .filter(subscription::Column::State.eq(SubscriptionState::Active.code()))
        .count(db.read())
        .await?;
    Ok(i64::try_from(n).unwrap_or(i64::MAX))
}

/// The keys of all ballots in a poll.
pub async fn voter_keys(db: &impl ConnectionTrait, poll: PollId) -> Result<Vec<Vec<u8>>, DbErr> {
    let sql = "SELECT voter_key FROM ballot WHERE poll_id = $1";
    find_values(db, sql, [poll.into()]).await
}

/// Turns a draft into the sample's poll: from now on confirmed subscribers make its result. Returns false if the draft
/// must not be changed ([`revised_draft`]).
pub async fn open_draft(
    txn: &WriteTxn,
    poll: PollId,
    revision: i64,
    tier: i16,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let opened = revised_draft(poll, revision)
        .set(poll::ActiveModel {
            state: Set(PollState::Published.code()),
            headline_tier: Set(tier),
            newsletter_id: Set(None),
            updated_ms: Set(now),
            ..Default::default()
        })
        .exec(&**txn)
        .await?;
    Ok(opened.rows_affected == 1)
}
