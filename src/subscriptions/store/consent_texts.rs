//! The consent texts that readers agreed to, here or elsewhere.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _,
};

use crate::db::entities::consent_text;
use crate::db::{DbErr, WriteTxn, find_value};
use crate::newsletters::ConsentText;
use crate::types::{ConsentTextId, NewsletterId, UnixMillis};

/// Stores the consent text of an import or of a publisher's own form. Its version is −1, −2, …: it is evidence and
/// never shown on our own forms, whose versions count up from 1. An equal text is stored only once.
pub async fn keep(
    txn: &WriteTxn,
    newsletter: NewsletterId,
    body: &str,
    now: UnixMillis,
) -> Result<ConsentText, DbErr> {
    let known = consent_text::Entity::find()
        .filter(consent_text::Column::NewsletterId.eq(newsletter))
        .filter(consent_text::Column::Body.eq(body))
        .order_by_asc(consent_text::Column::Id)
        .one(&**txn)
        .await?;
    if let Some(known) = known {
        return Ok(known.into());
    }
    let lowest: Option<i64> = find_value(
        &**txn,
        "SELECT MIN(version) FROM consent_text WHERE newsletter_id = $1",
        [newsletter.into()],
    )
    .await?
    .flatten();
    let kept = consent_text::ActiveModel {
        id: NotSet,
        newsletter_id: Set(newsletter),
        version: Set(lowest.unwrap_or(0).min(0) - 1),
        body: Set(body.to_owned()),
        created_ms: Set(now),
    };
    Ok(kept.insert(&**txn).await?.into())
}

/// The text with this id.
pub async fn by_id<C: ConnectionTrait>(
    db: &C,
    id: ConsentTextId,
) -> Result<Option<ConsentText>, DbErr> {
    let text = consent_text::Entity::find_by_id(id).one(db).await?;
    Ok(text.map(ConsentText::from))
}

/// One of the versions that the newsletter's own forms have shown.
pub async fn by_version<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    version: i64,
) -> Result<Option<ConsentText>, DbErr> {
    let text = consent_text::Entity::find()
        .filter(consent_text::Column::NewsletterId.eq(newsletter))
        .filter(consent_text::Column::Version.eq(version))
        .filter(consent_text::Column::Version.gt(0))
        .one(db)
        .await?;
    Ok(text.map(ConsentText::from))
}
