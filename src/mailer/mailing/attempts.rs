//! The delivery attempts for a recipient, and the server's replies.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, FromQueryResult, Value};

use super::lease::edition;
use super::states::DeliveryState;
use crate::{
    app::App,
    db::{self, DbErr},
    mailer::mime::message_id,
    types::{IssueId, ReaderId, UnixMillis},
};

/// The server's reply to one attempt that it did not simply accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The outcome.
    pub state: Option<DeliveryState>,
    /// The time of the attempt.
    pub at: UnixMillis,
    /// The reply code; 0 if there was no reply.
    pub code: i16,
    /// Enhanced code (RFC 3463), or empty.
    pub enhanced: String,
    /// The server's text, or a description of what happened instead.
    pub reply: String,
}

/// The Message-ID of one recipient's mail: the same on every attempt.
pub async fn message_id_of(app: &App, issue: IssueId, reader: ReaderId) -> Result<String, DbErr> {
    let edition = edition(app, issue).await?;
    Ok(message_id(&app.keys, issue, reader, edition.domain()))
}

/// Every attempt for these recipients that was not simply accepted, oldest first.
pub async fn attempts<C: ConnectionTrait>(
    db: &C,
    issue: IssueId,
    readers: &[ReaderId],
) -> Result<HashMap<ReaderId, Vec<Attempt>>, DbErr> {
    let mut attempts: HashMap<ReaderId, Vec<Attempt>> = HashMap::new();
    if readers.is_empty() {
        return Ok(attempts);
    }
    let sql = format!(
        "SELECT reader_id, state, at_ms, code, enhanced, reply FROM delivery_attempt
         WHERE issue_id = $1 AND reader_id IN {} ORDER BY reader_id, attempt",
        db::in_list(readers.len(), 1)
    );
    let ids = readers.iter().map(|reader| Value::from(reader.0));
    let values = std::iter::once(Value::from(issue.0)).chain(ids);
    #[derive(FromQueryResult)]
    struct Row {
        reader_id: ReaderId,
        state: i16,
        at_ms: UnixMillis,
        code: i16,
        enhanced: String,
        reply: String,
    }
    for row in db::find_all::<Row>(db, sql, values).await? {
        let attempt = Attempt {
            state: DeliveryState::of(row.state),
            at: row.at_ms,
            code: row.code,
            enhanced: row.enhanced,
            reply: row.reply,
        };
        attempts.entry(row.reader_id).or_default().push(attempt);
    }
    Ok(attempts)
}

/// Deletes the servers' replies about an erased reader, because they often repeat the address. The outcomes of the
/// mails are kept.
pub async fn forget_reader(txn: &db::WriteTxn, reader: ReaderId) -> Result<(), DbErr> {
    let sql = "UPDATE delivery_attempt SET reply = '' WHERE issue_id IN (SELECT issue_id FROM mailing) AND reader_id = $1";
    db::run(&**txn, sql, [reader.0.into()]).await.map(drop)
}
