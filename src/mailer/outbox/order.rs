//! Editors' orders about a single mail.

use super::MailState;
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
    let [waiting, sent, unknown] =
        [MailState::Waiting, MailState::Sent, MailState::Unknown].map(MailState::code);
    let sql = match order {
        Order::TryNow => format!(
            "UPDATE outbox SET not_before_ms = $2 WHERE id = $1 AND state = {waiting} AND not_before_ms > $2"
        ),
        Order::Resend => format!(
            "UPDATE outbox SET state = {waiting}, not_before_ms = $2, finished_ms = NULL, fence = fence + 1, lease_until_ms = 0
             WHERE id = $1 AND state = {unknown} AND expires_ms > $2 AND payload <> ''"
        ),
        Order::Accept => format!(
            "UPDATE outbox SET state = {sent}, payload = '', finished_ms = $2 WHERE id = $1 AND state = {unknown}"
        ),
    };
    let done = db::run(&**txn, sql, [mail.0.into(), now.0.into()]).await?;
    txn.ring();
    Ok(done.rows_affected() == 1)
}

/// Drops every mail that waits, is being sent or is in doubt; each has to be requested again. Returns their number.
pub async fn drop_all(txn: &WriteTxn, why: &str, now: UnixMillis) -> Result<u64, DbErr> {
    let sql = format!(
        "UPDATE outbox SET state = {}, payload = '', reply = $1, finished_ms = $2, lease_until_ms = 0 WHERE {}",
        MailState::Expired.code(),
        MailState::is_one_of(&MailState::OPEN)
    );
    let done = db::run(&**txn, sql, [why.into(), now.0.into()]).await?;
    Ok(done.rows_affected())
}
