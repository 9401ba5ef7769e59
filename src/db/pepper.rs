//! The pepper of keyed hashes: generated once and stored sealed under the secret key. Whether it opens also shows
//! whether the database was created with the configured secret key.

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait as _, DbErr, EntityTrait as _};

use super::entities::setting;
use super::{Db, Role};
use crate::types::{Keys, Purpose, Random};

const NAME: &str = "pepper";

/// Why there is no pepper.
#[derive(Debug, thiserror::Error)]
pub enum PepperError {
    /// The database was created with another secret key.
    #[error(
        "this is not the key the database was made with; set the key that it was made with (or two, separated by a comma, while rotating)"
    )]
    OtherKey,
    /// The database failed.
    #[error("{0}")]
    Db(#[from] DbErr),
}

/// The same keys with the pepper of this database. At its start a server reseals it under the newest key, so that
/// the old key can be removed; a tool does not, because servers that are already running may not know the new key.
///
/// # Errors
/// [`PepperError`].
pub async fn with_pepper(
    keys: Keys,
    db: &Db,
    random: &Random,
    role: Role,
) -> Result<Keys, PepperError> {
    let sealed = match sealed(db).await? {
        Some(sealed) => sealed,
        None => make(&keys, db, random).await?,
    };
    let opened = keys.open(Purpose::Pepper, &sealed).ok();
    let pepper = opened.and_then(|bytes| bytes.try_into().ok());
    let pepper: [u8; 32] = pepper.ok_or(PepperError::OtherKey)?;
    let newest = keys.seal(Purpose::Pepper, &pepper);
    if role == Role::Server && newest != sealed {
        let txn = db.write_txn("pepper").await?;
        row(newest).update(&*txn).await?;
        txn.commit().await?;
    }
    Ok(keys.with_pepper(pepper))
}

async fn sealed(db: &Db) -> Result<Option<String>, DbErr> {
    let row = setting::Entity::find_by_id(NAME).one(db.read()).await?;
    Ok(row.map(|row| row.value))
}

/// Generates and stores the pepper. Two nodes may start at once: the first row wins.
async fn make(keys: &Keys, db: &Db, random: &Random) -> Result<String, DbErr> {
    let txn = db.write_txn("pepper").await?;
    let fresh = keys.seal(Purpose::Pepper, &random.bytes::<32>());
    setting::Entity::insert(row(fresh))
        .on_conflict_do_nothing()
        .exec_without_returning(&*txn)
        .await?;
    txn.commit().await?;
    let missing = || DbErr::RecordNotFound("the pepper was not written".into());
    sealed(db).await?.ok_or_else(missing)
}

fn row(sealed: String) -> setting::ActiveModel {
    setting::ActiveModel {
        name: Set(NAME.to_owned()),
        value: Set(sealed),
    }
}
