//! Logging in to a relay: one lane at a time, unless the last login was accepted.
//!
//! With a wrong password each lane would be refused within the same second, and many servers lock an account after five
//! or ten refusals. So the first lane tries, and those that wait for it share its failure.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::{sync::Mutex, time::Instant};

use crate::mailer::{
    breaker::FIRST,
    reply::Phase,
    smtp::{Refusal, Relay, Session},
};

/// The logins at one relay.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// The last login was accepted, so that all lanes may log in at the same time.
    accepted: AtomicBool,
    /// Held by the lane that tries. When and why the last attempt failed, if it did.
    failed: Mutex<Option<(Instant, Refusal)>>,
}

impl Logins {
    /// Connects, and logs in if the relay requires it.
    pub(super) async fn connect(&self, relay: &Relay) -> Result<Session, Refusal> {
        if relay.login.is_none() || self.are_accepted() {
            return self.attempt(relay).await;
        }
        let asked = Instant::now();
        let mut failed = self.failed.lock().await;
        if self.are_accepted() {
            drop(failed);
            return self.attempt(relay).await;
        }
        // It failed while this lane waited, or just before: the breaker's pause after it is longer than that.
        if let Some((at, refusal)) = &*failed
            && asked.saturating_duration_since(*at) < FIRST
        {
            return Err(refusal.clone());
        }
        let connected = self.attempt(relay).await;
        *failed = match &connected {
            Ok(_) => None,
            Err(refusal) => Some((Instant::now(), refusal.clone())),
        };
        connected
    }

    async fn attempt(&self, relay: &Relay) -> Result<Session, Refusal> {
        let connected = Session::connect(relay).await;
        match &connected {
            Ok(_) => self.accepted.store(true, Ordering::Release),
            Err(refusal) if refusal.phase == Phase::Auth => {
                self.accepted.store(false, Ordering::Release);
            }
            Err(_) => {}
        }
        connected
    }

    fn are_accepted(&self) -> bool {
        self.accepted.load(Ordering::Acquire)
    }
}
