//! Storing definitions: creating and editing polls.

use sea_orm::sea_query::{Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, SelectExt as _, UpdateMany, Value,
};

use super::slug;
use super::store;
use super::written::{Definition, QuestionText};
use crate::db::entities::{poll, poll_import, poll_option, poll_question, poll_secret};
use crate::db::{Db, WriteTxn, is_unique_violation, run};
use crate::polls::ballots::moment_of_close;
use crate::polls::linked;
use crate::polls::model::{PollState, Visibility};
use crate::types::{PollId, Random, UnixMillis};

/// The result of storing a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    Yes(PollId),
    /// Another poll has this slug.
    SlugTaken,
    /// The poll is no longer a draft, or somebody else has edited it since `revision`.
    Conflict,
}

/// Creates a poll in `state` from a definition that passed [`Definition::check`].
pub async fn create(
    txn: &WriteTxn,
    random: &Random,
    now: UnixMillis,
    definition: &Definition,
    state: PollState,
) -> Result<Stored, DbErr> {
    if is_stored(&**txn, &definition.slug).await? {
        return Ok(Stored::SlugTaken);
    }
    let row = poll::ActiveModel {
        state: Set(state.code()),
        secret: Set(None),
        revision: Set(0),
        created_ms: Set(now),
        ..defined(txn, now, definition).await?
    };
    match poll::Entity::insert(row).exec(&**txn).await {
        Ok(inserted) => {
            let id = inserted.last_insert_id;
            let secret = poll_secret::ActiveModel {
                poll_id: Set(id),
                secret: Set(random.bytes::<32>().to_vec()),
            };
            poll_secret::Entity::insert(secret)
                .exec_without_returning(&**txn)
                .await?;
            insert_questions(&**txn, id, &definition.questions).await?;
            Ok(Stored::Yes(id))
        }
        Err(error) if is_unique_violation(&error) => Ok(Stored::SlugTaken),
        Err(error) => Err(error),
    }
}

/// The drafts made since then that nobody has changed, a few at most, the newest first.
pub async fn untouched_drafts<C: ConnectionTrait>(
    db: &C,
    since: UnixMillis,
) -> Result<Vec<PollId>, DbErr> {
    let rows = poll::Entity::find()
        .filter(poll::Column::CreatedMs.gte(since))
        .filter(poll::Column::State.eq(PollState::Draft.code()))
        .filter(poll::Column::Revision.eq(0))
        .order_by_desc(poll::Column::Id)
        .limit(5)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Whether a poll has this slug.
async fn is_stored<C: ConnectionTrait>(db: &C, slug: &str) -> Result<bool, DbErr> {
    poll::Entity::find()
        .filter(poll::Column::Slug.eq(slug))
        .exists(db)
        .await
}

/// The columns that a definition describes, as changed at `now`.
async fn defined(
    txn: &WriteTxn,
    now: UnixMillis,
    definition: &Definition,
) -> Result<poll::ActiveModel, DbErr> {
    let (linked, words) = linking(txn, now, definition).await?;
    Ok(poll::ActiveModel {
        slug: Set(definition.slug.clone()),
        title: Set(definition.title.clone()),
        intro: Set(definition.intro.clone()),
        visibility: Set(definition.visibility.code()),
        linked: Set(linked),
        link_text_id: Set(words),
        headline_tier: Set(definition.headline_tier.code()),
        newsletter_id: Set(definition.newsletter),
        opens_ms: Set(definition.opens_at),
        closes_ms: Set(definition.closes_at),
        time_zone: Set(definition.time_zone.clone()),
        updated_ms: Set(now),
        ..Default::default()
    })
}

/// The values of the columns `linked` and `link_text_id`.
async fn linking(
    txn: &WriteTxn,
    now: UnixMillis,
    definition: &Definition,
) -> Result<(i16, Option<i64>), DbErr> {
    match &definition.linking {
        None => Ok((0, None)),
        Some(words) => {
            let version = linked::store::keep_words(txn, words, now).await?;
            Ok((store::LINKED, Some(version)))
        }
    }
}

/// Replaces a draft. A published poll keeps its questions: use [`retime`] and [`set_state`] on it. What
/// `revised_draft` leaves alone is a conflict.
pub async fn replace_draft(
    txn: &WriteTxn,
    now: UnixMillis,
    id: PollId,
    revision: i64,
    definition: &Definition,
) -> Result<Stored, DbErr> {
    let replaced = revised_draft(id, revision)
        .set(defined(txn, now, definition).await?)
        .exec(&**txn)
        .await;
    match replaced {
        Ok(done) if done.rows_affected == 0 => return Ok(Stored::Conflict),
        Ok(_) => {}
        Err(error) if is_unique_violation(&error) => return Ok(Stored::SlugTaken),
        Err(error) => return Err(error),
    }
    poll_option::Entity::delete_many()
        .filter(poll_option::Column::PollId.eq(id))
        .exec(&**txn)
        .await?;
    poll_question::Entity::delete_many()
        .filter(poll_question::Column::PollId.eq(id))
        .exec(&**txn)
        .await?;
    insert_questions(&**txn, id, &definition.questions).await?;
    Ok(Stored::Yes(id))
}

/// A change of a poll, which gets a new revision; the caller adds what changes, and on what condition.
fn revised(id: PollId) -> UpdateMany<poll::Entity> {
    let revision = poll::Column::Revision;
    poll::Entity::update_many()
        .col_expr(revision, Expr::col(revision).add(1))
        .filter(poll::Column::Id.eq(id))
}

/// A change of a draft, which gets a new revision; the caller adds what changes. It changes no row if the poll is no
/// longer a draft, if somebody else has edited it since `revision`, or if an import into it is in progress: the ballots
/// that are in already, and their log, refer to the draft as it is.
pub fn revised_draft(id: PollId, revision: i64) -> UpdateMany<poll::Entity> {
    revised(id)
        .filter(poll::Column::Revision.eq(revision))
        .filter(poll::Column::State.eq(PollState::Draft.code()))
        .filter(not_being_imported())
}

/// No import of the poll is in progress.
fn not_being_imported() -> SimpleExpr {
    let in_progress = poll_import::Entity::find()
        .select_only()
        .column(poll_import::Column::PollId)
        .filter(poll_import::Column::DoneMs.is_null());
    poll::Column::Id.not_in_subquery(in_progress.into_query())
}

/// Publishes, closes or reopens a poll. Returns false if the poll is in another state than `from`; if it is sealed,
/// because then it stays closed; or if its import is still in progress, because a partial result must not be published.
/// `revision` is the one that was looked at; `None`: whatever it is now.
pub async fn set_state(
    txn: &WriteTxn,
    now: UnixMillis,
    id: PollId,
    revision: Option<i64>,
    from: PollState,
    to: PollState,
) -> Result<bool, DbErr> {
    let closed = match to {
        PollState::Closed => Some(moment_of_close(txn, id, now).await?),
        PollState::Draft | PollState::Published => None,
    };
    let done = revised(id)
        .apply_if(revision, |change, revision| {
            change.filter(poll::Column::Revision.eq(revision))
        })
        .set(poll::ActiveModel {
            state: Set(to.code()),
            updated_ms: Set(now),
            closed_ms: Set(closed),
            ..Default::default()
        })
        .filter(poll::Column::State.eq(from.code()))
        .filter(poll::Column::SealedMs.is_null())
        .filter(not_being_imported())
        .exec(&**txn)
        .await?;
    Ok(done.rows_affected == 1)
}

/// The result of changing the times of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retimed {
    Yes,
    /// The poll is sealed, and its close would change.
    Sealed,
    /// Somebody else has changed the poll since the revision.
    Conflict,
}

/// Changes the opening, the close and the visibility of results of a poll in any state. `revision` is the one that the
/// change is based on; `None`: whatever it is now.
pub async fn retime(
    txn: &WriteTxn,
    now: UnixMillis,
    id: PollId,
    revision: Option<i64>,
    opens_at: Option<UnixMillis>,
    closes_at: Option<UnixMillis>,
    visibility: Visibility,
) -> Result<Retimed, DbErr> {
    let sql = "UPDATE poll SET opens_ms = $1, closes_ms = $2, visibility = $3, updated_ms = $4, revision = revision + 1, \
               closed_ms = CASE WHEN state = $8 OR closes_ms IS NOT DISTINCT FROM $5 THEN closed_ms END \
               WHERE id = $6 AND (sealed_ms IS NULL OR closes_ms IS NOT DISTINCT FROM $7) AND revision = COALESCE($9, revision)";
    let values: [Value; 9] = [
        opens_at.into(),
        closes_at.into(),
        visibility.code().into(),
        now.into(),
        closes_at.into(),
        id.into(),
        closes_at.into(),
        PollState::Closed.code().into(),
        revision.into(),
    ];
    if run(&**txn, sql, values).await?.rows_affected() == 1 {
        return Ok(Retimed::Yes);
    }
    let unchanged = poll::Entity::find_by_id(id)
        .apply_if(revision, |found, revision| {
            found.filter(poll::Column::Revision.eq(revision))
        })
        .exists(&**txn)
        .await?;
    Ok(if unchanged {
        Retimed::Sealed
    } else {
        Retimed::Conflict
    })
}

/// Positions start at 1; those of options run through the whole poll.
async fn insert_questions<C: ConnectionTrait>(
    txn: &C,
    id: PollId,
    questions: &[QuestionText],
) -> Result<(), DbErr> {
    let mut key = 0;
    for (position, question) in (1_i64..).zip(questions) {
        let row = poll_question::ActiveModel {
            poll_id: Set(id),
            position: Set(position),
            wording: Set(question.text.clone()),
            kind: Set(question.kind.code()),
            required: Set(i16::from(question.required)),
            min_choices: Set(question.min_choices),
            max_choices: Set(question.max_choices),
            ordering: Set(question.order.code()),
            scale_from: Set(question.scale.as_ref().map(|scale| scale.from)),
            low_label: Set(question
                .scale
                .as_ref()
                .map(|s| s.low.clone())
                .unwrap_or_default()),
            high_label: Set(question
                .scale
                .as_ref()
                .map(|s| s.high.clone())
                .unwrap_or_default()),
            ..Default::default()
        };
        let inserted = poll_question::Entity::insert(row).exec(txn).await?;
        let options = question.rows().map(|(label, role, picture)| {
            key += 1;
            let size = picture.and_then(|picture| picture.size);
            poll_option::ActiveModel {
                poll_id: Set(id),
                question_id: Set(inserted.last_insert_id),
                position: Set(key),
                label: Set(label.to_owned()),
                retired_ms: Set(None),
                role: Set(role.code()),
                picture: Set(picture.map(|picture| picture.path.clone())),
                picture_alt: Set(picture.map(|p| p.alt.clone()).unwrap_or_default()),
                picture_width: Set(size.map(|(width, _)| width)),
                picture_height: Set(size.map(|(_, height)| height)),
                ..Default::default()
            }
        });
        poll_option::Entity::insert_many(options).exec(txn).await?;
    }
    Ok(())
}

/// The most slugs that are tried.
const MOST_NAMES: usize = 1_000;
/// The number of characters kept of a slug before a number is appended.
const STEM: usize = 70;

/// A slug that no poll has: `wanted`, or `wanted` with a number appended. If somebody else takes it before it is
/// stored, storing it is refused. `None`: a thousand polls have such a slug.
pub async fn free_slug(db: &Db, wanted: &str) -> Result<Option<String>, DbErr> {
    let stem: String = wanted.chars().take(STEM).collect();
    let stem = stem.trim_end_matches('-');
    for n in 1..=MOST_NAMES {
        let name = match n {
            1 => wanted.to_owned(),
            n => format!("{stem}-{n}"),
        };
        if !slug::is_taken(&name) && !is_stored(db.read(), &name).await? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
