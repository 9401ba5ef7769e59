//! Editors' orders about a single mail.

use crate::{
    db::{self, DbErr, WriteTxn},
    types::{OutboxId, UnixMillis},
};

/// What to do with the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A waiting mail: try it now.
    TryNow,
    /// A mail in doubt: send it again, with the same Message-ID.
    Resend,
    /// A mail in doubt: count it as sent.
    Accept,
}

/// Carries out an order, in the caller's transaction; false if the mail is not in that state, or of no use any more. A
/// mail that failed or expired has lost its content and cannot be sent again: it has to be requested again.
pub async fn order(
    txn: &WriteTxn,
    mail: OutboxId,
    order: Order,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let sql = match order {
        Order::TryNow => {
            "UPDATE outbox SET not_before_ms = $2 WHERE id = $1 AND state = 0 AND not_before_ms > $2"
        }
        Order::Resend => {
            "UPDATE outbox SET state = 0, not_before_ms = $2, finished_ms = NULL, fence = fence + 1, lease_until_ms = 0
             WHERE id = $1 AND state = 4 AND expires_ms > $2 AND payload <> ''"
        }
        Order::Accept => {
            "UPDATE outbox SET state = 2, payload = '', finished_ms = $2 WHERE id = $1 AND state = 4"
        }
    };
    let done = db::run(&**txn, sql, [mail.0.into(), now.0.into()]).await?;
    txn.ring();
    Ok(done.rows_affected() == 1)
}

/// Drops every mail that waits, is being sent or is in doubt; each has to be requested again. Returns their number.
pub async fn drop_all(txn: &WriteTxn, why: &str, now: UnixMillis) -> Result<u64, DbErr> {
    let sql = "UPDATE outbox SET state = 5, payload = '', reply = $1, finished_ms = $2, lease_until_ms = 0 WHERE state IN (0, 1, 4)";
    let done = db::run(&**txn, sql, [why.into(), now.0.into()]).await?;
    Ok(done.rows_affected())
}
