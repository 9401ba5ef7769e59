//! The way into the ballot box: queues, each with a writer.
//!
//! SQLite has one writer. PostgreSQL gets two: while the commit of one waits for the disk or for an answer, the other goes on. Each has a
//! stripe of the counting tables and a chain of its own, as if it were another node; so it is no matter which one takes an answer. While
//! few answer, one does it all: two would only make the groups smaller.

use std::time::Duration;

use crate::db::Backend;
use crate::db::group_commit::Spill;

/// The second writer gets what is more than a good group, whatever takes the time: the groups of hundreds of readers are large enough.
pub const SPILL: Spill = Spill {
    enough: 64,
    slow: Duration::ZERO,
};

/// The writers of one process.
pub const fn number(backend: Backend) -> usize {
    match backend {
        Backend::Sqlite => 1,
        Backend::Postgres => 2,
    }
}
