//! One process per SQLite data directory. Two would each believe that all leases of the other are void.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::Path;

/// Held while the process lives; the operating system lets go of it when the process dies, however it dies.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// A data directory that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{0} is in use by another canvass process (one process per SQLite data directory)")]
    Held(String),
    /// It cannot be written.
    #[error("{0} cannot be used: {1}")]
    Io(String, std::io::Error),
}

impl DirLock {
    /// Creates `dir` if need be (for its owner alone) and takes its lock.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let name = dir.display().to_string();
        let io = |e| LockError::Io(name.clone(), e);
        if !dir.exists() {
            use std::os::unix::fs::DirBuilderExt as _;
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .map_err(io)?;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join("canvass.lock"))
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(name)),
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        // For people who look: which process it is. The lock, not the text, is what counts.
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(io)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = DirLock::take(dir.path()).expect("free");
        assert!(matches!(DirLock::take(dir.path()), Err(LockError::Held(_))));
        drop(first);
        DirLock::take(dir.path()).expect("free again");
    }
}
