//! The table `bounce`, and queries in the ledger about a reader's last mails.

use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, TryInsertResult,
};

use super::read::Kind;
use crate::db::entities::bounce;
use crate::db::{Backend, DbErr, WriteTxn, fetch_one, find_value};
use crate::mailer::mailing::DeliveryState;
use crate::types::{IssueId, NewsletterId, ReaderId, UnixMillis};

/// Locks a reader's row until the commit, so that if two reports arrive at once, the second counts the first. On SQLite
/// there is only one writer anyway.
pub(super) async fn hold(txn: &WriteTxn, backend: Backend, reader: ReaderId) -> Result<(), DbErr> {
    if backend == Backend::Postgres {
        let sql = "SELECT 1 FROM reader WHERE id = $1 FOR UPDATE";
        fetch_one(&**txn, sql, [reader.0.into()]).await?;
    }
    Ok(())
}

/// Records a report about a mail; `false` if the same was recorded before.
pub(super) async fn note(
    txn: &WriteTxn,
    issue: IssueId,
    reader: ReaderId,
    kind: Kind,
    status: &str,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let row = bounce::ActiveModel {
        reader_id: Set(reader.0),
        issue_id: Set(issue.0),
        kind: Set(kind as i16),
        status: Set(status.to_owned()),
        at_ms: Set(now),
    };
    let noted = bounce::Entity::insert(row)
        .on_conflict_do_nothing()
        .exec_without_returning(&**txn)
        .await?;
    Ok(matches!(noted, TryInsertResult::Inserted(1..)))
}

/// How many issues have bounced like this for a reader since that time.
pub(super) async fn issues(
    txn: &WriteTxn,
    reader: ReaderId,
    kind: Kind,
    since: UnixMillis,
) -> Result<u64, DbErr> {
    bounce::Entity::find()
        .filter(bounce::Column::ReaderId.eq(reader.0))
        .filter(bounce::Column::Kind.eq(kind as i16))
        .filter(bounce::Column::AtMs.gte(since))
        .count(&**txn)
        .await
}

/// When the last mail before `until` was sent to the reader that did not bounce; the beginning of time if there is
/// none.
pub(super) async fn last_arrival(
    txn: &WriteTxn,
    reader: ReaderId,
    until: UnixMillis,
) -> Result<UnixMillis, DbErr> {
    let sql = format!(
        "SELECT COALESCE(MAX(d.at_ms), 0) FROM issue i JOIN delivery d ON d.issue_id = i.id AND d.reader_id = $1
         WHERE d.state = {} AND d.at_ms < $2
           AND NOT EXISTS (SELECT 1 FROM bounce b WHERE b.reader_id = d.reader_id AND b.issue_id = d.issue_id)",
        DeliveryState::Sent.code()
    );
    let last = find_value(&**txn, sql, [reader.0.into(), until.0.into()]).await?;
    Ok(last.unwrap_or(UnixMillis(0)))
}

/// Deletes reports from before that time, and returns the number of rows.
pub(super) async fn forget(txn: &WriteTxn, before: UnixMillis) -> Result<u64, DbErr> {
    let gone = bounce::Entity::delete_many()
        .filter(bounce::Column::AtMs.lt(before))
        .exec(&**txn)
        .await?;
    Ok(gone.rows_affected)
}

/// The newsletter of an issue.
pub(super) async fn newsletter(
    txn: &WriteTxn,
    issue: IssueId,
) -> Result<Option<NewsletterId>, DbErr> {
    let sql = "SELECT newsletter_id FROM issue WHERE id = $1";
    find_value(&**txn, sql, [issue.0.into()]).await
}
