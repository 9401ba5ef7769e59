//! Sealing: some days after the close, everything that could join a ballot to a reader is destroyed.
//!
//! One transaction deletes the secret, the log, and the ballots with their keys, times, places and networks. What is
//! left is how many ballots say the same (`root::Alike`), and numbers with no time before the close: only the
//! turnout by hour says when readers answered, and it says nothing about answers. Refusals after the sealing are
//! counted by the hour again. The nodes' stripes are added up, and rows with zero (something a voter said and took
//! back) are removed. The record ([`super::record`]) is the same before and after.
//!
//! Then the files are scrubbed ([`Db::scrub`]). That may have to wait for a reader with an older snapshot.
//! `scrubbed_ms` says when it is done; a process that was killed in between starts it again.

use std::time::Duration;

use sea_orm::{
    ColumnTrait as _, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Value,
};

use super::record::{self, days};
use super::root::of_ballots;
use crate::config::crash_point;
use crate::db::entities::poll;
use crate::db::{Backend, Db, WriteTxn, fetch_one, find_value, find_values, run};
use crate::polls::definition;
use crate::polls::insight;
use crate::polls::model::{Phase, Poll, PollState};
use crate::types::{PollId, UnixMillis};

/// The stripe that holds the sum of all nodes' counters.
const ALL_SLOTS: i64 = -2;

/// The tables whose deleted rows could reveal who voted, when, or in which order.
const TABLES: [&str; 14] = [
    "refusal",
    "kept_count",
    "poll_secret",
    "ballot",
    "ballot_link",
    "ballot_log",
    "ballot_removal",
    "tally",
    "ranking_tally",
    "words_tally",
    "words_ruling",
    "poll_source",
    "poll_hour",
    "sealed_ballot",
];

/// The polls whose data is deleted, but not yet from the files.
const UNSCRUBBED: &str = "poll WHERE sealed_ms IS NOT NULL AND scrubbed_ms IS NULL";

/// The result of [`seal_due`].
#[derive(Debug, Default)]
pub struct Sealed {
    /// The polls sealed in this run.
    pub polls: Vec<Poll>,
    /// Polls could not be sealed. Each is logged, and is tried again the next time.
    pub some_failed: bool,
}

/// Seals every poll that was closed `days` ago. A poll that cannot be sealed does not hold up the others. `now` must be
/// the time of a [`SteadyClock`](crate::types::SteadyClock).
///
/// # Errors
/// The database failed to list the polls that are due.
pub async fn seal_due(db: &Db, now: UnixMillis, days: u64) -> Result<Sealed, DbErr> {
    let before = closed_before(now, days);
    // Decided by when the poll was seen closed, not by its closing time, so that a clock that jumps ahead for a
    // moment destroys nothing.
    let sql = "SELECT id FROM poll WHERE closed_ms <= $1 AND sealed_ms IS NULL AND state <> $2 AND unchained = 0 ORDER BY id";
    let values = [before.into(), PollState::Draft.code().into()];
    let due: Vec<PollId> = find_values(db.read(), sql, values).await?;
    let mut done = Sealed::default();
    for id in due {
        match seal(db, now, before, id).await {
            Ok(sealed) => done.polls.extend(sealed),
            Err(error) => {
                tracing::error!(poll = id.0, %error, "a poll could not be sealed");
                done.some_failed = true;
            }
        }
    }
    Ok(done)
}

/// Time for ten ticks and a restart of the server.
const OVERDUE: Duration = Duration::from_secs(600);

/// Time for a restart, after which the clock is not believed for an hour, and for a second one meanwhile.
const OVERDUE_FOR_SEALING: Duration = Duration::from_secs(2 * 60 * 60);

/// Counts the polls whose keys should have been destroyed by now, and those whose keys are still in the files, for
/// `/metrics`: a promise to readers is being broken.
pub async fn measure_overdue(db: &Db, now: UnixMillis, days: u64) -> Result<(), DbErr> {
    let before = closed_before(now - OVERDUE_FOR_SEALING, days);
    let overdue = poll::Entity::find()
        .filter(poll::Column::ClosedMs.lte(before))
        .filter(poll::Column::SealedMs.is_null())
        .filter(poll::Column::State.ne(PollState::Draft.code()))
        .count(db.read())
        .await?;
    metrics::gauge!("canvass_polls_overdue_for_sealing").set(overdue as f64);
    let in_files = poll::Entity::find()
        .filter(poll::Column::SealedMs.lte(now - OVERDUE))
        .filter(poll::Column::ScrubbedMs.is_null())
        .count(db.read())
        .await?;
    metrics::gauge!("canvass_polls_overdue_for_scrubbing").set(in_files as f64);
    Ok(())
}

/// Polls closed at this time or earlier are due.
fn closed_before(now: UnixMillis, days: u64) -> UnixMillis {
    let days = i64::try_from(days).unwrap_or(i64::MAX);
    let day_ms = 24 * 60 * 60 * 1_000;
    UnixMillis(now.0.saturating_sub(days.saturating_mul(day_ms)))
}

/// Seals one poll, if it was closed at `before` or earlier and nobody else has sealed it meanwhile.
async fn seal(
    db: &Db,
    now: UnixMillis,
    before: UnixMillis,
    id: PollId,
) -> Result<Option<Poll>, DbErr> {
    let txn = db.write_txn("seal-poll").await?;
    lock(db, &txn, id).await?;
    let closed =
        "SELECT closed_ms FROM poll WHERE id = $1 AND closed_ms <= $2 AND sealed_ms IS NULL";
    let closed: Option<UnixMillis> = find_value(&*txn, closed, [id.into(), before.into()]).await?;
    let Some(closed) = closed else {
        return Ok(None);
    };
    let poll = definition::by_id_in(&*txn, id).await?;
    let Some(poll) = poll.filter(|poll| matches!(poll.phase(now), Phase::Closed { .. })) else {
        return Ok(None);
    };
    record::renew_after_log(&txn, db.backend(), &poll, now).await?;
    insight::withhold(&txn, db.backend(), &poll).await?;
    keep_numbers(&txn, db.backend(), &poll).await?;
    crash_point("in_seal");
    forget_times(&txn, &poll, closed).await?;
    destroy(&txn, &poll, now).await?;
    crash_point("before_seal_commit");
    txn.commit().await?;
    crash_point("after_seal");
    tracing::info!(
        poll = poll.slug,
        "a poll was sealed: its secret has been destroyed"
    );
    Ok(Some(Poll {
        sealed_at: Some(now),
        ..poll
    }))
}

/// Locks the poll: no answer, removal or record can be committed while the lock is held.
pub(super) async fn lock(db: &Db, txn: &WriteTxn, poll: PollId) -> Result<(), DbErr> {
    if db.backend() == Backend::Postgres {
        let sql = "SELECT 1 FROM poll WHERE id = $1 FOR UPDATE";
        fetch_one(&**txn, sql, [poll.into()]).await?;
    }
    Ok(())
}

/// Keeps the counts without the voters, summed over the nodes.
async fn keep_numbers(txn: &WriteTxn, backend: Backend, poll: &Poll) -> Result<(), DbErr> {
    let kinds = of_ballots(backend);
    let sql = format!(
        "INSERT INTO sealed_ballot (poll_id, choices, tier, set_aside, n) \
         SELECT $2, said, tier, set_aside, n FROM ({kinds}) AS kinds"
    );
    run(&**txn, sql, [poll.id.into(), poll.id.into()]).await?;
    for (table, keys, written) in [
        ("tally", "option_id, tier", ""),
        ("ranking_tally", "question, ranking, tier", ""),
        (
            "words_tally",
            "option_id, words_key, tier",
            ", MIN(written)",
        ),
    ] {
        let column = if written.is_empty() { "" } else { ", written" };
        let sql = format!(
            "INSERT INTO {table} (poll_id, {keys}, slot, n{column}) \
             SELECT poll_id, {keys}, {ALL_SLOTS}, CAST(SUM(n) AS BIGINT){written} FROM {table} WHERE poll_id = $1 \
             GROUP BY poll_id, {keys} HAVING SUM(n) <> 0"
        );
        run(&**txn, sql, [poll.id.into()]).await?;
        only_all_slots(txn, table, poll).await?;
    }
    // An editor's ruling on words that a voter took back would still reveal that somebody wrote them.
    let sql = "DELETE FROM words_ruling WHERE poll_id = $1 AND NOT EXISTS (SELECT 1 FROM words_tally w \
               WHERE w.poll_id = words_ruling.poll_id AND w.option_id = words_ruling.option_id AND w.words_key = words_ruling.words_key)";
    run(&**txn, sql, [poll.id.into()]).await?;
    // Tiers are summed up: the only subscriber in an hour could be the only subscriber in the tally.
    let sql = format!(
        "INSERT INTO poll_hour (poll_id, hour_ms, tier, slot, n) SELECT poll_id, hour_ms, 0, {ALL_SLOTS}, CAST(SUM(n) AS BIGINT) \
         FROM poll_hour WHERE poll_id = $1 GROUP BY poll_id, hour_ms"
    );
    run(&**txn, sql, [poll.id.into()]).await?;
    only_all_slots(txn, "poll_hour", poll).await
}

async fn only_all_slots(txn: &WriteTxn, table: &str, poll: &Poll) -> Result<(), DbErr> {
    let sql = format!("DELETE FROM {table} WHERE poll_id = $1 AND slot <> {ALL_SLOTS}");
    run(&**txn, sql, [poll.id.into()]).await.map(drop)
}

/// Replaces times before the close in all rows about ballots, except for the turnout by hour. Places keep the
/// days that readers are told.
async fn forget_times(txn: &WriteTxn, poll: &Poll, closed: UnixMillis) -> Result<(), DbErr> {
    if let Some((first, last)) = days(txn, poll).await? {
        let sql = format!(
            "INSERT INTO poll_source (poll_id, source, slot, n, first_ms, last_ms) \
             SELECT poll_id, source, {ALL_SLOTS}, CAST(SUM(n) AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT) FROM poll_source \
             WHERE poll_id = $1 GROUP BY poll_id, source"
        );
        let values: [Value; 3] = [poll.id.into(), first.into(), last.into()];
        run(&**txn, sql, values).await?;
        only_all_slots(txn, "poll_source", poll).await?;
    }
    // Some of the refused answers came by a reader's personal link: the time of a refusal would reveal
    // that this reader was there.
    let sql = format!(
        "INSERT INTO refusal (poll_id, reason, hour_ms, slot, n) \
         SELECT poll_id, reason, CAST($2 AS BIGINT), {ALL_SLOTS}, CAST(SUM(n) AS BIGINT) FROM refusal WHERE poll_id = $1 GROUP BY poll_id, reason"
    );
    let values: [Value; 2] = [poll.id.into(), closed.hour().into()];
    run(&**txn, sql, values).await?;
    only_all_slots(txn, "refusal", poll).await?;
    for (table, column) in [
        ("ballot_removal", "at_ms"),
        ("ballot_removal", "undone_ms"),
        ("words_ruling", "ruled_ms"),
        ("poll_burst", "first_ms"),
        ("poll_burst", "last_ms"),
        ("poll_burst", "found_ms"),
        ("poll_burst", "warned_ms"),
        ("poll_burst", "decided_ms"),
    ] {
        let sql = format!("UPDATE {table} SET {column} = $1 WHERE poll_id = $2 AND {column} < $3");
        let values: [Value; 3] = [closed.into(), poll.id.into(), closed.into()];
        run(&**txn, sql, values).await?;
    }
    Ok(())
}

async fn destroy(txn: &WriteTxn, poll: &Poll, now: UnixMillis) -> Result<(), DbErr> {
    for table in ["ballot", "ballot_log", "poll_secret", "kept_count"] {
        let sql = format!("DELETE FROM {table} WHERE poll_id = $1");
        run(&**txn, sql, [poll.id.into()]).await?;
    }
    let sql = "UPDATE poll SET sealed_ms = $1, secret = NULL, updated_ms = $2, revision = revision + 1 WHERE id = $3";
    let values: [Value; 3] = [now.into(), now.into(), poll.id.into()];
    run(&**txn, sql, values).await.map(drop)
}

/// Scrubs the files if anything was destroyed since the last time. Returns whether nothing is left to scrub.
///
/// # Errors
/// A database error; call it again.
pub async fn scrub(db: &Db, now: UnixMillis) -> Result<bool, DbErr> {
    let sql = format!("SELECT id FROM {UNSCRUBBED} ORDER BY id");
    let sealed: Vec<PollId> = find_values(db.read(), &sql, []).await?;
    if sealed.is_empty() {
        return Ok(true);
    }
    if !db.scrub(&TABLES, UNSCRUBBED).await? {
        return Ok(false);
    }
    crash_point("after_scrub");
    // Only the polls that were sealed before the scrubbing began.
    let txn = db.write_txn("scrubbed").await?;
    for id in sealed {
        let sql = "UPDATE poll SET scrubbed_ms = $1 WHERE id = $2";
        run(&*txn, sql, [now.into(), id.into()]).await?;
    }
    txn.commit().await?;
    Ok(true)
}
