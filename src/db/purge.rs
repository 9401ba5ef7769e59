//! Deletion of old rows in small transactions, so that nobody waits for all of it: SQLite has only one writer.

use sea_orm::{DbErr, Value};

use super::{Db, find_values, in_list, run};
use crate::types::UnixMillis;

/// The most keys per transaction.
const AT_ONCE: usize = 1_000;

impl Db {
    /// Deletes what is older than `before`, and returns the number of rows. `delete` is a statement with the condition
    /// as its end and `$1` for `before`; `key` is a number by which the rows are taken, all with the same one together.
    /// What is to be deleted is looked for outside of the transactions, whether or not there is an index for it. `name`
    /// is as in [`Db::write_txn`].
    ///
    /// # Errors
    /// A database error; what was deleted before it stays deleted.
    pub async fn purge(
        &self,
        name: &'static str,
        delete: &str,
        key: &str,
        before: UnixMillis,
    ) -> Result<u64, DbErr> {
        let find = delete.replacen("DELETE", &format!("SELECT DISTINCT {key}"), 1);
        let find = format!("{find} AND {key} > $2 ORDER BY {key} LIMIT {AT_ONCE}");
        let (mut after, mut gone) = (i64::MIN, 0);
        loop {
            let values = [before.into(), after.into()];
            let keys: Vec<i64> = find_values(self.read(), &find, values).await?;
            let Some(last) = keys.last() else {
                return Ok(gone);
            };
            after = *last;
            let these = format!("{delete} AND {key} IN {}", in_list(keys.len(), 1));
            let values = std::iter::once(before.into()).chain(keys.into_iter().map(Value::from));
            let txn = self.write_txn(name).await?;
            gone += run(&*txn, these, values).await?.rows_affected();
            txn.commit().await?;
        }
    }
}
