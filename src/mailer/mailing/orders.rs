//! What people ordered of a mailing: who, what and when. Shown on the page of the issue, newest first.

use crate::{
    db::{self, DbErr, WriteTxn},
    types::{IssueId, UnixMillis},
};
use sea_orm::ConnectionTrait;

/// Who orders something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// An editor's or a script's name, as it is shown to editors.
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

/// What was ordered, as it lies in its column. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Stopped by a person.
    Pause = 1,
    /// Went on.
    Resume = 2,
    /// Stopped for good.
    Cancel = 3,
    /// Those that failed are sent to again.
    Resend = 4,
    /// Those in doubt are sent to again.
    SettleResend = 5,
    /// Those in doubt are taken as handed over.
    SettleAccept = 6,
    /// Stopped by itself.
    PausedItself = 7,
}

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub kind: OrderKind,
    /// Who; empty where nobody asked.
    pub who: String,
    /// How many recipients it concerned; 0 where it concerned all.
    pub recipients: i64,
    /// More about it, or empty.
    pub detail: String,
    /// When.
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
    let rows = db::fetch_all(
        db,
        "SELECT kind, who, recipients, detail, at_ms FROM mailing_order WHERE issue_id = $1 ORDER BY id DESC LIMIT $2",
        [issue.0.into(), limit.into()],
    )
    .await?;
    let mut orders = Vec::with_capacity(rows.len());
    for row in &rows {
        let code: i16 = row.try_get_by_index(0)?;
        // A newer version's kind is not shown by an older one.
        let Some(kind) = OrderKind::ALL.into_iter().find(|kind| *kind as i16 == code) else {
            continue;
        };
        orders.push(Order {
            kind,
            who: row.try_get_by_index(1)?,
            recipients: row.try_get_by_index(2)?,
            detail: row.try_get_by_index(3)?,
            at: UnixMillis(row.try_get_by_index(4)?),
        });
    }
    Ok(orders)
}
