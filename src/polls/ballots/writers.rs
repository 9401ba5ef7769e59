//! The way into the ballot box: queues, each with a writer.
//!
//! SQLite has one writer. PostgreSQL gets two: while one waits for the disk or for a reply in its commit, the other
//! continues. Each has its own stripe of the counting tables and its own chain, like another node, so it does not
//! matter which one takes an answer. While few readers answer, one writer does everything: a second one would only
//! make the groups smaller.

use std::time::Duration;

use crate::db::Backend;
use crate::db::group_commit::Spill;

/// The second writer gets what exceeds a good group, however fast the first is: the groups of hundreds of
/// readers are large enough.
pub const SPILL: Spill = Spill {
    enough: 64,
    slow: Duration::ZERO,
};

/// The number of writers in one process.
pub const fn number(backend: Backend) -> usize {
    match backend {
        Backend::Sqlite => 1,
        Backend::Postgres => 2,
    }
}
