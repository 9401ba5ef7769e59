//! Rate limits: a number of requests a minute for each network, account or token, with a burst of the same size.

use std::num::NonZeroU32;
use std::ops::Add;
use std::time::Duration;

use governor::clock::{Clock as LimitClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Problem;
use super::viewers::Viewers;
use crate::config;
use crate::db::Sparing;
use crate::types::Clock;

/// The limits of the installation.
#[derive(Debug)]
pub struct Limits {
    /// Subscription requests, by network.
    pub subscriptions: Limit,
    /// Sign-ins, by network.
    pub sign_ins_of_network: Limit,
    /// Sign-ins, by account.
    pub sign_ins_of_account: AccountLimit,
    /// API requests, by token.
    pub api: Limit,
    /// Viewers of live results, by network and in all.
    pub viewers: Viewers,
    /// Limits the log lines about failed sign-ins.
    pub told_of_sign_ins: Sparing,
    /// Limits the log lines about unknown API tokens.
    pub told_of_tokens: Sparing,
}

/// The limit of a network is this many times the limit of one account in it: it may use that many accounts at full
/// rate.
const ACCOUNTS: u32 = 3;

/// The limit of an account over all networks is this many times the limit from one network.
const NETWORKS: u32 = 20;

/// How often sign-in to an account may be attempted: from one network, so that nobody elsewhere can lock its owner
/// out; and far more often from all of them together, so that many networks cannot go on guessing without end.
#[derive(Debug)]
pub struct AccountLimit {
    from_here: Limit,
    from_everywhere: Limit,
}

/// One limit, applied to each of many keys.
#[derive(Debug)]
pub struct Limit {
    name: &'static str,
    limiter: RateLimiter<Vec<u8>, DashMapStateStore<Vec<u8>>, Hand, NoOpMiddleware<Instant>>,
}

impl Limits {
    /// The limits as configured.
    #[must_use]
    pub fn new(settings: &config::Limits, clock: &Clock) -> Self {
        Self {
            subscriptions: Limit::per_minute(
                "subscriptions",
                settings.subscriptions_per_minute,
                clock,
            ),
            sign_ins_of_network: Limit::per_minute(
                "sign_ins_of_network",
                settings.sign_ins_per_minute.saturating_mul(ACCOUNTS),
                clock,
            ),
            sign_ins_of_account: AccountLimit::new(settings.sign_ins_per_minute, clock),
            api: Limit::per_minute("api", settings.api_per_minute, clock),
            viewers: Viewers::new(settings.viewers_per_network),
            told_of_sign_ins: Sparing::new(),
            told_of_tokens: Sparing::new(),
        }
    }

    /// Forgets keys whose allowance is full again, so that memory stays bounded.
    pub fn tidy(&self) {
        for limit in [
            &self.subscriptions,
            &self.sign_ins_of_network,
            &self.sign_ins_of_account.from_here,
            &self.sign_ins_of_account.from_everywhere,
            &self.api,
        ] {
            limit.limiter.retain_recent();
            limit.limiter.shrink_to_fit();
        }
    }
}

impl AccountLimit {
    fn new(n: u32, clock: &Clock) -> Self {
        Self {
            from_here: Limit::per_minute("sign_ins_of_account", n, clock),
            from_everywhere: Limit::per_minute(
                "sign_ins_of_account_from_everywhere",
                n.saturating_mul(NETWORKS),
                clock,
            ),
        }
    }

    /// Counts one attempt at `account` from `network`. An attempt refused for its network does not count towards
    /// the total.
    ///
    /// # Errors
    /// A 429 with the time to wait.
    pub fn check(&self, account: &str, network: &[u8]) -> Result<(), Problem> {
        // The separator is unambiguous, because an account's key contains no NUL.
        let here = [account.as_bytes(), &[0], network].concat();
        self.from_here.check(&here)?;
        self.from_everywhere.check(account.as_bytes())
    }
}

impl Limit {
    /// Allows `n` requests a minute with a burst of `n`. `name` is the label in the metrics.
    #[must_use]
    pub fn per_minute(name: &'static str, n: u32, clock: &Clock) -> Self {
        let n = NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            name,
            limiter: RateLimiter::new(
                Quota::per_minute(n),
                DashMapStateStore::default(),
                Hand(clock.clone()),
            ),
        }
    }

    /// Counts one request of `key`.
    ///
    /// # Errors
    /// A 429 with the time to wait.
    pub fn check(&self, key: &[u8]) -> Result<(), Problem> {
        self.limiter.check_key(&key.to_vec()).map_err(|not_until| {
            refused_by(self.name);
            let wait = not_until.wait_time_from(self.limiter.clock().now());
            Problem::too_many(wait)
        })
    }
}

/// Counts a refusal by a limit in the metrics.
pub fn refused_by(limit: &'static str) {
    metrics::counter!("canvass_rate_limited_total", "limit" => limit).increment(1);
}

/// Our clock for the limiter. It uses monotonic time: if the wall clock were set back, the limiter would refuse
/// everybody until it had caught up.
#[derive(Clone, Debug)]
pub struct Hand(Clock);

/// An instant of the limiter: nanoseconds of [`Clock::passed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl LimitClock for Hand {
    type Instant = Instant;
    fn now(&self) -> Instant {
        Instant(u64::try_from(self.0.passed().as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Add<Nanos> for Instant {
    type Output = Self;
    fn add(self, by: Nanos) -> Self {
        Self(self.0.saturating_add(by.as_u64()))
    }
}

impl Reference for Instant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        Duration::from_nanos(self.0.saturating_sub(earlier.0)).into()
    }
    fn saturating_sub(&self, by: Nanos) -> Self {
        Self(self.0.saturating_sub(by.as_u64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UnixMillis;

    #[test]
    fn a_burst_then_a_wait_that_is_true() {
        let clock = Clock::manual(UnixMillis(1_700_000_000_000));
        let limit = Limit::per_minute("test", 6, &clock);
        for _ in 0..6 {
            limit.check(b"a").expect("within the burst");
        }
        limit.check(b"b").expect("another network");
        assert_eq!(limit.check(b"a").expect_err("over").status().as_u16(), 429);
        clock.advance(Duration::from_secs(10));
        limit.check(b"a").expect("one more after ten seconds");
        limit.check(b"a").expect_err("but not two");
    }

    #[test]
    fn a_clock_that_is_set_refuses_nobody_and_lets_nobody_in() {
        let start = UnixMillis(1_700_000_000_000);
        let hour = Duration::from_secs(3_600);
        let clock = Clock::manual(start);
        let limit = Limit::per_minute("test", 6, &clock);
        limit.check(b"a").expect("the first");
        clock.set(start - hour);
        for _ in 1..6 {
            limit.check(b"a").expect("within the burst, as before");
        }
        clock.set(start + hour);
        limit.check(b"a").expect_err("no time has passed");
        clock.set(start - hour);
        clock.advance(Duration::from_secs(10));
        limit.check(b"a").expect("one more after ten seconds");
    }
}
