//! The `issue` table. Every change names the revision that it is based on, so that of two editors, two nodes or two
//! clicks exactly one wins and the other learns of it.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Value,
};

use super::model::{Content, ForSample, Issue, IssueState, Slot};
use crate::app::App;
use crate::db::entities::{issue, issue_segment};
use crate::db::{DbErr, WriteTxn, fetch_all_as, fetch_one, is_unique_violation, run};
use crate::polls::Segment;
use crate::types::{EditorId, IssueId, NewsletterId, PollId, UnixMillis};

/// The issue with that key.
pub(super) async fn find<C: ConnectionTrait>(db: &C, id: IssueId) -> Result<Option<Issue>, DbErr> {
    Ok(issue::Entity::find_by_id(id)
        .one(db)
        .await?
        .map(Issue::from))
}

/// Up to `limit` scheduled issues whose time has come, the oldest first.
pub(super) async fn due<C: ConnectionTrait>(
    db: &C,
    now: UnixMillis,
    limit: u64,
) -> Result<Vec<Issue>, DbErr> {
    let rows = issue::Entity::find()
        .filter(issue::Column::State.eq(IssueState::SCHEDULED))
        .filter(issue::Column::ScheduledMs.lte(now))
        .order_by_asc(issue::Column::ScheduledMs)
        .order_by_asc(issue::Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(Issue::from).collect())
}

/// Inserts a new draft; its `slug` is random until it is handed over.
pub(super) async fn insert(
    txn: &WriteTxn,
    newsletter: NewsletterId,
    content: &Content,
    slug: &str,
    editor: Option<EditorId>,
    now: UnixMillis,
) -> Result<IssueId, DbErr> {
    let row = fetch_one(
        &**txn,
        "INSERT INTO issue (newsletter_id, slug, subject, preheader, body, state, revision, editor_id, created_ms, updated_ms)
         VALUES ($1, $2, $3, $4, $5, 0, 1, $6, $7, $7) RETURNING id",
        [
            newsletter.0.into(),
            slug.into(),
            content.subject.as_str().into(),
            content.preheader.as_str().into(),
            content.body.as_str().into(),
            editor.map(|editor| editor.0).into(),
            now.0.into(),
        ],
    )
    .await?
    .ok_or_else(|| DbErr::RecordNotInserted)?;
    Ok(IssueId(row.try_get_by_index(0)?))
}

/// Turns a new draft into a mail to a sample. Returns false if there already is such a mail.
pub(super) async fn address_to(txn: &WriteTxn, id: IssueId, to: ForSample) -> Result<bool, DbErr> {
    let done = change(
        txn,
        "UPDATE issue SET sample_poll_id = $1, sample_round = $2 WHERE id = $3 AND state = 0",
        [to.poll.into(), to.round.code().into(), id.0.into()],
    )
    .await;
    match done {
        Err(error) if is_unique_violation(&error) => Ok(false),
        done => done,
    }
}

/// The mails to the sample of a poll, the invitation first.
pub(super) async fn to_sample<C: ConnectionTrait>(
    db: &C,
    poll: PollId,
) -> Result<Vec<Issue>, DbErr> {
    let rows = issue::Entity::find()
        .filter(issue::Column::SamplePollId.eq(poll))
        .order_by_asc(issue::Column::SampleRound)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(Issue::from).collect())
}

/// Restricts a new draft to a segment.
pub(super) async fn narrow(txn: &WriteTxn, id: IssueId, to: &Segment) -> Result<(), DbErr> {
    let sql = "INSERT INTO issue_segment (issue_id, poll_id, options) VALUES ($1, $2, $3)";
    let values: [Value; 3] = [id.0.into(), to.poll.into(), to.to_stored().into()];
    run(&**txn, sql, values).await.map(drop)
}

/// The segment that an issue is for; `None` if it is for all readers of its newsletter or for a sample.
pub(super) async fn segment<C: ConnectionTrait>(
    db: &C,
    id: IssueId,
) -> Result<Option<Segment>, DbErr> {
    let row = issue_segment::Entity::find_by_id(id).one(db).await?;
    Ok(row.map(|row| Segment::from_stored(row.poll_id, &row.options)))
}

/// Replaces a draft's text. Returns false if it is no longer a draft or no longer at that revision.
pub(super) async fn save(
    txn: &WriteTxn,
    id: IssueId,
    revision: i64,
    content: &Content,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    change(
        txn,
        "UPDATE issue SET subject = $1, preheader = $2, body = $3, updated_ms = $4, revision = revision + 1
         WHERE id = $5 AND revision = $6 AND state = 0",
        [
            content.subject.as_str().into(),
            content.preheader.as_str().into(),
            content.body.as_str().into(),
            now.0.into(),
            id.0.into(),
            revision.into(),
        ],
    )
    .await
}

/// Schedules a draft or a held issue.
pub(super) async fn schedule(
    txn: &WriteTxn,
    id: IssueId,
    revision: i64,
    slot: &Slot,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let (local, zone) = match &slot.local {
        Some((local, zone)) => (Some(local.clone()), Some(zone.name().to_owned())),
        None => (None, None),
    };
    change(
        txn,
        "UPDATE issue SET state = 1, scheduled_ms = $1, scheduled_local = $2, time_zone = $3, held_reason = '',
         updated_ms = $4, revision = revision + 1 WHERE id = $5 AND revision = $6 AND state IN (0, 2)",
        [slot.at.0.into(), local.into(), zone.into(), now.0.into(), id.0.into(), revision.into()],
    )
    .await
}

/// Turns a scheduled or held issue back into a draft.
pub(super) async fn unschedule(
    txn: &WriteTxn,
    id: IssueId,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    change(
        txn,
        "UPDATE issue SET state = 0, scheduled_ms = NULL, scheduled_local = NULL, time_zone = NULL, held_reason = '',
         updated_ms = $1, revision = revision + 1 WHERE id = $2 AND state IN (1, 2)",
        [now.0.into(), id.0.into()],
    )
    .await
}

/// Holds every scheduled issue for a person to decide on. Returns how many.
pub async fn hold_all(txn: &WriteTxn, reason: &str, now: UnixMillis) -> Result<u64, DbErr> {
    let sql = "UPDATE issue SET state = 2, held_reason = $1, updated_ms = $2, revision = revision + 1 WHERE state = 1";
    let held = run(&**txn, sql, [reason.into(), now.0.into()]).await?;
    Ok(held.rows_affected())
}

/// Holds a due issue for a person to decide on.
pub(super) async fn hold(
    txn: &WriteTxn,
    id: IssueId,
    revision: i64,
    reason: &str,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    change(
        txn,
        "UPDATE issue SET state = 2, held_reason = $1, updated_ms = $2, revision = revision + 1
         WHERE id = $3 AND revision = $4 AND state = 1",
        [reason.into(), now.0.into(), id.0.into(), revision.into()],
    )
    .await
}

/// Holds a scheduled issue because somebody asked for it, whatever its revision. Returns false if it is not
/// scheduled.
pub(super) async fn hold_back(
    txn: &WriteTxn,
    id: IssueId,
    reason: &str,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    change(
        txn,
        "UPDATE issue SET state = 2, held_reason = $1, updated_ms = $2, revision = revision + 1 WHERE id = $3 AND state = 1",
        [reason.into(), now.0.into(), id.0.into()],
    )
    .await
}

/// Claims a draft, scheduled or held issue for the mailer. Of all concurrent callers on all nodes, one gets `true`;
/// it has to create the mailing in the same transaction.
pub(super) async fn hand_over(
    txn: &WriteTxn,
    id: IssueId,
    revision: i64,
    slug: &str,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    change(
        txn,
        "UPDATE issue SET state = 3, slug = $1, handed_ms = $2, updated_ms = $2, revision = revision + 1
         WHERE id = $3 AND revision = $4 AND state IN (0, 1, 2)",
        [slug.into(), now.0.into(), id.0.into(), revision.into()],
    )
    .await
}

/// Whether another issue of the newsletter already has that name.
pub(super) async fn slug_taken<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    slug: &str,
) -> Result<bool, DbErr> {
    let values: [Value; 2] = [newsletter.0.into(), slug.into()];
    let sql = "SELECT 1 FROM issue WHERE newsletter_id = $1 AND slug = $2";
    Ok(fetch_one(db, sql, values).await?.is_some())
}

/// Deletes a draft. Returns false if it is no longer a draft or no longer at that revision.
pub(super) async fn delete(txn: &WriteTxn, id: IssueId, revision: i64) -> Result<bool, DbErr> {
    let segment = "DELETE FROM issue_segment WHERE issue_id = (SELECT id FROM issue WHERE id = $1 AND revision = $2 AND state = 0)";
    run(&**txn, segment, [id.0.into(), revision.into()]).await?;
    change(
        txn,
        "DELETE FROM issue WHERE id = $1 AND revision = $2 AND state = 0",
        [id.0.into(), revision.into()],
    )
    .await
}

async fn change<const N: usize>(
    txn: &WriteTxn,
    sql: &str,
    values: [Value; N],
) -> Result<bool, DbErr> {
    Ok(run(&**txn, sql, values).await?.rows_affected() == 1)
}

/// An issue in the archive's list.
#[derive(Clone, Debug)]
pub(super) struct Archived {
    pub(super) slug: String,
    pub(super) subject: String,
    pub(super) handed: UnixMillis,
}

/// An issue that has begun to go out is in the archive, because its mails link there; one that was stopped before
/// its first mail is not.
const IN_ARCHIVE: &str = "i.state = 3 AND m.started_ms IS NOT NULL";
/// A mail to a sample or a segment is for those readers only, and must not be readable by guessing its address.
const FOR_ALL: &str = "i.sample_poll_id IS NULL AND NOT EXISTS (SELECT 1 FROM issue_segment g WHERE g.issue_id = i.id)";

/// The archive of a newsletter, newest first: `limit` issues after the first `offset`.
pub(super) async fn archive<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    limit: i64,
    offset: i64,
) -> Result<Vec<Archived>, DbErr> {
    let sql = format!(
        "SELECT i.slug, i.subject, i.handed_ms FROM issue i JOIN mailing m ON m.issue_id = i.id
         WHERE i.newsletter_id = $1 AND {IN_ARCHIVE} AND {FOR_ALL} ORDER BY i.handed_ms DESC, i.id DESC LIMIT $2 OFFSET $3"
    );
    fetch_all_as(
        db,
        sql,
        [newsletter.0.into(), limit.into(), offset.into()],
        |row| {
            Ok(Archived {
                slug: row.try_get("", "slug")?,
                subject: row.try_get("", "subject")?,
                handed: UnixMillis(row.try_get("", "handed_ms")?),
            })
        },
    )
    .await
}

/// Whether the archive of a newsletter contains any issue.
pub async fn has_past_issues(app: &App, newsletter: NewsletterId) -> Result<bool, DbErr> {
    Ok(!archive(app.db.read(), newsletter, 1, 0).await?.is_empty())
}

/// An issue in the archive.
pub(super) async fn find_archived<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    slug: &str,
) -> Result<Option<Issue>, DbErr> {
    let sql = format!(
        "SELECT i.id FROM issue i JOIN mailing m ON m.issue_id = i.id
         WHERE i.newsletter_id = $1 AND i.slug = $2 AND {IN_ARCHIVE} AND {FOR_ALL}"
    );
    match fetch_one(db, sql, [newsletter.0.into(), slug.into()]).await? {
        Some(row) => find(db, IssueId(row.try_get_by_index(0)?)).await,
        None => Ok(None),
    }
}
