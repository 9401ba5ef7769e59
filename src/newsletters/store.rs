//! The tables `newsletter` and `consent_text`.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect as _,
};

use super::model::{ConsentText, DEFAULT_ACCENT, Draft, Newsletter, Typed};
use crate::db::entities::{consent_text, newsletter};
use crate::db::{WriteTxn, is_unique_violation};
use crate::scheduler::Zone;
use crate::types::{NewsletterId, UnixMillis};

/// The result of creating a newsletter.
#[derive(Debug)]
pub enum Created {
    /// It was created, with version 1 of its consent text.
    New(Box<Newsletter>),
    /// Another newsletter has the slug.
    SlugTaken,
}

/// The newsletter with this slug.
pub async fn by_slug<C: ConnectionTrait>(db: &C, slug: &str) -> Result<Option<Newsletter>, DbErr> {
    let row = newsletter::Entity::find()
        .filter(newsletter::Column::Slug.eq(slug))
        .one(db)
        .await?;
    Ok(row.map(Newsletter::from))
}

/// The newsletter with this id.
pub async fn by_id<C: ConnectionTrait>(
    db: &C,
    id: NewsletterId,
) -> Result<Option<Newsletter>, DbErr> {
    let row = newsletter::Entity::find_by_id(id).one(db).await?;
    Ok(row.map(Newsletter::from))
}

/// All newsletters, by name.
pub async fn all<C: ConnectionTrait>(db: &C) -> Result<Vec<Newsletter>, DbErr> {
    let rows = newsletter::Entity::find()
        .order_by_asc(newsletter::Column::Name)
        .order_by_asc(newsletter::Column::Id)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(Newsletter::from).collect())
}

/// The time zone for times that belong to no newsletter: that of the oldest newsletter.
pub async fn home_zone<C: ConnectionTrait>(db: &C) -> Result<Zone, DbErr> {
    let row = newsletter::Entity::find()
        .order_by_asc(newsletter::Column::Id)
        .one(db)
        .await?;
    Ok(row
        .and_then(|row| Zone::parse(&row.time_zone).ok())
        .unwrap_or_else(Zone::utc))
}

/// The consent text that readers of this newsletter see now.
pub async fn current_consent<C: ConnectionTrait>(
    db: &C,
    id: NewsletterId,
) -> Result<Option<ConsentText>, DbErr> {
    let row = consent_text::Entity::find()
        .filter(consent_text::Column::NewsletterId.eq(id))
        .order_by_desc(consent_text::Column::Version)
        .one(db)
        .await?;
    Ok(row.map(ConsentText::from))
}

/// Every version of the consent text, newest first, with the time when it was written.
pub async fn consent_versions<C: ConnectionTrait>(
    db: &C,
    id: NewsletterId,
) -> Result<Vec<(ConsentText, UnixMillis)>, DbErr> {
    let rows = consent_text::Entity::find()
        .filter(consent_text::Column::NewsletterId.eq(id))
        .order_by_desc(consent_text::Column::Version)
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let at = row.created_ms;
            (ConsentText::from(row), at)
        })
        .collect())
}

/// Stores a new newsletter with version 1 of its consent text.
///
/// # Errors
/// On a database error. After [`Created::SlugTaken`], drop the transaction: on PostgreSQL it cannot be used any more.
pub async fn create(txn: &WriteTxn, draft: &Draft, now: UnixMillis) -> Result<Created, DbErr> {
    let mut row = columns(draft);
    row.slug = Set(draft.slug.as_str().to_owned());
    row.created_ms = Set(now);
    let row = match row.insert(&**txn).await {
        Ok(row) => row,
        Err(error) if is_unique_violation(&error) => return Ok(Created::SlugTaken),
        Err(error) => return Err(error),
    };
    write_consent(txn, row.id, 1, &draft.consent, now).await?;
    Ok(Created::New(Box::new(row.into())))
}

/// Changes a newsletter, except its slug. A changed consent text becomes the next version. Returns false if it is not
/// at this [revision](Typed::revision) and not as the draft already; then drop the transaction.
pub async fn save(
    txn: &WriteTxn,
    id: NewsletterId,
    revision: &str,
    draft: &Draft,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let before = revision_of(txn, id).await?;
    let mut row = columns(draft);
    row.id = Set(id);
    row.update(&**txn).await?;
    let current = current_consent(&**txn, id).await?;
    if current.as_ref().map(|text| text.body.as_str()) != Some(draft.consent.as_str()) {
        let version = current.map_or(1, |text| text.version + 1);
        write_consent(txn, id, version, &draft.consent, now).await?;
    }
    Ok(before.as_deref() == Some(revision) || before == revision_of(txn, id).await?)
}

/// The revision of what is stored. On PostgreSQL nobody else can change it until `txn` ends.
async fn revision_of(txn: &WriteTxn, id: NewsletterId) -> Result<Option<String>, DbErr> {
    let row = newsletter::Entity::find_by_id(id)
        .lock_exclusive()
        .one(&**txn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let consent = current_consent(&**txn, id).await?;
    Ok(Some(Typed::of(&row.into(), consent).revision()))
}

async fn write_consent(
    txn: &WriteTxn,
    newsletter: NewsletterId,
    version: i64,
    body: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let row = consent_text::ActiveModel {
        id: NotSet,
        newsletter_id: Set(newsletter),
        version: Set(version),
        body: Set(body.to_owned()),
        created_ms: Set(now),
    };
    row.insert(&**txn).await.map(drop)
}

/// Everything an editor can change.
fn columns(draft: &Draft) -> newsletter::ActiveModel {
    newsletter::ActiveModel {
        name: Set(draft.name.clone()),
        description: Set(draft.description.clone()),
        from_name: Set(draft.from_name.clone()),
        from_address: Set(draft.from_address.as_str().to_owned()),
        reply_to: Set(draft.reply_to.as_ref().map(|a| a.as_str().to_owned())),
        postal_address: Set(draft.postal_address.clone()),
        time_zone: Set(draft.time_zone.name().to_owned()),
        language: Set(draft.language.clone()),
        accent: Set(draft.accent.to_string()),
        archive: Set(i16::from(draft.archive)),
        ..<newsletter::ActiveModel as Default>::default()
    }
}

impl From<newsletter::Model> for Newsletter {
    fn from(row: newsletter::Model) -> Self {
        let accent = if row.accent.is_empty() {
            DEFAULT_ACCENT.to_owned()
        } else {
            row.accent
        };
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            description: row.description,
            from_name: row.from_name,
            from_address: row.from_address,
            reply_to: row.reply_to,
            postal_address: row.postal_address,
            time_zone: row.time_zone,
            language: row.language,
            accent,
            archive: row.archive != 0,
        }
    }
}

impl From<consent_text::Model> for ConsentText {
    fn from(row: consent_text::Model) -> Self {
        Self {
            id: row.id,
            version: row.version,
            body: row.body,
        }
    }
}
