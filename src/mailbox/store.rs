//! The table `captured_mail`, which the mailer fills.

use crate::db::{self, Db, DbErr};
use crate::types::UnixMillis;

/// Mails on one page.
pub(super) const PAGE: usize = 50;

/// A line of the list.
pub(super) struct Line {
    pub(super) id: i64,
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) at: UnixMillis,
}

/// The newest mails before that one, one more than a page to see whether there are older ones.
pub(super) async fn newest(db: &Db, before: i64) -> Result<Vec<Line>, DbErr> {
    let rows = db::fetch_all(
        db.read(),
        format!(
            "SELECT id, envelope_to, subject, captured_ms FROM captured_mail WHERE id < $1
             ORDER BY id DESC LIMIT {}",
            PAGE + 1
        ),
        [before.into()],
    )
    .await?;
    let lines = rows.iter().map(|row| {
        Ok(Line {
            id: row.try_get_by_index(0)?,
            to: row.try_get_by_index(1)?,
            subject: row.try_get_by_index(2)?,
            at: UnixMillis(row.try_get_by_index(3)?),
        })
    });
    lines.collect()
}

/// A mail as it was captured, and when.
pub(super) async fn mail(db: &Db, id: i64) -> Result<Option<(Vec<u8>, UnixMillis)>, DbErr> {
    let sql = "SELECT raw, captured_ms FROM captured_mail WHERE id = $1";
    let row = db::fetch_one(db.read(), sql, [id.into()]).await?;
    row.map(|row| {
        Ok((
            row.try_get_by_index(0)?,
            UnixMillis(row.try_get_by_index(1)?),
        ))
    })
    .transpose()
}
