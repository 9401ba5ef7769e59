//! The database: SQLite by default, PostgreSQL when one machine is not enough. The code is the same for both.
//!
//! - [`access()`]: how a process gets the database: its lock, its schema. [`with_pepper`]: checks that the secret
//!   key belongs to this database.
//! - [`Db::open`]: connect. Every pragma is a connect option, so that each connection has it.
//! - [`Db::read`]: connections for reading. On SQLite a pool of readers that cannot write.
//!   [`Db::scan`]: the same in turns, for queries that read very many rows.
//! - [`Db::write_txn`]: the one way to write. On SQLite the pool behind it has one connection and the transaction
//!   is `BEGIN IMMEDIATE`: writers queue in our process instead of failing on the file lock. Nothing that waits on
//!   the network happens while one is open. If the reply to a commit is lost, the outcome is looked up afterwards.
//!   Commits that bring work ring the [`Bell`].
//! - [`Db::ask_and_write`]: the same in two round trips, for the ballot writers.
//! - `sql`: raw, set-based SQL for the hot tables; `$1` placeholders work on both databases.
//! - [`Turns`]: a whole transaction in one statement, for PostgreSQL, where each round trip counts. The connection for
//!   it is kept out of the pool.
//! - [`group_commit`]: many small writes in one commit; each is answered after it.
//! - [`migrate`]: the schema, under a lock; refuses a database from a newer version.
//! - [`Db::purge`]: deletes old rows, a few at a time. [`Unfinished`]: a tick of which a part failed.
//! - [`Db::scrub`]: removes deleted data from the files as well.
//! - [`Db::copy_into`]: a copy of a database in use.
//! - [`Db::place`]: where the database is, so that a copy is recognised.
//! - [`Db::look_after`]: whether the database accepts writes, for `/readyz`.
//! - [`lock`]: one process per SQLite database.
//! - [`entities`]: one file per table.

mod access;
mod asked;
mod bell;
mod connect;
mod copy;
pub mod entities;
mod fate;
pub mod group_commit;
mod health;
mod home;
pub mod lock;
pub mod migrate;
mod pepper;
mod purge;
mod scrub;
mod search;
mod sparing;
mod sql;
mod turn;
mod unfinished;
mod write;

pub use access::{AccessError, Role, access};
pub use asked::AskedTxn;
pub use bell::Bell;
pub use connect::{Backend, Db, OpenError, Scan};
pub use copy::{end_restore, restored_file};
pub use fate::{connection_lost, is_unwritable};
pub use health::Trouble;
pub use home::note_place;
pub use pepper::{PepperError, with_pepper};
pub use sea_orm::{ConnectionTrait, DbErr, TryGetable};
pub use search::containing;
pub use sparing::Sparing;
pub use sql::{
    Batch, fetch_all, fetch_all_as, fetch_one, fetch_one_as, find_all, find_one, find_value,
    find_values, in_list, is_unique_violation, query, round_up, run, values_list,
};
pub use turn::{TURN, Turns};
pub use unfinished::Unfinished;
pub use write::WriteTxn;
