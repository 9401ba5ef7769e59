//! So many mails a day through one relay, exactly, over all nodes and restarts.
//!
//! A day is a UTC day. `relay_day` counts what was granted; a node takes a block of grants in one commit under the row's
//! lock and spends it in memory, so that a mail costs no query. What is left of a block goes back when the node stops or has
//! nothing to send. A node that is killed leaves at most a block unused: the count is never exceeded.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{
    app::App,
    config,
    db::{self, DbErr},
    types::UnixMillis,
};

const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// The largest block.
const BLOCK: i64 = 100;
/// Days are forgotten after so many.
const KEPT: i64 = 60;

#[derive(Debug)]
pub(super) struct Quota {
    plan: Plan,
    state: Mutex<State>,
    /// Held by whoever moves grants between memory and the database: what is owed is owned up to once.
    moving: tokio::sync::Mutex<()>,
}

/// How many mails which day.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// 0: no limit.
    per_day: i64,
    warm_up: Option<(i64, f64, f64)>,
}

#[derive(Debug, Default)]
struct State {
    day: i64,
    /// Grants in hand; negative: single mails that went without one.
    left: i64,
    /// Of all nodes, as far as this one knows.
    granted: i64,
    /// Nothing more today.
    spent: bool,
    /// Since the last look of [`Quota::give_back`].
    used: bool,
}

impl Quota {
    pub(super) fn of(relay: &config::Relay) -> Self {
        let warm_up = relay.warm_up.as_ref().and_then(|warm_up| {
            let mails = warm_up.mails as f64;
            Some((warm_up.first_day()?, mails, warm_up.growth))
        });
        Self {
            plan: Plan {
                per_day: i64::try_from(relay.per_day).unwrap_or(i64::MAX),
                warm_up,
            },
            state: Mutex::default(),
            moving: tokio::sync::Mutex::default(),
        }
    }

    /// Whether days have a limit at all.
    pub(super) fn limits(&self) -> bool {
        self.plan.per_day > 0 || self.plan.warm_up.is_some()
    }

    /// Today's limit.
    pub(super) fn cap(&self, now: UnixMillis) -> Option<i64> {
        self.plan.cap(day(now))
    }

    /// Mails handed over today, by all nodes as far as this one knows, and those in the air.
    pub(super) fn used(&self, now: UnixMillis) -> i64 {
        let state = self.lock();
        if state.day == day(now) {
            state.granted - state.left
        } else {
            0
        }
    }

    /// Whether a mail of an issue has to wait for tomorrow, and how long.
    pub(super) fn wait(&self, now: UnixMillis) -> Option<Duration> {
        let state = self.lock();
        let spent = state.spent && state.left <= 0 && state.day == day(now);
        let left = u64::try_from(DAY_MS - now.0.rem_euclid(DAY_MS)).unwrap_or(0);
        spent.then(|| Duration::from_millis(left))
    }

    /// Counts a mail; `false`: [`Quota::refill`] first. A single mail goes in any case: somebody waits for it.
    pub(super) fn take(&self, now: UnixMillis, single: bool) -> bool {
        let mut state = self.lock();
        let fresh = state.day == day(now) && state.left > 0;
        if fresh || single {
            state.left -= 1;
            state.used = true;
        }
        fresh || single
    }

    /// The mail did not go.
    pub(super) fn put_back(&self) {
        self.lock().left += 1;
    }

    /// Takes a block of grants if there is none in hand.
    pub(super) async fn refill(&self, app: &App, relay: &str) -> Result<(), DbErr> {
        let _alone = self.moving.lock().await;
        let today = day(app.clock.now());
        let Some(cap) = self.plan.cap(today) else {
            return Ok(());
        };
        let owed = {
            let mut state = self.lock();
            if state.day != today {
                *state = State {
                    day: today,
                    ..State::default()
                };
            }
            if state.left > 0 || state.spent {
                return Ok(());
            }
            -state.left
        };
        let txn = app.db.write_txn("relay_quota").await?;
        // Reads and locks the row at once, on both databases.
        let row = db::fetch_one(
            &*txn,
            "INSERT INTO relay_day (relay, day, granted) VALUES ($1, $2, 0)
             ON CONFLICT (relay, day) DO UPDATE SET granted = relay_day.granted RETURNING granted",
            [relay.into(), today.into()],
        )
        .await?;
        let granted: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        let block = (cap / 20).clamp(1, BLOCK);
        let more = owed + (cap - granted - owed).clamp(0, block);
        db::run(
            &*txn,
            "UPDATE relay_day SET granted = granted + $3 WHERE relay = $1 AND day = $2",
            [relay.into(), today.into(), more.into()],
        )
        .await?;
        db::run(
            &*txn,
            "DELETE FROM relay_day WHERE relay = $1 AND day < $2",
            [relay.into(), (today - KEPT).into()],
        )
        .await?;
        txn.commit().await?;
        let mut state = self.lock();
        if state.day == today {
            state.left += more;
            state.granted = granted + more;
            state.spent = more == owed;
        }
        Ok(())
    }

    /// Gives back what is in hand, if nothing was used since the last time or this is the `end`; owns up to what was used
    /// without a grant.
    pub(super) async fn give_back(&self, app: &App, relay: &str, end: bool) -> Result<(), DbErr> {
        let _alone = self.moving.lock().await;
        let (day, left) = {
            let mut state = self.lock();
            let busy = std::mem::take(&mut state.used);
            let needed = state.left > 0 && busy && !end;
            if state.left == 0 || state.day == 0 || needed {
                return Ok(());
            }
            state.granted -= state.left;
            (state.day, std::mem::take(&mut state.left))
        };
        let written = async {
            let txn = app.db.write_txn("relay_quota").await?;
            let sql = "UPDATE relay_day SET granted = granted - $3 WHERE relay = $1 AND day = $2";
            db::run(&*txn, sql, [relay.into(), day.into(), left.into()]).await?;
            txn.commit().await
        };
        let written = written.await;
        if written.is_err() {
            let mut state = self.lock();
            if state.day == day {
                state.left += left;
                state.granted += left;
            }
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn cap(self, day: i64) -> Option<i64> {
        let steady = Some(self.per_day).filter(|per_day| *per_day > 0);
        let Some((first, mails, growth)) = self.warm_up else {
            return steady;
        };
        let days = i32::try_from((day - first).clamp(0, 1_000)).unwrap_or(0);
        let warm = (mails * growth.powi(days)).min(1e15) as i64;
        Some(steady.map_or(warm, |steady| steady.min(warm)))
    }
}

fn day(now: UnixMillis) -> i64 {
    now.0.div_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_up_grows_to_the_steady_number() {
        let plan = Plan {
            per_day: 10_000,
            warm_up: Some((100, 1_000.0, 2.0)),
        };
        let caps: Vec<_> = (98..106).map(|day| plan.cap(day).unwrap()).collect();
        assert_eq!(
            caps,
            [1_000, 1_000, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]
        );
        let free = Plan {
            per_day: 0,
            warm_up: None,
        };
        assert_eq!(free.cap(1), None);
    }
}
