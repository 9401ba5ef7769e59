//! Sets aside what the watch has found, records it, and notifies the editors. Called every few seconds, and by tests.

use std::time::Duration;

use super::store::{self, State};
use super::warn::warn;
use super::watch::Due;
use crate::app::App;
use crate::db::DbErr;
use crate::panics::Broke;
use crate::polls::ballots::VoterKey;
use crate::polls::ballots::removal::{NotRemoved, Selection, hold, matching};
use crate::polls::definition::by_id;
use crate::types::{BurstId, UnixMillis};

/// How often the watch looks: with the smallest group, a single person is found within 60 s.
pub const PAUSE: Duration = Duration::from_secs(3);
/// Ballots per statement: far below the parameter limits of both databases.
const AT_ONCE: usize = 2_000;
/// The reason that readers see until an editor has decided.
const REASON: &str = "Set aside by the program until an editor has looked: these answers look as if one person or one program had sent them.";

/// Sets aside the ballots that are due.
///
/// # Errors
/// A database error; ballots that were not set aside are tried again.
pub async fn tick(app: &App) -> Result<(), DbErr> {
    let watch = &app.polls.watch;
    let _turn = watch.turn().await;
    let now = app.clock.now();
    let mut failed = None;
    look(app, now).await?;
    for (poll, since) in watch.short(now) {
        match store::unseen(&app.db, poll, since).await {
            Ok(unseen) => watch.learn(poll, unseen, now),
            Err(error) => failed = Some(error),
        }
    }
    // Nothing is fresh unless something was learned.
    look(app, now).await?;
    for due in watch.due(now) {
        if let Err(error) = act(app, &due, now).await {
            app.polls.watch.put_back(due);
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn look(app: &App, now: UnixMillis) -> Result<(), DbErr> {
    let watch = app.polls.watch.clone();
    let looking = tokio::task::spawn_blocking(move || watch.look(now));
    looking.await.map_err(|_| DbErr::Custom(Broke.to_string()))
}

async fn act(app: &App, due: &Due, now: UnixMillis) -> Result<(), DbErr> {
    let burst = match due.burst {
        Some(burst) if due.held => return follow(app, due, burst, now).await,
        Some(burst) => burst,
        None if !any_counts(app, due).await? => return Ok(()),
        None => match open(app, due, now).await? {
            Some(burst) if !due.held => burst,
            _ => return Ok(()),
        },
    };
    for voters in due.voters.chunks(AT_ONCE) {
        match aside(app, due, burst, voters, now).await {
            Ok(true) => {}
            // An editor has decided, on this or another node, that this is a crowd.
            Ok(false) => {
                app.polls.watch.excuse(due.poll, burst, now);
                break;
            }
            Err(NotRemoved::Db(error)) => return Err(error),
            // The ballots are already set aside, or the poll is sealed.
            Err(_) => {}
        }
    }
    app.polls.live.touch(std::iter::once(due.poll));
    Ok(())
}

/// Keeps the number of a burst that counts so far current, and follows what an editor decided on another node.
async fn follow(app: &App, due: &Due, burst: BurstId, now: UnixMillis) -> Result<(), DbErr> {
    match store::grow(&app.db, burst, due).await? {
        Some(State::Noticed) | None => {}
        Some(State::Counted) => app.polls.watch.excuse(due.poll, burst, now),
        Some(State::Leaving | State::SetAside | State::Removed) => {
            app.polls.watch.release(due.poll, burst);
        }
    }
    Ok(())
}

/// Sets some of a burst's ballots aside, and records in the same transaction that they belong to the burst. Returns
/// false, and writes nothing, if an editor has decided to count the burst.
async fn aside(
    app: &App,
    due: &Due,
    burst: BurstId,
    voters: &[VoterKey],
    now: UnixMillis,
) -> Result<bool, NotRemoved> {
    let held = hold(&app.db, app.slot, due.poll).await?;
    if store::lock(&app.db, &held.txn, burst).await? == Some(State::Counted) {
        return Ok(false);
    }
    let selection = of_voters(voters);
    let removal = held
        .set_aside(&app.db, now, &selection, REASON, None)
        .await?;
    store::add(&held.txn, burst, removal.number, removal.ballots, due).await?;
    held.commit(&removal).await?;
    metrics::counter!("canvass_poll_set_aside_total").increment(removal.ballots.unsigned_abs());
    Ok(true)
}

fn of_voters(voters: &[VoterKey]) -> Selection {
    Selection {
        voters: Some(voters.to_vec()),
        ..Selection::default()
    }
}

/// Whether any ballot of a new burst counts. Ballots that were set aside before can still be changed by their voters,
/// which is nothing to report.
async fn any_counts(app: &App, due: &Due) -> Result<bool, DbErr> {
    for voters in due.voters.chunks(AT_ONCE) {
        if matching(app.db.read(), due.poll, &of_voters(voters)).await? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Records a new burst. `None`: the poll is gone.
async fn open(app: &App, due: &Due, now: UnixMillis) -> Result<Option<BurstId>, DbErr> {
    let Some(poll) = by_id(&app.db, due.poll).await? else {
        return Ok(None);
    };
    let txn = app.db.write_txn("open-burst").await?;
    let burst = store::open(&txn, &poll, due, now).await?;
    warn(app, &txn, &poll, burst, due, now).await?;
    txn.commit().await?;
    app.polls.watch.stored(due.poll, due.key, burst);
    metrics::counter!("canvass_poll_bursts_total").increment(1);
    tracing::warn!(
        poll = due.poll.0,
        ballots = due.voters.len(),
        held = due.held,
        networks = due.networks,
        signs = ?due.signs,
        "a burst of answers looks as if a single person or program had sent it: see the poll's page"
    );
    Ok(Some(burst))
}
