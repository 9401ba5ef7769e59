//! Pictures in the database.

use sea_orm::{DbErr, EntityTrait, Value};

use super::{FOLDER, Redrawn};
use crate::db::entities::picture;
use crate::db::{Db, WriteTxn, run};
use crate::polls::model::Picture;
use crate::types::{PollId, UnixMillis};

/// Stores a picture; an identical one is stored once.
pub async fn keep(txn: &WriteTxn, now: UnixMillis, redrawn: &Redrawn) -> Result<(), DbErr> {
    // Storing it again makes it new, so that an unused picture is not purged while an editor is still working with it.
    let sql = "INSERT INTO picture (name, media_type, width, height, body, created_ms) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (name) DO UPDATE SET created_ms = excluded.created_ms";
    let values: [Value; 6] = [
        redrawn.name.as_str().into(),
        redrawn.media_type.into(),
        i64::from(redrawn.width).into(),
        i64::from(redrawn.height).into(),
        redrawn.body.clone().into(),
        now.into(),
    ];
    run(&**txn, sql, values).await.map(drop)
}

/// The picture with this name.
pub async fn by_name(db: &Db, name: &str) -> Result<Option<picture::Model>, DbErr> {
    picture::Entity::find_by_id(name.to_owned())
        .one(db.read())
        .await
}

/// Puts a picture beside an option of a draft, or removes it. Returns false if the poll is no longer a draft, or if
/// somebody else has edited it since `revision`.
pub async fn place(
    txn: &WriteTxn,
    now: UnixMillis,
    poll: PollId,
    revision: i64,
    option: i64,
    picture: Option<&Picture>,
) -> Result<bool, DbErr> {
    let sql = "UPDATE poll SET revision = revision + 1, updated_ms = $1 WHERE id = $2 AND revision = $3 AND state = 0";
    let values: [Value; 3] = [now.into(), poll.into(), revision.into()];
    if run(&**txn, sql, values).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let size = picture.and_then(|picture| picture.size);
    let sql = "UPDATE poll_option SET picture = $1, picture_alt = $2, picture_width = $3, picture_height = $4 \
               WHERE poll_id = $5 AND position = $6 AND role = 0";
    let values: [Value; 6] = [
        picture.map(|p| p.path.clone()).into(),
        picture.map(|p| p.alt.clone()).unwrap_or_default().into(),
        size.map(|(width, _)| width).into(),
        size.map(|(_, height)| height).into(),
        poll.into(),
        option.into(),
    ];
    Ok(run(&**txn, sql, values).await?.rows_affected() == 1)
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
