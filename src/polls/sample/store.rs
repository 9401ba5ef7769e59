//! The `poll_sample` table: written once, at the draw.

use sea_orm::{ConnectionTrait, DbErr, Value};

use super::{Sample, Sampling};
use crate::db::{Db, WriteTxn, fetch_all_as, fetch_one, is_unique_violation, run};
use crate::types::reader_list::{packed, unpacked};
use crate::types::{EditorId, NewsletterId, PollId, ReaderId, SubscriptionState, UnixMillis};

/// Whom a poll asks.
pub async fn of_poll<C: ConnectionTrait>(db: &C, poll: PollId) -> Result<Sampling, DbErr> {
    // One query answers both: whether this is a sample's poll, and whether a sample's poll is beside it.
    let sql = "SELECT s.poll_id, s.beside_poll_id, s.newsletter_id, s.population, s.drawn_ms, n.name, \
               CASE WHEN s.poll_id = $1 THEN s.readers END AS readers \
               FROM poll_sample s JOIN newsletter n ON n.id = s.newsletter_id WHERE s.poll_id = $1 OR s.beside_poll_id = $1";
    let Some(row) = fetch_one(db, sql, [Value::from(poll)]).await? else {
        return Ok(Sampling::Open);
    };
    let of: PollId = row.try_get("", "poll_id")?;
    if of != poll {
        return Ok(Sampling::OpenBeside(of));
    }
    let readers: Option<Vec<u8>> = row.try_get("", "readers")?;
    Ok(Sampling::Drawn(Sample {
        newsletter: row.try_get("", "newsletter_id")?,
        name: row.try_get("", "name")?,
        population: row.try_get("", "population")?,
        readers: unpacked(&readers.unwrap_or_default()).into(),
        drawn_at: row.try_get("", "drawn_ms")?,
        beside: row.try_get("", "beside_poll_id")?,
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
    let sql = "INSERT INTO poll_sample (poll_id, beside_poll_id, newsletter_id, seed, population, frame, frame_sha256, readers, drawn_ms, editor_id) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let values: [Value; 10] = [
        poll.into(),
        record.beside.into(),
        record.newsletter.into(),
        record.seed.as_str().into(),
        i64::try_from(record.frame.len()).unwrap_or(i64::MAX).into(),
        packed(&record.frame).into(),
        record.frame_sha256.clone().into(),
        packed(&record.readers).into(),
        record.drawn_at.into(),
        record.editor.into(),
    ];
    match run(&**txn, sql, values).await {
        Ok(_) => Ok(true),
        Err(error) if is_unique_violation(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The draw of a poll with its list, so that it can be repeated.
pub async fn record(db: &Db, poll: PollId) -> Result<Option<Record>, DbErr> {
    let sql = "SELECT newsletter_id, beside_poll_id, seed, frame, frame_sha256, readers, drawn_ms, editor_id FROM poll_sample WHERE poll_id = $1";
    let Some(row) = fetch_one(db.read(), sql, [Value::from(poll)]).await? else {
        return Ok(None);
    };
    let list = |column: &str| -> Result<Vec<ReaderId>, DbErr> {
        Ok(unpacked(&row.try_get::<Vec<u8>>("", column)?))
    };
    Ok(Some(Record {
        newsletter: row.try_get("", "newsletter_id")?,
        beside: row.try_get("", "beside_poll_id")?,
        seed: row.try_get("", "seed")?,
        frame: list("frame")?,
        frame_sha256: row.try_get("", "frame_sha256")?,
        readers: list("readers")?,
        drawn_at: row.try_get("", "drawn_ms")?,
        editor: row.try_get("", "editor_id")?,
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
    let mut found: Vec<Listed> = fetch_all_as(db.read(), sql, values, |row| {
        let readers: Vec<u8> = row.try_get("", "readers")?;
        Ok(Listed {
            poll: row.try_get("", "poll")?,
            beside: row.try_get("", "beside")?,
            newsletter: row.try_get("", "newsletter")?,
            population: row.try_get("", "population")?,
            drawn: i64::try_from(unpacked(&readers).len()).unwrap_or(i64::MAX),
            drawn_at: row.try_get("", "drawn_ms")?,
        })
    })
    .await?;
    let more = found.len() > LISTED;
    found.truncate(LISTED);
    Ok((found, more))
}

/// The confirmed subscribers of a newsletter, ascending, read in one statement and so at one instant.
pub async fn frame(db: &Db, newsletter: NewsletterId) -> Result<Vec<ReaderId>, DbErr> {
    let sql = format!(
        "SELECT reader_id FROM subscription WHERE newsletter_id = $1 AND state = {} ORDER BY reader_id",
        SubscriptionState::Active.code()
    );
    fetch_all_as(db.read(), sql, [Value::from(newsletter)], |row| {
        row.try_get("", "reader_id")
    })
    .await
}

/// The number of confirmed subscribers of a newsletter.
pub async fn population(db: &Db, newsletter: NewsletterId) -> Result<i64, DbErr> {
    let sql = format!(
        "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM subscription WHERE newsletter_id = $1 AND state = {}",
        SubscriptionState::Active.code()
    );
    fetch_one(db.read(), sql, [Value::from(newsletter)])
        .await?
        .map_or(Ok(0), |row| row.try_get("", "n"))
}

/// The keys of all ballots in a poll.
pub async fn voter_keys(db: &Db, poll: PollId) -> Result<Vec<Vec<u8>>, DbErr> {
    let sql = "SELECT voter_key FROM ballot WHERE poll_id = $1";
    fetch_all_as(db.read(), sql, [Value::from(poll)], |row| {
        row.try_get("", "voter_key")
    })
    .await
}

/// Turns a draft into the sample's poll: from now on confirmed subscribers make its result. Returns false if it is no
/// longer a draft at that revision.
pub async fn open_draft(
    txn: &WriteTxn,
    poll: PollId,
    revision: i64,
    tier: i16,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let sql = "UPDATE poll SET state = 1, headline_tier = $1, newsletter_id = NULL, updated_ms = $2, revision = revision + 1 \
               WHERE id = $3 AND revision = $4 AND state = 0";
    let values = [tier.into(), now.into(), poll.into(), revision.into()];
    Ok(run(&**txn, sql, values).await?.rows_affected() == 1)
}
