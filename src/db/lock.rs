//! One process per SQLite database. Of two processes, each would believe that all leases of the other are void.
//!
//! The lock file lies beside the database file, not in the data directory, because two data directories may be
//! configured with the same database.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Held while the process lives. The operating system releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// A database that cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{0} is in use by another canvass process (one process per SQLite database)")]
    Held(String),
    /// Its directory cannot be written.
    #[error("{0} cannot be used: {1}")]
    Io(String, std::io::Error),
}

impl FileLock {
    /// Takes the lock of the database in `file`, which need not exist yet. Its directory is created if necessary,
    /// accessible to its owner only.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(file: &Path) -> Result<Self, LockError> {
        let io = |e| LockError::Io(file.display().to_string(), e);
        let mut lock = real(file).map_err(io)?.into_os_string();
        lock.push(".lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(lock)
            .map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held(file.display().to_string()));
            }
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        // The process id is there for people to read. Only the lock counts.
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(io)?;
        Ok(Self { _file: lock })
    }
}

/// The path of `file` with all links resolved.
fn real(file: &Path) -> std::io::Result<PathBuf> {
    if let Ok(real) = file.canonicalize() {
        return Ok(real);
    }
    let (Some(dir), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(std::io::ErrorKind::InvalidFilename.into());
    };
    let dir = Some(dir).filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    if !dir.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    Ok(dir.canonicalize()?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("new").join("canvass.db");
        let first = FileLock::take(&file).expect("free");
        assert!(matches!(FileLock::take(&file), Err(LockError::Held(_))));
        drop(first);
        FileLock::take(&file).expect("free again");
    }

    #[test]
    fn a_database_has_one_lock_whichever_way_leads_to_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("canvass.db");
        let other = dir.path().join("other");
        std::fs::create_dir(&other).expect("a directory");
        let before = FileLock::take(&other.join("..").join("canvass.db")).expect("free");
        assert!(matches!(FileLock::take(&file), Err(LockError::Held(_))));
        drop(before);
        std::fs::write(&file, "").expect("a file");
        let link = other.join("link.db");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        let _first = FileLock::take(&link).expect("free");
        assert!(matches!(FileLock::take(&file), Err(LockError::Held(_))));
        FileLock::take(&other.join("canvass.db")).expect("another database");
    }
}
