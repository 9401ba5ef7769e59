//! The database: SQLite by default, PostgreSQL when one machine is not enough; the same code for both.
//!
//! - [`Db::open`]: connect, with every pragma in the connect options so that each connection has them.
//! - [`Db::read`]: for reading. On SQLite a pool of readers, which can never write.
//! - [`Db::write_txn`]: the one way to write. On SQLite the pool behind it has one connection and the transaction
//!   is `BEGIN IMMEDIATE`: writers queue in our process instead of failing in the file. Nothing that
//!   waits on the network happens while one is open. A commit whose answer is lost is looked up afterwards: it is either done or
//!   not, never both.
//!   [`Bell`] is rung by commits that bring work.
//! - [`Db::ask_and_write`]: the same for the ballot box, in two trips.
//! - [`sql`]: raw, set-based SQL for the hot tables; `$1` placeholders work on both databases.
//! - [`Turns`]: a whole transaction in one statement, for PostgreSQL, where each round trip counts.
//! - [`group_commit`]: many small writes in one commit, each answered after it.
//! - [`migrate`]: the schema, under our own lock; refuses a database from a newer version.
//! - [`Db::scrub`]: takes what was deleted out of the files as well.
//! - [`Db::copy_into`]: a copy while it is used.
//! - [`Db::look_after`]: whether it can still be written, for `/readyz`.
//! - [`lock`]: one process per SQLite database.
//! - [`entities`]: one file a table.

mod asked;
mod bell;
mod connect;
mod copy;
pub mod entities;
mod fate;
pub mod group_commit;
mod health;
pub mod lock;
pub mod migrate;
mod scrub;
mod search;
mod sparing;
mod sql;
mod turn;
mod write;

pub use asked::AskedTxn;
pub use bell::Bell;
pub use connect::{Backend, Db, OpenError};
pub use copy::{end_restore, restored_file};
pub use fate::{connection_lost, is_unwritable};
pub use health::Trouble;
pub use sea_orm::{DbErr, TryGetable};
pub use search::containing;
pub use sparing::Sparing;
pub use sql::{
    Batch, fetch_all, fetch_all_as, fetch_one, fetch_one_as, in_list, is_unique_violation, query,
    round_up, run, values_list,
};
pub use turn::{TURN, Turns};
pub use write::WriteTxn;
