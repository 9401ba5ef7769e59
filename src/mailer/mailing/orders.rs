//! The record of orders for a mailing: who, what and when. Shown on the page of the issue, newest first.

use crate::{
    db::{DbErr, WriteTxn, entities::mailing_order},
    types::{IssueId, UnixMillis},
};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

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
    let row = mailing_order::ActiveModel {
        id: NotSet,
        issue_id: Set(issue),
        kind: Set(kind as i16),
        who: Set(by.who.clone()),
        recipients: Set(recipients),
        detail: Set(detail.to_owned()),
        at_ms: Set(by.now),
    };
    row.insert(&**txn).await.map(drop)
}

/// The newest orders of an issue, at most `limit`.
pub async fn orders<C: ConnectionTrait>(
    db: &C,
    issue: IssueId,
    limit: u64,
) -> Result<Vec<Order>, DbErr> {
    let rows = mailing_order::Entity::find()
        .filter(mailing_order::Column::IssueId.eq(issue))
        .order_by_desc(mailing_order::Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    // A kind that a newer version wrote is not shown.
    let known = |code| OrderKind::ALL.into_iter().find(|kind| *kind as i16 == code);
    let order = |row: mailing_order::Model| {
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

/// Who decided at that time that recipients in doubt count as sent: their rows in the ledger carry the order's time.
pub async fn accepted_by<C: ConnectionTrait>(
    db: &C,
    issue: IssueId,
    at: UnixMillis,
) -> Result<Option<String>, DbErr> {
    let row = mailing_order::Entity::find()
        .filter(mailing_order::Column::IssueId.eq(issue))
        .filter(mailing_order::Column::Kind.eq(OrderKind::SettleAccept as i16))
        .filter(mailing_order::Column::AtMs.eq(at))
        .one(db)
        .await?;
    Ok(row.map(|row| row.who))
}
