//! Whether the database accepts writes, for `/readyz`.
//!
//! Every write error that says otherwise is recorded, wherever it occurs: at the beginning of a transaction, in a
//! statement, or at the commit. After a failed statement a trial write is made, and while writes fail it is
//! repeated. So a database that stops or resumes accepting writes is noticed within a few seconds. A dropped
//! transaction is no reason for a trial: refused requests end that way, and a trial costs the one writer some
//! megabytes.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::fate::{MOVED, is_unwritable};
use super::{Backend, Db, DbErr, run};

/// The log is truncated while nobody reads from it. While a long reader (a backup, a large export) is active, it is
/// tried only this often, because each attempt makes the one writer wait a moment.
const CUT_AGAIN: Duration = Duration::from_secs(60);

/// The reason why a database must not be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The last write failed: full or failing disk, another program holding the lock, or no server.
    Unwritable,
    /// The file is no longer where it was opened: whatever is written into it now is lost when it is closed.
    Moved,
}

/// The condition of the database as this process knows it.
#[derive(Debug, Default)]
pub(super) struct Health {
    failing: AtomicBool,
    moved: AtomicBool,
    /// A statement failed with an error that a trial write is to confirm.
    suspect: AtomicBool,
    /// The number of trial writes.
    #[cfg(test)]
    trials: std::sync::atomic::AtomicUsize,
    /// When to truncate the write-ahead log, which may still hold erased data.
    erased: Mutex<Option<Instant>>,
    file: Option<FileId>,
}

/// How long the writer may wait for readers of the log.
const AT_ONCE: Duration = Duration::from_millis(20);

/// Identifies a file by its path and by its device and inode.
#[derive(Debug)]
struct FileId {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl FileId {
    fn is(&self, there: &Metadata) -> bool {
        (self.device, self.inode) == (there.dev(), there.ino())
    }
}

impl Health {
    /// The health of an open SQLite file.
    pub(super) fn of_file(path: PathBuf) -> Self {
        // A database without a path, such as one in memory, cannot be moved.
        let file = std::fs::metadata(&path).ok().map(|there| FileId {
            path,
            device: there.dev(),
            inode: there.ino(),
        });
        Self {
            file,
            ..Self::default()
        }
    }

    /// Where the file was opened.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// Records the error of a write. A later success does not clear it, because a write that only changes existing
    /// pages needs no free space.
    pub(super) fn note(&self, error: &DbErr) {
        if is_unwritable(error) {
            self.failing.store(true, Relaxed);
        }
    }

    /// Records the error of a statement within a transaction. If it says that the database cannot be written, a
    /// trial write follows.
    pub(super) fn suspect(&self, error: &DbErr) {
        if is_unwritable(error) {
            self.suspect.store(true, Relaxed);
        }
    }

    /// Whether anything may be written at all.
    ///
    /// # Errors
    /// [`MOVED`] while the file is gone: a write would be acknowledged and then lost.
    pub(super) fn let_write(&self) -> Result<(), DbErr> {
        match self.moved.load(Relaxed) {
            true => Err(DbErr::Custom(MOVED.to_owned())),
            false => Ok(()),
        }
    }

    fn erased(&self) -> MutexGuard<'_, Option<Instant>> {
        self.erased.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Db {
    /// The reason why the database must not be served, as far as is known.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        if self.health().moved.load(Relaxed) {
            return Some(Trouble::Moved);
        }
        let failing = self.health().failing.load(Relaxed);
        failing.then_some(Trouble::Unwritable)
    }

    /// Asks for a truncation of SQLite's write-ahead log, which may still hold data that was just erased.
    /// [`look_after`](Self::look_after) does it as soon as no reader uses an older snapshot. On PostgreSQL
    /// autovacuum removes old row versions.
    pub fn cut_log_soon(&self) {
        *self.health().erased() = Some(Instant::now());
    }

    /// The regular upkeep of a database that is served, to be called every few seconds: checks that the file is in
    /// its place, truncates the log if asked to, and makes a trial write after a failed one.
    pub async fn look_after(&self) {
        self.look_for_file();
        self.cut_log_if_erased().await;
        self.try_again().await;
    }

    /// Notes whether the file was moved away: writes into a moved file are lost when it is closed.
    fn look_for_file(&self) {
        let health = self.health();
        let Some(file) = &health.file else { return };
        let there = std::fs::metadata(&file.path);
        let moved = !there.is_ok_and(|there| file.is(&there));
        if moved && !health.moved.load(Relaxed) {
            tracing::error!(
                "the database file is no longer in its place: stop the server and put it back"
            );
        }
        health.moved.store(moved, Relaxed);
    }

    async fn cut_log_if_erased(&self) {
        let due = self.health().erased().take_if(|at| *at <= Instant::now());
        if self.backend() != Backend::Sqlite || due.is_none() {
            return;
        }
        if !self.cut_log(AT_ONCE).await.is_ok_and(|cut| cut) {
            // Unless another request for it came meanwhile.
            let again = Instant::now() + CUT_AGAIN;
            self.health().erased().get_or_insert(again);
        }
    }

    /// Makes a trial write after a failure: a server that was taken out of service gets no requests that would show
    /// whether writes succeed again.
    async fn try_again(&self) {
        let health = self.health();
        let failed = health.failing.load(Relaxed);
        if !health.suspect.swap(false, Relaxed) && !failed {
            return;
        }
        match self.try_to_write().await {
            Ok(()) if failed => {
                health.failing.store(false, Relaxed);
                tracing::info!("the database can be written again");
            }
            Ok(()) => {}
            // The first failure was logged already.
            Err(error) => health.note(&error),
        }
    }

    /// A commit that leaves nothing behind but needs space: 64 kB more than the free pages hold, if those are few.
    async fn try_to_write(&self) -> Result<(), DbErr> {
        #[cfg(test)]
        self.health().trials.fetch_add(1, Relaxed);
        let room = match self.backend() {
            Backend::Sqlite => {
                "(SELECT hex(randomblob(32768 + 2048 * MIN(freelist_count, 512))) FROM pragma_freelist_count)"
            }
            Backend::Postgres => {
                "(SELECT string_agg(md5(CAST(random() AS TEXT)), '') FROM generate_series(1, 2048))"
            }
        };
        let txn = self.write_txn("health").await?;
        for sql in [
            format!("INSERT INTO setting (name, value) VALUES ('tried_to_write', {room})"),
            "DELETE FROM setting WHERE name = 'tried_to_write'".to_owned(),
        ] {
            run(&*txn, sql, []).await?;
        }
        txn.commit().await
    }
}

#[cfg(test)]
impl Db {
    /// The number of trial writes.
    pub(crate) fn trials(&self) -> usize {
        self.health().trials.load(Relaxed)
    }
}
