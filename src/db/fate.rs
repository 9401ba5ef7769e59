//! What became of a commit whose answer was lost.
//!
//! A connection can break between `COMMIT` and its answer: then the transaction may stand or not, and trying again what adds to a
//! counter would count twice. PostgreSQL remembers: each write transaction notes its own id before it commits, and
//! after such a break the server is asked, over another connection, what became of it. SQLite answers in the same process.

use std::time::Duration;

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbErr, QueryResult, RuntimeErr, SqlxError,
};
use tokio::time::{Instant, sleep};

use super::fetch_one;

/// Between two questions.
const AGAIN: Duration = Duration::from_millis(100);
/// A transaction whose client is gone, and that has not noticed after this, is ended.
const LINGER: Duration = Duration::from_secs(2);

/// Whether an error says that the database could not be reached, or was lost on the way, rather than that it refused.
#[must_use]
pub fn connection_lost(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) => {
            true
        }
        DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause) => match cause {
            RuntimeErr::SqlxError(error) => lost(error),
            RuntimeErr::Internal(_) => matches!(error, DbErr::Conn(_)),
        },
        _ => false,
    }
}

fn lost(error: &SqlxError) -> bool {
    match error {
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::BeginFailed
        | SqlxError::WorkerCrashed => true,
        // 08: connection exceptions. 57P01 to 57P03: the server shuts down, crashed, or starts.
        SqlxError::Database(refusal) => refusal
            .code()
            .is_some_and(|code| code.starts_with("08") || code.starts_with("57P0")),
        _ => false,
    }
}

/// A transaction that is about to be committed on PostgreSQL.
#[derive(Debug)]
pub(super) struct Ticket {
    id: String,
    process: i32,
}

impl Ticket {
    /// What a ticket is read from.
    pub(super) const COLUMNS: &str = "CAST(pg_current_xact_id() AS TEXT), pg_backend_pid()";

    /// Notes the transaction's id.
    ///
    /// # Errors
    /// What the database said; nothing was committed.
    pub(super) async fn of<C: ConnectionTrait>(txn: &C) -> Result<Self, DbErr> {
        let sql = format!("SELECT {}", Self::COLUMNS);
        Self::read(fetch_one(txn, sql, []).await?)
    }

    /// As a row of [`COLUMNS`](Self::COLUMNS) has it.
    ///
    /// # Errors
    /// When it has none.
    pub(super) fn read(row: Option<QueryResult>) -> Result<Self, DbErr> {
        let row = row.ok_or_else(|| DbErr::Custom("the transaction has no id".into()))?;
        Ok(Self {
            id: row.try_get_by_index(0)?,
            process: row.try_get_by_index(1)?,
        })
    }

    /// Whether the transaction stands although its commit failed with `error`. Asks until it is known, however long the
    /// database is away: whoever does not want to wait drops the question.
    ///
    /// # Errors
    /// `error`, when nothing was written.
    pub(super) async fn settle(
        self,
        db: &DatabaseConnection,
        name: &'static str,
        error: DbErr,
    ) -> Result<(), DbErr> {
        tracing::warn!(txn = name, %error, "the answer to a commit was lost; asking what became of it");
        metrics::counter!("canvass_commits_in_doubt_total", "txn" => name).increment(1);
        let asked = Instant::now();
        let mut ended = false;
        loop {
            let sql = "SELECT pg_xact_status(CAST($1 AS xid8))";
            let status: Option<String> = match fetch_one(db, sql, [self.id.clone().into()]).await {
                Ok(row) => row.and_then(|row| row.try_get_by_index(0).ok()),
                Err(lost) if connection_lost(&lost) => {
                    sleep(AGAIN).await;
                    continue;
                }
                // A server that came back without this transaction does not know its id.
                Err(_) => None,
            };
            match status.as_deref() {
                Some("committed") => return Ok(()),
                Some("in progress") => {}
                _ => return Err(error),
            }
            if !ended && asked.elapsed() > LINGER {
                ended = true;
                // Its connection is gone, but the server has not noticed: it would wait for a dead network for hours.
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                           WHERE pid = $1 AND backend_xid = CAST(CAST($2 AS xid8) AS xid)";
                let _ = fetch_one(db, sql, [self.process.into(), self.id.clone().into()]).await;
            }
            sleep(AGAIN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_broken_connection_is_told_from_a_refusal() {
        let of = |error| DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)));
        assert!(connection_lost(&of(SqlxError::Io(
            std::io::ErrorKind::ConnectionReset.into()
        ))));
        assert!(connection_lost(&of(SqlxError::PoolTimedOut)));
        assert!(!connection_lost(&of(SqlxError::RowNotFound)));
        assert!(!connection_lost(&DbErr::Custom("no".into())));
    }
}
