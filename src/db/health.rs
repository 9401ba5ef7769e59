//! Whether the database takes what is written: what `/readyz` says, and how often the log says it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::fate::is_unwritable;
use super::{Backend, Db, DbErr, run};

/// What keeps a database from being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The last commit failed: no room, a failing disk, another program that holds it, no server.
    Unwritable,
    /// Its file is not where it was opened: whatever is written into it now is lost when it is closed.
    Moved,
}

/// What the commits of this process met.
#[derive(Debug, Default)]
pub(super) struct Health {
    failing: AtomicBool,
    moved: AtomicBool,
    /// Something was erased that the write-ahead log may still hold.
    erased: AtomicBool,
    file: Option<FileId>,
}

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

    /// How a commit ended.
    pub(super) fn note(&self, done: &Result<(), DbErr>) {
        match done {
            Ok(()) => self.failing.store(false, Relaxed),
            Err(error) if is_unwritable(error) => self.failing.store(true, Relaxed),
            Err(_) => {}
        }
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
        self.health().erased.store(true, Relaxed);
    }

    /// Looks whether the file is still in its place, and, after a commit that failed, whether one succeeds again: a server that is taken
    /// out of service gets no requests that would tell. Call this every few seconds.
    pub async fn look_after(&self) {
        let health = self.health();
        if let Some(file) = &health.file {
            let there = std::fs::metadata(&file.path);
            let moved = !there.is_ok_and(|there| file.is(&there));
            if moved && !health.moved.load(Relaxed) {
                tracing::error!(
                    "the database file is not in its place any more: stop the server and put it back"
                );
            }
            health.moved.store(moved, Relaxed);
        }
        if self.backend() == Backend::Sqlite && health.erased.swap(false, Relaxed) {
            let cut = self.cut_log().await;
            health.erased.fetch_or(!cut.is_ok_and(|cut| cut), Relaxed);
        }
        if !health.failing.load(Relaxed) {
            return;
        }
        match self.try_to_write().await {
            Ok(()) => tracing::info!("the database can be written again"),
            // The commit that failed first was logged.
            Err(error) => health.note(&Err(error)),
        }
    }

    async fn try_to_write(&self) -> Result<(), DbErr> {
        let txn = self.write_txn("health").await?;
        let sql = "INSERT INTO setting (name, value) VALUES ('tried_to_write', '1') \
                   ON CONFLICT (name) DO UPDATE SET value = setting.value || '1' WHERE LENGTH(setting.value) < 9000";
        run(&*txn, sql, []).await?;
        run(
            &*txn,
            "DELETE FROM setting WHERE name = 'tried_to_write'",
            [],
        )
        .await?;
        txn.commit().await
    }
}

/// Says the same thing once a minute, however often it happens.
#[derive(Debug, Default)]
pub struct Sparing(Mutex<Option<(Instant, u64)>>);

impl Sparing {
    const EACH: Duration = Duration::from_secs(60);

    /// Of something that has not happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether it is to be said now: then how often it was left unsaid since it was said last.
    pub fn now(&self) -> Option<u64> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *said {
            Some((at, unsaid)) if now.duration_since(*at) < Self::EACH => {
                *unsaid += 1;
                None
            }
            before => {
                let unsaid = before.map_or(0, |(_, unsaid)| unsaid);
                *before = Some((now, 0));
                Some(unsaid)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_is_said_once_a_minute_with_how_often_it_was_not() {
        let told = Sparing::new();
        let begun = Instant::now();
        assert_eq!(told.at(begun), Some(0));
        assert_eq!(
            (told.at(begun), told.at(begun + Sparing::EACH / 2)),
            (None, None)
        );
        assert_eq!(told.at(begun + Sparing::EACH), Some(2));
        assert_eq!(told.at(begun + Sparing::EACH), None);
    }
}
