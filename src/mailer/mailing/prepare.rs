//! Freezing an audience: one snapshot in, packed batches out, one commit.

use futures::TryStreamExt as _;
use sea_orm::StreamTrait as _;

use super::readers::{batch_size, packed};
use super::states::MailingState;
use crate::{
    app::App,
    db::{self, DbErr},
    types::{IssueId, NewsletterId, ReaderId, UnixMillis},
};

/// Rows of one insert: 64 × 6 parameters.
const ROWS: usize = 64;

/// Freezes the audience of every mailing that waits for it.
pub(super) async fn prepare_due(app: &App) -> Result<bool, DbErr> {
    let due = db::fetch_all(
        app.db.read(),
        "SELECT issue_id, newsletter_id, frozen_ms, not_before_ms FROM mailing WHERE state = 0 ORDER BY issue_id",
        [],
    )
    .await?;
    for row in &due {
        let issue = IssueId(row.try_get_by_index(0)?);
        let newsletter = NewsletterId(row.try_get_by_index(1)?);
        let frozen = UnixMillis(row.try_get_by_index(2)?);
        prepare(app, issue, newsletter, frozen, row.try_get_by_index(3)?).await?;
    }
    Ok(!due.is_empty())
}

/// A crash before the commit leaves nothing behind; of two nodes that prepare the same issue, the first commit stands.
async fn prepare(
    app: &App,
    issue: IssueId,
    newsletter: NewsletterId,
    frozen: UnixMillis,
    not_before: i64,
) -> Result<(), DbErr> {
    let readers = snapshot(app, newsletter, frozen).await?;
    let lanes = usize::try_from(app.config.mail.connections).unwrap_or(1);
    let batches: Vec<&[ReaderId]> = readers.chunks(batch_size(readers.len(), lanes)).collect();
    let audience = i64::try_from(readers.len()).unwrap_or(i64::MAX);

    let txn = app.db.write_txn("mailing_prepare").await?;
    let mine = db::run(
        &*txn,
        "UPDATE mailing SET state = $2, audience = $3 WHERE issue_id = $1 AND state = 0",
        [
            issue.0.into(),
            MailingState::Sending.code().into(),
            audience.into(),
        ],
    )
    .await?;
    if mine.rows_affected() == 0 {
        return Ok(());
    }
    for group in batches.chunks(ROWS) {
        let mut values = Vec::with_capacity(group.len() * 6);
        for batch in group {
            let ends = |reader: Option<&ReaderId>| reader.map_or(0, |r| r.0);
            values.push(issue.0.into());
            values.push(ends(batch.first()).into());
            values.push(ends(batch.last()).into());
            values.push(packed(batch).into());
            values.push(0i16.into());
            values.push(not_before.into());
        }
        let rows = db::values_list(group.len(), 6, 0);
        let sql = format!(
            "INSERT INTO mail_batch (issue_id, lo, hi, readers, state, not_before_ms) VALUES {rows}"
        );
        db::run(&*txn, sql, values).await?;
    }
    txn.commit().await?;
    tracing::info!(issue = issue.0, audience, "an audience is frozen");
    app.mailer.nudge();
    Ok(())
}

/// Everybody who is subscribed now and was at the cut-off, in order of their ids, from one statement.
async fn snapshot(
    app: &App,
    newsletter: NewsletterId,
    frozen: UnixMillis,
) -> Result<Vec<ReaderId>, DbErr> {
    let db = app.db.read();
    let statement = db::query(
        db,
        "SELECT reader_id FROM subscription WHERE newsletter_id = $1 AND state = 1 AND confirmed_ms <= $2
         ORDER BY reader_id",
        [newsletter.0.into(), frozen.0.into()],
    );
    let mut rows = db.stream_raw(statement).await?;
    let mut readers = Vec::new();
    while let Some(row) = rows.try_next().await? {
        readers.push(ReaderId(row.try_get_by_index(0)?));
    }
    Ok(readers)
}
