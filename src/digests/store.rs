//! The `issue` table. Every change names the revision that it is based on, so that of two editors, two nodes or two
//! clicks exactly one wins and the other learns of it.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult,
    PaginatorTrait as _, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, UpdateMany, Value,
};

use super::model::{Content, ForSample, Issue, IssueState, Slot};
use crate::app::App;
use crate::db::entities::{issue, issue_segment};
use crate::db::{DbErr, WriteTxn, find_all, find_value, is_unique_violation, run};
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
    let row = issue::ActiveModel {
        newsletter_id: Set(newsletter),
        slug: Set(slug.to_owned()),
        subject: Set(content.subject.clone()),
        preheader: Set(content.preheader.clone()),
        body: Set(content.body.clone()),
        state: Set(IssueState::DRAFT),
        revision: Set(1),
        editor_id: Set(editor),
        created_ms: Set(now),
        updated_ms: Set(now),
        ..<issue::ActiveModel as Default>::default()
    };
    Ok(row.insert(&**txn).await?.id)
}

/// The drafts with exactly this content that the editor has made since then and nobody has changed.
pub(super) async fn untouched<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    content: &Content,
    editor: EditorId,
    since: UnixMillis,
) -> Result<Vec<IssueId>, DbErr> {
    let rows = issue::Entity::find()
        .filter(issue::Column::EditorId.eq(editor))
        .filter(issue::Column::NewsletterId.eq(newsletter))
        .filter(issue::Column::CreatedMs.gte(since))
        .filter(issue::Column::State.eq(IssueState::DRAFT))
        .filter(issue::Column::Revision.eq(1))
        .filter(issue::Column::Subject.eq(content.subject.as_str()))
        .filter(issue::Column::Preheader.eq(content.preheader.as_str()))
        .filter(issue::Column::Body.eq(content.body.as_str()))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Turns a new draft into a mail to a sample. Returns false if there already is such a mail.
pub(super) async fn address_to(txn: &WriteTxn, id: IssueId, to: ForSample) -> Result<bool, DbErr> {
    let change = issue::Entity::update_many()
        .col_expr(issue::Column::SamplePollId, Expr::value(to.poll))
        .col_expr(issue::Column::SampleRound, Expr::value(to.round.code()))
        .filter(issue::Column::Id.eq(id))
        .filter(issue::Column::State.eq(IssueState::DRAFT));
    match is_done(txn, change).await {
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

/// A change to an issue, made only if it is in one of these states.
fn change(id: IssueId, from: &[i16], now: UnixMillis) -> UpdateMany<issue::Entity> {
    changes(from, now).filter(issue::Column::Id.eq(id))
}

/// A change to all issues in these states.
fn changes(from: &[i16], now: UnixMillis) -> UpdateMany<issue::Entity> {
    let next = Expr::col(issue::Column::Revision).add(1);
    issue::Entity::update_many()
        .col_expr(issue::Column::Revision, next)
        .col_expr(issue::Column::UpdatedMs, Expr::value(now))
        .filter(issue::Column::State.is_in(from.iter().copied()))
}

async fn is_done(txn: &WriteTxn, change: UpdateMany<issue::Entity>) -> Result<bool, DbErr> {
    Ok(change.exec(&**txn).await?.rows_affected == 1)
}

/// Replaces a draft's text. Returns false if it is no longer a draft or no longer at that revision.
pub(super) async fn save(
    txn: &WriteTxn,
    id: IssueId,
    revision: i64,
    content: &Content,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let change = change(id, &[IssueState::DRAFT], now)
        .set(issue::ActiveModel {
            subject: Set(content.subject.clone()),
            preheader: Set(content.preheader.clone()),
            body: Set(content.body.clone()),
            ..<issue::ActiveModel as Default>::default()
        })
        .filter(issue::Column::Revision.eq(revision));
    is_done(txn, change).await
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
    let change = change(id, &[IssueState::DRAFT, IssueState::HELD], now)
        .set(issue::ActiveModel {
            state: Set(IssueState::SCHEDULED),
            scheduled_ms: Set(Some(slot.at)),
            scheduled_local: Set(local),
            time_zone: Set(zone),
            held_reason: Set(String::new()),
            ..<issue::ActiveModel as Default>::default()
        })
        .filter(issue::Column::Revision.eq(revision));
    is_done(txn, change).await
}

/// Turns a scheduled or held issue back into a draft.
pub(super) async fn unschedule(
    txn: &WriteTxn,
    id: IssueId,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let change =
        change(id, &[IssueState::SCHEDULED, IssueState::HELD], now).set(issue::ActiveModel {
            state: Set(IssueState::DRAFT),
            scheduled_ms: Set(None),
            scheduled_local: Set(None),
            time_zone: Set(None),
            held_reason: Set(String::new()),
            ..<issue::ActiveModel as Default>::default()
        });
    is_done(txn, change).await
}

/// The columns that hold an issue until a person decides, with the reason.
fn held(reason: &str) -> issue::ActiveModel {
    issue::ActiveModel {
        state: Set(IssueState::HELD),
        held_reason: Set(reason.to_owned()),
        ..<issue::ActiveModel as Default>::default()
    }
}

/// Holds every scheduled issue for a person to decide on. Returns how many.
pub async fn hold_all(txn: &WriteTxn, reason: &str, now: UnixMillis) -> Result<u64, DbErr> {
    let hold = changes(&[IssueState::SCHEDULED], now).set(held(reason));
    Ok(hold.exec(&**txn).await?.rows_affected)
}

/// Holds a due issue for a person to decide on.
pub(super) async fn hold(
    txn: &WriteTxn,
    id: IssueId,
    revision: i64,
    reason: &str,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let change = change(id, &[IssueState::SCHEDULED], now)
        .set(held(reason))
        .filter(issue::Column::Revision.eq(revision));
    is_done(txn, change).await
}

/// Holds a scheduled issue because somebody asked for it, whatever its revision. Returns false if it is not
/// scheduled.
pub(super) async fn hold_back(
    txn: &WriteTxn,
    id: IssueId,
    reason: &str,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    is_done(
        txn,
        change(id, &[IssueState::SCHEDULED], now).set(held(reason)),
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
    let open = [IssueState::DRAFT, IssueState::SCHEDULED, IssueState::HELD];
    let change = change(id, &open, now)
        .set(issue::ActiveModel {
            state: Set(IssueState::HANDED),
            slug: Set(slug.to_owned()),
            handed_ms: Set(Some(now)),
            ..<issue::ActiveModel as Default>::default()
        })
        .filter(issue::Column::Revision.eq(revision));
    is_done(txn, change).await
}

/// Whether another issue of the newsletter already has that name.
pub(super) async fn slug_taken<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    slug: &str,
) -> Result<bool, DbErr> {
    let found = issue::Entity::find()
        .filter(issue::Column::NewsletterId.eq(newsletter))
        .filter(issue::Column::Slug.eq(slug))
        .count(db)
        .await?;
    Ok(found > 0)
}

/// Deletes a draft. Returns false if it is no longer a draft or no longer at that revision.
pub(super) async fn delete(txn: &WriteTxn, id: IssueId, revision: i64) -> Result<bool, DbErr> {
    let draft = Condition::all()
        .add(issue::Column::Id.eq(id))
        .add(issue::Column::Revision.eq(revision))
        .add(issue::Column::State.eq(IssueState::DRAFT));
    let drafts = issue::Entity::find().filter(draft.clone()).select_only();
    let drafts = drafts.column(issue::Column::Id).into_query();
    issue_segment::Entity::delete_many()
        .filter(issue_segment::Column::IssueId.in_subquery(drafts))
        .exec(&**txn)
        .await?;
    let gone = issue::Entity::delete_many().filter(draft);
    Ok(gone.exec(&**txn).await?.rows_affected == 1)
}

/// An issue in the archive's list.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Archived {
    pub(super) slug: String,
    pub(super) subject: String,
    #[sea_orm(from_alias = "handed_ms")]
    pub(super) handed: UnixMillis,
}

/// An issue that has begun to go out is in the archive, because its mails link there; one that was stopped before
/// its first mail is not.
fn in_archive() -> String {
    let handed = IssueState::HANDED;
    format!("i.state = {handed} AND m.started_ms IS NOT NULL")
}

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
         WHERE i.newsletter_id = $1 AND {} AND {FOR_ALL} ORDER BY i.handed_ms DESC, i.id DESC LIMIT $2 OFFSET $3",
        in_archive()
    );
    let values = [newsletter.0.into(), limit.into(), offset.into()];
    find_all(db, sql, values).await
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
         WHERE i.newsletter_id = $1 AND i.slug = $2 AND {} AND {FOR_ALL}",
        in_archive()
    );
    match find_value(db, sql, [newsletter.0.into(), slug.into()]).await? {
        Some(id) => find(db, id).await,
        None => Ok(None),
    }
}
