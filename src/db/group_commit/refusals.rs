//! What a queue refuses is counted, and logged once a minute: overload that only clients notice would leave no trace.

use std::sync::Arc;

use super::Refused;
use crate::db::Sparing;

/// The refusals of one queue. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Refusals(Arc<Told>);

#[derive(Debug)]
struct Told {
    queue: &'static str,
    full: Sparing,
    slow: Sparing,
    unknown: Sparing,
}

impl Refusals {
    pub(super) fn of(queue: &'static str) -> Self {
        Self(Arc::new(Told {
            queue,
            full: Sparing::new(),
            slow: Sparing::new(),
            unknown: Sparing::new(),
        }))
    }

    /// There is no room for a request.
    pub(super) fn full(&self) -> Refused {
        self.count("full", 1);
        let queue = self.0.queue;
        if let Some(unsaid) = self.0.full.now() {
            tracing::warn!(queue, unsaid, "a queue is full; clients are asked to retry");
        }
        Refused::Busy
    }

    /// Requests have waited too long for a commit that is slow.
    pub(super) fn slow(&self, refused: usize) {
        self.count("slow", refused);
        let queue = self.0.queue;
        if let Some(unsaid) = self.0.slow.now() {
            tracing::warn!(
                queue,
                refused,
                unsaid,
                "the database is slow; clients were asked to retry"
            );
        }
    }

    /// Requests are being written for too long. May be called again for the same group, with 0.
    pub(super) fn unknown(&self, refused: usize) {
        if refused == 0 {
            return;
        }
        self.count("unknown", refused);
        let queue = self.0.queue;
        if let Some(unsaid) = self.0.unknown.now() {
            tracing::warn!(
                queue,
                refused,
                unsaid,
                "the database does not answer; clients were told that nobody knows whether their request took effect"
            );
        }
    }

    /// The database cannot be written, which the writer logs with the reason.
    pub(super) fn unwritable(&self, refused: usize) {
        self.count("unwritable", refused);
    }

    fn count(&self, why: &'static str, refused: usize) {
        metrics::counter!("canvass_writes_refused_total", "queue" => self.0.queue, "why" => why)
            .increment(refused as u64);
    }
}
