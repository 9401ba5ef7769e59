//! A file that a command makes: written under the name `FILE.part`, and renamed once it is complete, so that a failure
//! leaves the earlier file as it was. Only its owner can read it, because it holds addresses.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::Failed;

/// An incomplete file, removed when this is dropped.
///
/// Its lock is a file of its own, because SQLite locks the one that it writes, and on network file systems the two
/// locks would exclude each other.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    lock: PathBuf,
    _locked: File,
}

impl Part {
    /// Creates it, in place of one that an interrupted command has left.
    ///
    /// # Errors
    /// If it cannot be written, another command is writing it, or its lock or what it would replace is no regular file:
    /// a device, a pipe or a link would not be written to.
    pub(super) fn of(to: &Path) -> Result<Self, Failed> {
        if std::fs::symlink_metadata(to).is_ok_and(|there| !there.is_file()) {
            return Err(Failed::Used(format!(
                "{}: is not a regular file, and would be replaced by one; an export without --out goes to standard output",
                to.display()
            )));
        }
        let (path, lock) = (beside(to, ".part"), beside(to, ".part.lock"));
        let used = |problem: &str| Failed::Used(format!("{}: {problem}", path.display()));
        let failed = |error: io::Error| used(&error.to_string());
        if std::fs::symlink_metadata(&lock).is_ok_and(|there| !there.is_file()) {
            let lock = lock.display();
            return Err(used(&format!("its lock {lock} is not a regular file")));
        }
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        let locked = options.clone().create(true).truncate(false).open(&lock);
        let locked = locked.map_err(failed)?;
        let busy = "another command is writing this file";
        match locked.try_lock() {
            // Some network file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(used(busy)),
        }
        // The other command removes its lock at its end: this may be what it has just removed.
        let ours = locked.metadata()?.ino();
        if !std::fs::symlink_metadata(&lock).is_ok_and(|there| there.ino() == ours) {
            return Err(used(busy));
        }
        // An existing file could be a link, or readable by others.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let file = options.create_new(true).open(&path).map_err(failed)?;
        Ok(Self {
            path,
            file,
            lock,
            _locked: locked,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// For writing into it.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Puts the complete file in its place, durably.
    pub(super) fn put(self, to: &Path) -> Result<(), Failed> {
        put(&self.path, to)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a success it has another name.
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(&self.lock);
    }
}

/// Renames a file durably.
pub(super) fn put(from: &Path, to: &Path) -> Result<(), Failed> {
    File::open(from)?.sync_all()?;
    std::fs::rename(from, to)?;
    sync_dir(to)
}

/// Makes renames in the file's directory durable.
pub(super) fn sync_dir(file: &Path) -> Result<(), Failed> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

/// The name of the file with an ending.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
