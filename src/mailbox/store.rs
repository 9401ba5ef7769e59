//! The table `captured_mail`.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, FromQueryResult};

use crate::db::entities::captured_mail;
use crate::db::{WriteTxn, find_all};
use crate::types::{CapturedMailId, UnixMillis};

/// A mail as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Listed {
    pub id: CapturedMailId,
    #[sea_orm(from_alias = "envelope_to")]
    pub to: String,
    pub subject: String,
    #[sea_orm(from_alias = "captured_ms")]
    pub at: UnixMillis,
}

/// Up to `most` mails, newest first, whose envelope recipient contains `to` and which are older than `before`.
pub async fn list<C: ConnectionTrait>(
    db: &C,
    to: &str,
    before: Option<CapturedMailId>,
    most: i64,
) -> Result<Vec<Listed>, DbErr> {
    let before = before.unwrap_or(CapturedMailId(i64::MAX));
    let sql = "SELECT id, envelope_to, subject, captured_ms FROM captured_mail \
        WHERE id < $1 AND LOWER(envelope_to) LIKE $2 ESCAPE '!' ORDER BY id DESC LIMIT $3";
    let values = [before.into(), containing(to).into(), most.into()];
    find_all(db, sql, values).await
}

/// A case-insensitive LIKE pattern that finds `text` anywhere.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// One mail.
pub async fn by_id<C: ConnectionTrait>(
    db: &C,
    id: CapturedMailId,
) -> Result<Option<captured_mail::Model>, DbErr> {
    captured_mail::Entity::find_by_id(id).one(db).await
}

/// Deletes all mails.
pub async fn clear(txn: &WriteTxn) -> Result<(), DbErr> {
    let all = captured_mail::Entity::delete_many();
    all.exec(&**txn).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_with_a_meaning_are_searched_for_as_they_stand() {
        assert_eq!(containing("A_b%!"), "%a!_b!%!!%");
        assert_eq!(containing(""), "%%");
    }
}
