//! The result of background work of which a part failed.

use super::DbErr;

/// Why a tick has left something undone. The next tick tries again.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// Some of the polls or issues failed. Each was logged on its own with its number, so the caller logs nothing.
    #[error("some of it failed; the log shows what")]
    Logged,
    /// The whole failed, and nothing was logged.
    #[error(transparent)]
    Db(#[from] DbErr),
}
