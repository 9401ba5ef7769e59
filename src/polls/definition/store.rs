//! Reading polls.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    Value,
};

use crate::db::entities::{poll, poll_option, poll_question, poll_secret};
use crate::db::{Db, find_all, in_list};
use crate::polls::linked;
use crate::polls::model::{
    Kind, Order, Picture, Poll, PollOption, PollSecret, PollState, Question, Role, Scale, Tier,
    Visibility,
};
use crate::polls::sample::{self, Sampling};
use crate::types::{PollId, UnixMillis};

/// The value of the column `linked` for a linked poll; 0 for a secret one.
pub(super) const LINKED: i16 = 1;

/// The poll with this slug, drafts included.
pub async fn by_slug(db: &Db, slug: &str) -> Result<Option<Poll>, DbErr> {
    let row = poll::Entity::find()
        .filter(poll::Column::Slug.eq(slug))
        .one(db.read())
        .await?;
    complete(db.read(), row).await
}

/// The poll with this id, drafts included.
pub async fn by_id(db: &Db, id: PollId) -> Result<Option<Poll>, DbErr> {
    by_id_in(db.read(), id).await
}

/// Like [`by_id`], within a transaction that may have created the poll.
pub async fn by_id_in<C: ConnectionTrait>(db: &C, id: PollId) -> Result<Option<Poll>, DbErr> {
    complete(db, poll::Entity::find_by_id(id).one(db).await?).await
}

/// What a poll is called where it is only mentioned.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Headline {
    pub id: PollId,
    pub slug: String,
    /// The first question, like [`Poll::headline`].
    #[sea_orm(from_alias = "headline")]
    pub text: String,
}

/// The most slugs in one query: more than any text of an editor names.
const HEADLINES: usize = 500;

/// What the polls with these slugs are called, drafts included, in no particular order and without those that do not
/// exist. Nothing else of them is read, in particular no secret.
pub async fn headlines(db: &Db, slugs: &[&str]) -> Result<Vec<Headline>, DbErr> {
    let mut headlines = Vec::new();
    for slugs in slugs.chunks(HEADLINES) {
        let sql = format!(
            "SELECT id, slug, {HEADLINE} AS headline FROM poll WHERE slug IN {}",
            in_list(slugs.len(), 0)
        );
        let values = slugs.iter().map(|slug| Value::from(*slug));
        headlines.extend(find_all::<Headline>(db.read(), sql, values).await?);
    }
    Ok(headlines)
}

/// The first question of a poll, or its title if it has none.
const HEADLINE: &str = "COALESCE((SELECT q.wording FROM poll_question q WHERE q.poll_id = poll.id ORDER BY q.position LIMIT 1), title)";

async fn complete<C: ConnectionTrait>(
    db: &C,
    row: Option<poll::Model>,
) -> Result<Option<Poll>, DbErr> {
    let Some(row) = row else { return Ok(None) };
    let questions = poll_question::Entity::find()
        .filter(poll_question::Column::PollId.eq(row.id))
        .order_by_asc(poll_question::Column::Position)
        .all(db)
        .await?;
    let options = poll_option::Entity::find()
        .filter(poll_option::Column::PollId.eq(row.id))
        .order_by_asc(poll_option::Column::Position)
        .all(db)
        .await?;
    let sampling = sample::store::of_poll(db, row.id).await?;
    let linking = match row.link_text_id {
        Some(version) if row.linked == LINKED => linked::store::words(db, version).await?,
        _ => None,
    };
    let secret = poll_secret::Entity::find_by_id(row.id).one(db).await?;
    let secret = PollSecret::new(secret.map(|row| row.secret).unwrap_or_default());
    let poll = assemble(row, secret, questions, &options, sampling);
    Ok(Some(Poll { linking, ..poll }))
}

fn assemble(
    row: poll::Model,
    secret: PollSecret,
    questions: Vec<poll_question::Model>,
    options: &[poll_option::Model],
    sampling: Sampling,
) -> Poll {
    let questions = questions
        .into_iter()
        .map(|question| {
            let options = options
                .iter()
                .filter(|option| option.question_id == question.id);
            Question {
                key: question.position,
                required: question.required != 0,
                kind: Kind::from_code(question.kind),
                min_choices: question.min_choices,
                max_choices: question.max_choices,
                order: Order::from_code(question.ordering),
                options: options.map(option).collect(),
                scale: question.scale_from.map(|from| Scale {
                    from,
                    low: question.low_label,
                    high: question.high_label,
                }),
                text: question.wording,
            }
        })
        .collect();
    Poll {
        id: row.id,
        slug: row.slug,
        title: row.title,
        intro: row.intro,
        state: PollState::from_code(row.state),
        opens_at: row.opens_ms,
        closes_at: row.closes_ms,
        seen_closed: row.closed_ms,
        sealed_at: row.sealed_ms,
        visibility: Visibility::from_code(row.visibility),
        headline_tier: Tier::from_code(row.headline_tier),
        newsletter: row.newsletter_id,
        linking: None,
        time_zone: row.time_zone,
        secret,
        revision: row.revision,
        sampling,
        questions,
    }
}

fn option(row: &poll_option::Model) -> PollOption {
    PollOption {
        id: row.id,
        key: row.position,
        label: row.label.clone(),
        role: Role::from_code(row.role),
        picture: row.picture.clone().map(|path| Picture {
            path,
            alt: row.picture_alt.clone(),
            size: row.picture_width.zip(row.picture_height),
        }),
        retired: row.retired_ms.is_some(),
    }
}

/// A poll in the editors' list.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Summary {
    pub id: PollId,
    pub slug: String,
    pub title: String,
    /// The first question.
    pub question: String,
    /// Whether it asks a random sample.
    pub sample: bool,
    state: i16,
    #[sea_orm(from_alias = "opens_ms")]
    pub opens_at: Option<UnixMillis>,
    #[sea_orm(from_alias = "closes_ms")]
    pub closes_at: Option<UnixMillis>,
    pub time_zone: String,
    #[sea_orm(from_alias = "created_ms")]
    pub created_at: UnixMillis,
    /// Ballots of all tiers.
    pub voters: i64,
}

impl Summary {
    /// An editor's decision about the poll.
    #[must_use]
    pub fn state(&self) -> PollState {
        PollState::from_code(self.state)
    }
}

/// Polls, newest first: `limit` of them after the first `offset`.
pub async fn list(db: &Db, limit: i64, offset: i64) -> Result<Vec<Summary>, DbErr> {
    let sql = format!(
        "SELECT id, slug, title, {HEADLINE} AS question, \
               EXISTS (SELECT 1 FROM poll_sample s WHERE s.poll_id = poll.id) AS sample, state, opens_ms, closes_ms, time_zone, created_ms, CAST(COALESCE((SELECT SUM(n) FROM tally \
               WHERE tally.poll_id = poll.id AND option_id = 0), 0) AS BIGINT) AS voters \
               FROM poll ORDER BY id DESC LIMIT $1 OFFSET $2"
    );
    find_all(db.read(), sql, [limit.into(), offset.into()]).await
}
