//! Who got an issue and who did not.

use sea_orm::{ConnectionTrait, Value};

use crate::{
    db::{self, DbErr},
    types::ReaderId,
};

/// The readers with these addresses, as far as there are any; `keys` are in lower case.
///
/// # Errors
/// What the database said.
pub async fn readers_named<C: ConnectionTrait>(
    db: &C,
    keys: &[String],
) -> Result<Vec<ReaderId>, DbErr> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT id FROM reader WHERE email_key IN {}",
        db::in_list(keys.len(), 0)
    );
    let rows = db::fetch_all(db, sql, keys.iter().map(|key| Value::from(key.as_str()))).await?;
    rows.iter()
        .map(|row| Ok(ReaderId(row.try_get_by_index(0)?)))
        .collect()
}
