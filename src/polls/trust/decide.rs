//! An editor's decisions about a burst.

use super::store::{self, Burst, State};
use super::tick::tick;
use crate::app::App;
use crate::db::DbErr;
use crate::polls::ballots::removal::{NotRemoved, give_back};
use crate::types::{EditorId, PollId};

/// Counts a burst after all. The decision is stored first, so that no node sets more of it aside; then its ballots are
/// given back. If it is repeated after a crash, it completes what was begun.
///
/// # Errors
/// Why the ballots can no longer count, or a database error.
pub async fn count_after_all(
    app: &App,
    poll: PollId,
    burst: &Burst,
    editor: EditorId,
) -> Result<(), NotRemoved> {
    let now = app.clock.now();
    store::decide(&app.db, burst.id, State::Counted, "", editor, now).await?;
    app.polls.watch.excuse(poll, burst.id, now);
    // Reads the burst again: more ballots may have been set aside after the editor opened the page.
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

/// Excludes a burst, for a reason that readers see. If its ballots count so far, they are set aside now if this process
/// knows them, else by the node that does. Returns false if an editor has decided to count the burst.
pub async fn leave_out(
    app: &App,
    poll: PollId,
    burst: &Burst,
    reason: &str,
    editor: EditorId,
) -> Result<bool, DbErr> {
    let now = app.clock.now();
    // In this order, because a burst that counts so far may be set aside in between, but not the other way round.
    if store::decide(&app.db, burst.id, State::Leaving, reason, editor, now).await? {
        if app.polls.watch.release(poll, burst.id) {
            tick(app).await?;
        }
        return Ok(true);
    }
    store::decide(&app.db, burst.id, State::Removed, reason, editor, now).await
}
