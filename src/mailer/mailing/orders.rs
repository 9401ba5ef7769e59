//! The record of orders for a mailing: who, what and when. Shown on the page of the issue, newest first.

use crate::{
    db::{self, DbErr, WriteTxn},
    types::{IssueId, UnixMillis},
};
use sea_orm::{ConnectionTrait, FromQueryResult};

/// Who gives an order, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// The name of an editor or a script, as editors see it.
    pub who: String,
    /// When.
    pub now: UnixMillis,
}

impl By {
    pub(super) fn nobody(now: UnixMillis) -> Self {
        Self {
            who: String::new(),
            now,
        }
    }
}

/// The kind of an order, as stored in its column. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Paused by a person.
    Pause = 1,
    /// Resumed.
    Resume = 2,
    /// Cancelled.
    Cancel = 3,
    /// The failed recipients are sent to again.
    Resend = 4,
    /// The recipients in doubt are sent to again.
    SettleResend = 5,
    /// The recipients in doubt count as sent.
    SettleAccept = 6,
    /// Paused by the mailer itself.
    PausedItself = 7,
}

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The kind.
    pub kind: OrderKind,
    /// Who gave it; empty if nobody did.
    pub who: String,
    /// The number of recipients it concerned; 0 if it concerned all.
    pub recipients: i64,
    /// Details, or empty.
    pub detail: String,
    /// When it was given.
    pub at: UnixMillis,
}

impl OrderKind {
    const ALL: [Self; 7] = [
        Self::Pause,
        Self::Resume,
        Self::Cancel,
        Self::Resend,
        Self::SettleResend,
        Self::SettleAccept,
        Self::PausedItself,
    ];
}

pub(super) async fn record(
    txn: &WriteTxn,
    issue: IssueId,
    kind: OrderKind,
    by: &By,
    recipients: i64,
    detail: &str,
) -> Result<(), DbErr> {
    db::run(
        &**txn,
        "INSERT INTO mailing_order (issue_id, kind, who, recipients, detail, at_ms) VALUES ($1, $2, $3, $4, $5, $6)",
        [
            issue.0.into(),
            (kind as i16).into(),
            by.who.as_str().into(),
            recipients.into(),
            detail.into(),
            by.now.0.into(),
        ],
    )
    .await
    .map(drop)
}

/// The newest orders of an issue, at most `limit`.
pub async fn orders<C: ConnectionTrait>(
    db: &C,
    issue: IssueId,
    limit: i64,
) -> Result<Vec<Order>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        kind: i16,
        who: String,
        recipients: i64,
        detail: String,
        at_ms: UnixMillis,
    }
    let rows: Vec<Row> = db::find_all(
        db,
        "SELECT kind, who, recipients, detail, at_ms FROM mailing_order WHERE issue_id = $1 ORDER BY id DESC LIMIT $2",
        [issue.0.into(), limit.into()],
    )
    .await?;
    // A kind that a newer version wrote is not shown.
    let known = |code| OrderKind::ALL.into_iter().find(|kind| *kind as i16 == code);
    let order = |row: Row| {
        Some(Order {
            kind: known(row.kind)?,
            who: row.who,
            recipients: row.recipients,
            detail: row.detail,
            at: row.at_ms,
        })
    };
    Ok(rows.into_iter().filter_map(order).collect())
}
