//! Takes back an intent if the relay certainly did not accept the message and the mail is not to blame.
//!
//! The ledger returns to what it said before the intent: nothing, or that the recipient is deferred after an earlier
//! attempt. So the next lane to hold the batch sends to this recipient, with the right number of attempts. The counters
//! do not change, because an intent does not change them.

use super::super::states::DeliveryState;
use super::{Answer, Entry};
use crate::{
    db::{self, DbErr, WriteTxn},
    types::{ReaderId, UnixMillis},
};

/// The recipient of the intent, and the ledger's entry before it.
#[derive(Clone, Copy, Debug)]
pub(in crate::mailer::mailing) struct TakenBack {
    pub(in crate::mailer::mailing) reader: ReaderId,
    pub(in crate::mailer::mailing) before: Option<Deferred>,
}

/// How an earlier attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mailer::mailing) struct Deferred {
    pub(in crate::mailer::mailing) attempt: i64,
    pub(in crate::mailer::mailing) reason: i16,
    pub(in crate::mailer::mailing) code: i16,
}

/// Takes back the intents of the entries whose lanes hold their batches. The same statements serve both databases,
/// since this is rare.
pub(super) async fn write(
    txn: &WriteTxn,
    entries: &[Entry],
    answers: &[Answer],
    now: UnixMillis,
) -> Result<(), DbErr> {
    for (entry, _) in entries
        .iter()
        .zip(answers)
        .filter(|(_, answer)| **answer != Answer::Stale)
    {
        let Some(back) = entry.back else {
            continue;
        };
        let intent = [
            entry.issue.0.into(),
            back.reader.0.into(),
            DeliveryState::Intent.code().into(),
            entry.fence.into(),
        ];
        match back.before {
            None => {
                let sql = "DELETE FROM delivery WHERE issue_id = $1 AND reader_id = $2 AND state = $3 AND fence = $4";
                db::run(&**txn, sql, intent).await?;
            }
            Some(before) => {
                let sql = "UPDATE delivery SET state = $5, reason = $6, attempt = $7, code = $8, at_ms = $9
                           WHERE issue_id = $1 AND reader_id = $2 AND state = $3 AND fence = $4";
                let values = intent.into_iter().chain([
                    DeliveryState::Deferred.code().into(),
                    before.reason.into(),
                    before.attempt.into(),
                    before.code.into(),
                    now.0.into(),
                ]);
                db::run(&**txn, sql, values).await?;
            }
        }
    }
    Ok(())
}
