//! Deletes a draft that is no longer wanted.

use crate::db::{DbErr, WriteTxn, run};
use crate::polls::model::PollState;
use crate::types::PollId;

/// The tables with rows about a draft.
const PARTS: [&str; 4] = ["poll_option", "poll_question", "poll_secret", "kept_count"];

/// Deletes a draft with all its questions; its slug becomes free again. Returns false, and then nothing must be
/// committed, if it is no longer a draft, if somebody has changed it since `revision`, if it holds imported answers, or
/// if a random sample was drawn for it.
///
/// Its pictures stay until they have been unused for a while, as after any edit.
pub async fn delete_draft(txn: &WriteTxn, id: PollId, revision: i64) -> Result<bool, DbErr> {
    // Locks the row before anything else is read, so that publishing or importing answers has to
    // wait for this transaction.
    let sql = "UPDATE poll SET revision = revision + 1 WHERE id = $1 AND revision = $2 AND state = $3 \
               AND NOT EXISTS (SELECT 1 FROM poll_import i WHERE i.poll_id = poll.id) \
               AND NOT EXISTS (SELECT 1 FROM ballot b WHERE b.poll_id = poll.id) \
               AND NOT EXISTS (SELECT 1 FROM poll_sample s WHERE s.poll_id = poll.id OR s.beside_poll_id = poll.id)";
    let draft = PollState::Draft.code();
    let ours = run(&**txn, sql, [id.into(), revision.into(), draft.into()]).await?;
    if ours.rows_affected() == 0 {
        return Ok(false);
    }
    for part in PARTS {
        let sql = format!("DELETE FROM {part} WHERE poll_id = $1");
        run(&**txn, sql, [id.into()]).await?;
    }
    run(&**txn, "DELETE FROM poll WHERE id = $1", [id.into()]).await?;
    Ok(true)
}
