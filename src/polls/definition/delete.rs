//! Taking a draft away that nobody wants any more.

use crate::db::{DbErr, WriteTxn, run};
use crate::types::PollId;

/// What stands beside a draft.
const PARTS: [&str; 4] = ["poll_option", "poll_question", "poll_secret", "kept_count"];

/// Deletes a draft with everything it asks; its name in links is free again. False, and nothing is to be committed: it is no draft any more, somebody
/// changed it since `revision`, it holds answers that were carried over from elsewhere, or a random sample was drawn for it.
///
/// Pictures stay until nothing has shown them for a while, as after any edit.
///
/// # Errors
/// What the database said.
pub async fn delete_draft(txn: &WriteTxn, id: PollId, revision: i64) -> Result<bool, DbErr> {
    // The row is ours before anything else is looked at: whoever publishes it or carries answers over waits for it.
    let sql = "UPDATE poll SET revision = revision + 1 WHERE id = $1 AND revision = $2 AND state = 0 \
               AND NOT EXISTS (SELECT 1 FROM poll_import i WHERE i.poll_id = poll.id) \
               AND NOT EXISTS (SELECT 1 FROM ballot b WHERE b.poll_id = poll.id) \
               AND NOT EXISTS (SELECT 1 FROM poll_sample s WHERE s.poll_id = poll.id OR s.beside_poll_id = poll.id)";
    let ours = run(&**txn, sql, [id.into(), revision.into()]).await?;
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
