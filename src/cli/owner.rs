//! Checks who owns the files that a command would write. If root leaves files in the data directory of a service
//! that runs as another user, the service can no longer start, and nothing shows that until it tries.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Failed;
use crate::config::Config;

/// This directory belongs to the effective user of the process.
const OURSELVES: &str = "/proc/self";
const ROOT: u32 = 0;

/// Refuses to run as root on a SQLite database that belongs to another user.
///
/// # Errors
/// An error that shows the correct command.
pub fn is_ours(config: &Config) -> Result<(), Failed> {
    let Some(file) = config.database_file() else {
        return Ok(());
    };
    let owner = |path: &Path| std::fs::metadata(path).ok().map(|of| of.uid());
    let theirs = owner(&file).or_else(|| owner(file.parent()?));
    match (owner(Path::new(OURSELVES)), theirs) {
        (Some(ROOT), Some(uid)) if uid != ROOT => {
            let dir = file.parent().unwrap_or(&config.data_dir).display();
            Err(Failed::Used(format!(
                "database.url: {dir} belongs to another user ({uid}), who could not open files that root creates there; \
                 run this as that user: runuser -u \"$(stat -c %U {dir})\" -- canvass …"
            )))
        }
        _ => Ok(()),
    }
}
