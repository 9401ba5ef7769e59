//! Logging in to a relay: one lane at a time, unless the last login was accepted.
//!
//! With a wrong password each lane would be refused within the same second, and many servers lock an account after five
//! or ten refusals. So the first lane tries, and those that wait for it share its failure. They wait for
//! `AUTH` alone: a connection that gets no greeting locks no account, and would hold up every other lane for minutes.

use std::sync::{
    self, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::{sync::Mutex, time::Instant};

use crate::mailer::{
    breaker::FIRST,
    reply::Phase,
    smtp::{Greeted, Refusal, Relay, Session},
};

/// The logins at one relay.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// The last login was accepted, so that all lanes may log in at the same time.
    accepted: AtomicBool,
    /// Held by the lane that tries. When and why the last attempt failed, if it did.
    failed: Mutex<Option<(Instant, Refusal)>>,
    /// When the last login was refused.
    refused_at: sync::Mutex<Option<Instant>>,
}

impl Logins {
    /// Connects, and logs in if the relay requires it.
    pub(super) async fn connect(&self, relay: &Relay) -> Result<Session, Refusal> {
        let asked = Instant::now();
        let greeted = Greeted::by(relay).await?;
        if relay.login.is_none() || self.are_accepted() {
            return self.attempt(greeted, relay).await;
        }
        let mut failed = self.failed.lock().await;
        if self.are_accepted() {
            drop(failed);
            return self.attempt(greeted, relay).await;
        }
        // It failed while this lane waited, or just before: the breaker's pause after it is longer than that.
        if let Some((at, refusal)) = &*failed
            && asked.saturating_duration_since(*at) < FIRST
        {
            return Err(refusal.clone());
        }
        let logged_in = self.attempt(greeted, relay).await;
        *failed = match &logged_in {
            Ok(_) => None,
            Err(refusal) => Some((Instant::now(), refusal.clone())),
        };
        logged_in
    }

    async fn attempt(&self, greeted: Greeted, relay: &Relay) -> Result<Session, Refusal> {
        let logged_in = greeted.log_in(relay).await;
        match &logged_in {
            Ok(_) => self.accepted.store(true, Ordering::Release),
            Err(refusal) if refusal.phase == Phase::Auth => {
                self.accepted.store(false, Ordering::Release);
                self.refused(Instant::now());
            }
            Err(_) => {}
        }
        logged_in
    }

    /// When the last login was refused. A lane may be told much later, because it shares the refusal and was waiting for
    /// its greeting: then this is not a second refusal.
    pub(super) fn last_refused(&self) -> Option<Instant> {
        *self.refused_at()
    }

    /// Records that a login was refused.
    pub(super) fn refused(&self, at: Instant) {
        *self.refused_at() = Some(at);
    }

    fn refused_at(&self) -> sync::MutexGuard<'_, Option<Instant>> {
        self.refused_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn are_accepted(&self) -> bool {
        self.accepted.load(Ordering::Acquire)
    }
}
