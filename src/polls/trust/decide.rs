//! What an editor decides about a burst.

use super::store::{self, Burst, State};
use crate::app::App;
use crate::db::DbErr;
use crate::polls::ballots::removal::{NotRemoved, give_back};
use crate::types::{EditorId, PollId};

/// Counts a burst after all. Pressed again after a crash, it ends what it began.
///
/// # Errors
/// Why the ballots cannot count any more; what the database said.
pub async fn count_after_all(
    app: &App,
    poll: PollId,
    burst: &Burst,
    editor: EditorId,
) -> Result<(), NotRemoved> {
    let now = app.clock.now();
    // First what changes the count: a burst that is said to count has none of its ballots set aside.
    for number in &burst.removals {
        match give_back(&app.db, now, app.slot, poll, *number).await {
            Ok(_) | Err(NotRemoved::NotThere) => {}
            Err(refused) => return Err(refused),
        }
    }
    app.polls.watch.excuse(poll, burst.id, now);
    app.polls.live.touch(std::iter::once(poll));
    store::decide(&app.db, burst.id, State::Counted, "", editor, now).await?;
    Ok(())
}

/// Leaves a burst out, for a reason that readers see. False: it counts again.
///
/// # Errors
/// What the database said.
pub async fn leave_out(
    app: &App,
    burst: &Burst,
    reason: &str,
    editor: EditorId,
) -> Result<bool, DbErr> {
    let now = app.clock.now();
    store::decide(&app.db, burst.id, State::Removed, reason, editor, now).await
}
