//! Pictures in the database.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _};

use super::{FOLDER, Redrawn};
use crate::db::entities::{picture, poll, poll_option};
use crate::db::{Db, WriteTxn, run};
use crate::polls::definition::revised_draft;
use crate::polls::model::{Picture, Role};
use crate::types::{PollId, UnixMillis};

/// Stores a picture; an identical one is stored once.
pub async fn keep(txn: &WriteTxn, now: UnixMillis, redrawn: &Redrawn) -> Result<(), DbErr> {
    // Storing it again makes it new, so that an unused picture is not purged while an editor is still working with it.
    let renew = OnConflict::column(picture::Column::Name)
        .update_column(picture::Column::CreatedMs)
        .to_owned();
    let row = picture::ActiveModel {
        name: Set(redrawn.name.clone()),
        media_type: Set(redrawn.media_type.to_owned()),
        width: Set(i64::from(redrawn.width)),
        height: Set(i64::from(redrawn.height)),
        body: Set(redrawn.body.clone()),
        created_ms: Set(now),
    };
    picture::Entity::insert(row)
        .on_conflict(renew)
        .exec_without_returning(&**txn)
        .await
        .map(drop)
}

/// The picture with this name.
pub async fn by_name(db: &Db, name: &str) -> Result<Option<picture::Model>, DbErr> {
    picture::Entity::find_by_id(name.to_owned())
        .one(db.read())
        .await
}

/// Puts a picture beside an option of a draft, or removes it. Returns false if the draft must not be changed
/// ([`revised_draft`]).
pub async fn place(
    txn: &WriteTxn,
    now: UnixMillis,
    poll: PollId,
    revision: i64,
    option: i64,
    picture: Option<&Picture>,
) -> Result<bool, DbErr> {
    let revised = revised_draft(poll, revision)
        .set(poll::ActiveModel {
            updated_ms: Set(now),
            ..Default::default()
        })
        .exec(&**txn)
        .await?;
    if revised.rows_affected == 0 {
        return Ok(false);
    }
    let size = picture.and_then(|picture| picture.size);
    let placed = poll_option::Entity::update_many()
        .set(poll_option::ActiveModel {
            picture: Set(picture.map(|picture| picture.path.clone())),
            picture_alt: Set(picture.map(|p| p.alt.clone()).unwrap_or_default()),
            picture_width: Set(size.map(|(width, _)| width)),
            picture_height: Set(size.map(|(_, height)| height)),
            ..Default::default()
        })
        .filter(poll_option::Column::PollId.eq(poll))
        .filter(poll_option::Column::Position.eq(option))
        .filter(poll_option::Column::Role.eq(Role::Plain.code()))
        .exec(&**txn)
        .await?;
    Ok(placed.rows_affected == 1)
}

/// Deletes pictures uploaded before `before` that are not beside any option.
pub async fn purge(db: &Db, before: UnixMillis) -> Result<u64, DbErr> {
    let sql = "DELETE FROM picture AS p WHERE p.created_ms < $1 AND NOT EXISTS \
               (SELECT 1 FROM poll_option AS o WHERE o.picture = $2 || p.name)";
    let txn = db.write_txn("purge-pictures").await?;
    let done = run(&*txn, sql, [before.into(), FOLDER.into()]).await?;
    txn.commit().await?;
    Ok(done.rows_affected())
}
