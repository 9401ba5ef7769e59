//! What an editor decides about a burst.

use super::store::{self, Burst, State};
use crate::app::App;
use crate::db::DbErr;
use crate::polls::ballots::removal::{NotRemoved, give_back};
use crate::types::{EditorId, PollId};

/// Counts a burst after all. First it is decided, so that no node sets more of it aside; then its ballots are given back. Pressed again after
/// a crash, it ends what it began.
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
    store::decide(&app.db, burst.id, State::Counted, "", editor, now).await?;
    app.polls.watch.excuse(poll, burst.id, now);
    // Read now: some may have been set aside between the look at the page and the decision.
    let bursts = store::of_poll(&app.db, poll).await?;
    let aside = bursts.into_iter().filter(|found| found.id == burst.id);
    for number in aside.flat_map(|found| found.aside) {
        match give_back(&app.db, now, app.slot, poll, number).await {
            Ok(_) | Err(NotRemoved::NotThere) => {}
            Err(refused) => return Err(refused),
        }
    }
    app.polls.live.touch(std::iter::once(poll));
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
