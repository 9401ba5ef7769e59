//! What the mailer does at this moment, as plain values that can be serialised: for the queue page and the metrics.
//! It covers this process only: with several nodes, each has its own.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::transport::Transport;
use crate::{
    app::App,
    types::{IssueId, UnixMillis},
};

/// The status of the whole mailer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// The relays, in the order of the configuration; empty if mails are captured.
    pub relays: Vec<RelayStatus>,
    /// The recipients' providers that are throttled now or were so recently.
    pub domains: Vec<DomainStatus>,
    /// The lanes; the first is reserved for single mails.
    pub lanes: Vec<LaneStatus>,
}

/// One relay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelayStatus {
    /// Its name, or host and port; never its credentials.
    pub name: String,
    /// Connections that are open.
    pub connections: u32,
    /// Connections that may be open: those for issues and one for single mails.
    pub connections_allowed: u32,
    /// Mails it has accepted since this process started.
    pub handed_over: u64,
    /// Mails it accepted in the last 60 seconds.
    pub last_minute: u64,
    /// Mails of all nodes on this day (UTC), if the relay has a daily limit.
    pub today: Option<i64>,
    /// The limit of this day, if there is one.
    pub per_day: Option<i64>,
    /// The state of its circuit breaker.
    pub breaker: BreakerState,
    /// Why the breaker is not closed, in the server's words or ours; empty if it is closed.
    pub breaker_words: String,
    /// Its last reply that was not positive.
    pub last_words: String,
    /// The time of that reply.
    pub last_words_at: Option<UnixMillis>,
}

/// The state of a relay's circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BreakerState {
    /// Mails flow.
    Closed,
    /// The relay is not used.
    Open {
        /// Consecutive failures.
        failures: u32,
        /// When one lane tries it again.
        until: UnixMillis,
    },
    /// One lane may try it, or is trying it.
    HalfOpen {
        /// Consecutive failures.
        failures: u32,
    },
}

/// One provider of mailboxes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DomainStatus {
    /// The provider's name, or the domain.
    pub name: String,
    /// Mails being sent now.
    pub in_flight: u32,
    /// Mails that may be sent at the same time; `None`: no limit.
    pub limit: Option<u32>,
    /// No mail is sent to it before this time.
    pub waits_until: Option<UnixMillis>,
    /// The reply that caused the throttling.
    pub words: String,
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneStatus {
    /// What it does.
    #[serde(flatten)]
    pub doing: Doing,
    /// Since when it has done so.
    pub since: UnixMillis,
}

/// What a lane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "doing", rename_all = "snake_case")]
pub enum Doing {
    /// There is nothing to do.
    Idle,
    /// It sends single mails.
    SingleMail,
    /// It works through a batch.
    Issue {
        /// The issue of the batch.
        issue: IssueId,
    },
    /// Every relay is paused or has no connection left.
    WaitsForRelay,
}

/// What the mailer of this process does now.
#[must_use]
pub fn status(app: &App) -> Status {
    let now = app.clock.now();
    Status {
        relays: match &app.transport {
            Transport::Smtp(relays) => relays.status(now),
            _ => Vec::new(),
        },
        domains: app
            .mailer
            .domains
            .status(now, app.mailer.fair_queue.any_due()),
        lanes: app.mailer.board.lanes(),
    }
}

/// The board on which the lanes record what they do.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Vec<LaneStatus>>);

impl Board {
    pub(super) fn set(&self, lane: usize, doing: Doing, now: UnixMillis) {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() <= lane {
            let idle = LaneStatus {
                doing: Doing::Idle,
                since: now,
            };
            lanes.resize(lane + 1, idle);
        }
        if lanes[lane].doing != doing {
            lanes[lane] = LaneStatus { doing, since: now };
        }
    }

    fn lanes(&self) -> Vec<LaneStatus> {
        let lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.clone()
    }
}
