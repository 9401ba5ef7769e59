//! Whose files a command writes. What root leaves in the data directory of a service that runs as somebody else keeps that service
//! from starting, and nothing says so until then.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Failed;
use crate::config::Config;

/// The effective user of a process stands on its own directory.
const OURSELVES: &str = "/proc/self";
const ROOT: u32 = 0;

/// Refuses to work as root on a SQLite database of somebody else's.
///
/// # Errors
/// The command that does it right.
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
                "database.url: {dir} belongs to another user ({uid}), who could not open what root leaves there; \
                 run this as that user: runuser -u \"$(stat -c %U {dir})\" -- canvass …"
            )))
        }
        _ => Ok(()),
    }
}
