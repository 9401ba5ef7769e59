//! Whether the database takes what is written: what `/readyz` says.
//!
//! Every error of a write that says so is remembered, wherever in a transaction it came: as it began, with a statement of a group, or at the
//! commit. After one of a statement between them a write is tried. So a database that cannot be written is known to be after a few
//! seconds at the latest, and one that can be again as well. A transaction that is dropped says nothing: so end requests that are
//! refused, and a trial costs the one writer some megabytes.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::fate::{MOVED, is_unwritable};
use super::{Backend, Db, DbErr, run};

/// The log is cut while nobody reads from it. Somebody who does for long (a backup, a large export) is not asked more often: each time the
/// one writer waits a moment.
const CUT_AGAIN: Duration = Duration::from_secs(60);

/// What keeps a database from being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The last write failed: no room, a failing disk, another program that holds it, no server.
    Unwritable,
    /// Its file is not where it was opened: whatever is written into it now is lost when it is closed.
    Moved,
}

/// What the commits of this process met.
#[derive(Debug, Default)]
pub(super) struct Health {
    failing: AtomicBool,
    moved: AtomicBool,
    /// A statement failed.
    suspect: AtomicBool,
    /// How often a write was tried.
    #[cfg(test)]
    trials: std::sync::atomic::AtomicUsize,
    /// Something was erased that the write-ahead log may still hold: when it is to be cut.
    erased: Mutex<Option<Instant>>,
    file: Option<FileId>,
}

/// How long the writer may wait for readers of the log.
const AT_ONCE: Duration = Duration::from_millis(20);

/// A file by its place and by what lies there.
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
    /// Of a SQLite file that is open.
    pub(super) fn of_file(path: PathBuf) -> Self {
        // One that has no place, such as a database in memory, cannot be moved.
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

    /// What a write met. That another one succeeds says little: one that changes a page needs no room.
    pub(super) fn note(&self, error: &DbErr) {
        if is_unwritable(error) {
            self.failing.store(true, Relaxed);
        }
    }

    /// What a statement of a transaction met: a write is tried, where it says that there can be none.
    pub(super) fn suspect(&self, error: &DbErr) {
        if is_unwritable(error) {
            self.suspect.store(true, Relaxed);
        }
    }

    /// Whether anything may be written at all.
    ///
    /// # Errors
    /// Not into a file that is gone: it would be confirmed, and lost.
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
    /// What keeps the database from being served, as far as is known.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        if self.health().moved.load(Relaxed) {
            return Some(Trouble::Moved);
        }
        let failing = self.health().failing.load(Relaxed);
        failing.then_some(Trouble::Unwritable)
    }

    /// Has the write-ahead log of SQLite cut soon, since something was erased that it may still hold: by [`look_after`](Self::look_after), as
    /// soon as nobody looks at an older moment. PostgreSQL's autovacuum clears away what it keeps of old rows.
    pub fn cut_log_soon(&self) {
        *self.health().erased() = Some(Instant::now());
    }

    /// What a database needs every few seconds while it is served: a look at its place, the cut of its log that was asked for, and a trial
    /// once a write or a statement has failed.
    pub async fn look_after(&self) {
        self.look_for_file();
        self.cut_log_if_erased().await;
        self.try_again().await;
    }

    /// Whatever is written into a file that was moved away is lost when it is closed.
    fn look_for_file(&self) {
        let health = self.health();
        let Some(file) = &health.file else { return };
        let there = std::fs::metadata(&file.path);
        let moved = !there.is_ok_and(|there| file.is(&there));
        if moved && !health.moved.load(Relaxed) {
            tracing::error!(
                "the database file is not in its place any more: stop the server and put it back"
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
            // Unless it was asked for once more meanwhile.
            let again = Instant::now() + CUT_AGAIN;
            self.health().erased().get_or_insert(again);
        }
    }

    /// After a write that failed: a server that is taken out of service gets no requests that would tell whether one succeeds again.
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
            // The write that failed first was logged.
            Err(error) => health.note(&error),
        }
    }

    /// A commit that leaves nothing behind, yet needs room: 64 kB more than there are in free pages, if these are few.
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
    /// How often a write was tried.
    pub(crate) fn trials(&self) -> usize {
        self.health().trials.load(Relaxed)
    }
}
