//! The daily limit of a relay, exact over all nodes and restarts.
//!
//! A day is a UTC day. `relay_day` counts the mails that were granted. A node takes a block of grants in one commit
//! under the row's lock and spends it in memory, so that a mail costs no query. The rest of a block is given back when
//! the node stops or has nothing to send. A node that is killed wastes at most one block; bulk mail never exceeds the
//! limit.

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
/// For how many days the rows are kept.
const KEPT: i64 = 60;

#[derive(Debug)]
pub(super) struct Quota {
    plan: Plan,
    state: Mutex<State>,
    /// Held while grants move between memory and the database, so that mails sent without a grant are accounted for
    /// once.
    moving: tokio::sync::Mutex<()>,
}

/// The limit of each day.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// 0: no limit.
    per_day: i64,
    warm_up: Option<(i64, f64, f64)>,
}

#[derive(Debug, Default)]
struct State {
    day: i64,
    /// Unspent grants; negative: single mails that were sent without one.
    left: i64,
    /// Grants of all nodes, as far as this one knows.
    granted: i64,
    /// There are no more grants today.
    spent: bool,
    /// Whether any grant was used since the last call of [`Quota::give_back`].
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

    /// Whether there is a daily limit.
    pub(super) fn limits(&self) -> bool {
        self.plan.per_day > 0 || self.plan.warm_up.is_some()
    }

    /// Today's limit.
    pub(super) fn cap(&self, now: UnixMillis) -> Option<i64> {
        self.plan.cap(day(now))
    }

    /// Mails handed over today by all nodes, as far as this one knows, including those in flight.
    pub(super) fn used(&self, now: UnixMillis) -> i64 {
        let state = self.lock();
        if state.day == day(now) {
            state.granted - state.left
        } else {
            0
        }
    }

    /// How long until tomorrow, if a mail of an issue has to wait for that.
    pub(super) fn wait(&self, now: UnixMillis) -> Option<Duration> {
        let state = self.lock();
        let spent = state.spent && state.left <= 0 && state.day == day(now);
        let left = u64::try_from(DAY_MS - now.0.rem_euclid(DAY_MS)).unwrap_or(0);
        spent.then(|| Duration::from_millis(left))
    }

    /// Counts a mail; `false`: call [`Quota::refill`] first. A single mail may always be sent, because somebody waits
    /// for it.
    pub(super) fn take(&self, now: UnixMillis, single: bool) -> bool {
        let mut state = self.lock();
        let fresh = state.day == day(now) && state.left > 0;
        if fresh || single {
            state.left -= 1;
            state.used = true;
        }
        fresh || single
    }

    /// Uncounts a mail that was not sent.
    pub(super) fn put_back(&self) {
        self.lock().left += 1;
    }

    /// Takes a block of grants if there are none left.
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

    /// Gives back the unspent grants, if none was used since the last call or this is the `end`. Accounts for mails
    /// that were sent without a grant.
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
