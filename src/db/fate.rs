//! Finds out whether a commit took effect when its reply was lost.
//!
//! A connection can break between `COMMIT` and its reply. The transaction may then be committed or not, and simply
//! retrying would count twice whatever adds to a counter. PostgreSQL remembers: each write transaction notes its
//! own id before it commits, and after a break the server is asked over another connection what happened to that
//! id. SQLite runs in the same process, so no reply can be lost.
//!
//! The id alone is not enough. A server that crashes forgets the ids of transactions of which nothing had reached
//! the disk, reuses them, and would then report the fate of another transaction. So the transaction also writes its
//! id to a row that belongs to its connection; the row is there if and only if the transaction was committed.

use std::time::Duration;

use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr, QueryResult, RuntimeErr, SqlxError};
use tokio::time::{Instant, sleep};

use super::fetch_one;

/// The error for a write while the database file is no longer in its place.
pub(super) const MOVED: &str = "the database file is not in its place";

/// The pause between two queries.
const AGAIN: Duration = Duration::from_millis(100);
/// A transaction that is still in progress after this time, although its client is gone, is terminated.
const LINGER: Duration = Duration::from_secs(2);

/// Whether an error means that the database could not be reached or the connection broke, rather than that it
/// refused.
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

/// Whether an error means that the database cannot be written at present: it cannot be reached, another program
/// holds it, or the disk is full, failing or read-only. The request is not at fault. If a commit failed this way,
/// its outcome is unknown.
#[must_use]
pub fn is_unwritable(error: &DbErr) -> bool {
    if connection_lost(error) {
        return true;
    }
    if matches!(error, DbErr::Custom(words) if words == MOVED) {
        return true;
    }
    let (DbErr::Exec(cause) | DbErr::Query(cause) | DbErr::Conn(cause)) = error else {
        return false;
    };
    let RuntimeErr::SqlxError(error) = cause else {
        return false;
    };
    let Some(code) = error.as_database_error().and_then(|refusal| refusal.code()) else {
        return false;
    };
    if code.len() == 5 {
        // PostgreSQL. 53: insufficient resources, such as a full disk; 25006: the server has become a standby.
        return code.starts_with("53") || code == "25006";
    }
    // SQLITE_BUSY, _READONLY, _IOERR, _FULL and _CANTOPEN with their extended codes.
    let kind = code.parse::<u32>().ok().map(|code| code & 0xff);
    matches!(kind, Some(5 | 8 | 10 | 13 | 14))
}

/// A transaction that is about to be committed on PostgreSQL.
#[derive(Debug)]
pub(super) struct Ticket {
    /// The id of the transaction.
    id: i64,
    process: i32,
    /// The key of its connection's row in `write_turn`.
    writer: String,
}

impl Ticket {
    /// Writes the row and returns the columns of the ticket. Process ids are reused after a restart, hence the
    /// server's start time in the key.
    pub(super) const WRITE: &str = "INSERT INTO write_turn (writer, turn, at_ms) \
        SELECT 'connection ' || pg_backend_pid() || ' of ' || EXTRACT(EPOCH FROM pg_postmaster_start_time()), \
               CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT), CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT) \
        ON CONFLICT (writer) DO UPDATE SET turn = excluded.turn, at_ms = excluded.at_ms \
        RETURNING turn, pg_backend_pid(), writer";

    /// Reads the row that [`WRITE`](Self::WRITE) returned.
    ///
    /// # Errors
    /// If there is no row.
    pub(super) fn read(row: Option<QueryResult>) -> Result<Self, DbErr> {
        let row = row.ok_or_else(|| DbErr::Custom("the transaction has no id".into()))?;
        Ok(Self {
            id: row.try_get_by_index(0)?,
            process: row.try_get_by_index(1)?,
            writer: row.try_get_by_index(2)?,
        })
    }

    /// Finds out whether the transaction was committed although its commit failed with `error`. Repeats the query
    /// until the answer is known, however long the database is away; a caller that does not want to wait drops the
    /// future.
    ///
    /// # Errors
    /// `error` if nothing was written.
    pub(super) async fn settle(
        self,
        db: &DatabaseConnection,
        name: &'static str,
        error: DbErr,
    ) -> Result<(), DbErr> {
        tracing::warn!(txn = name, %error, "the reply to a commit was lost; looking up its outcome");
        metrics::counter!("canvass_commits_in_doubt_total", "txn" => name).increment(1);
        let asked = Instant::now();
        let mut ended = false;
        loop {
            let status = match self.status(db).await {
                Ok(status) => status,
                Err(lost) if connection_lost(&lost) => {
                    sleep(AGAIN).await;
                    continue;
                }
                // A server that was restored without this transaction does not know its id.
                Err(_) => None,
            };
            match status.as_deref() {
                // This query runs later, in a snapshot of its own: if it sees the transaction as committed, it also
                // sees its row.
                Some("committed") => match self.has_left_its_row(db).await {
                    Ok(true) => return Ok(()),
                    Ok(false) => return Err(error),
                    Err(_) => {}
                },
                Some("in progress") => {}
                _ => return Err(error),
            }
            if !ended && asked.elapsed() > LINGER {
                ended = true;
                // The client is gone, but the server has not noticed and would wait for a dead network connection
                // for hours.
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                           WHERE pid = $1 AND backend_xid = CAST(CAST($2 AS xid8) AS xid)";
                let id = self.id.to_string();
                let _ = fetch_one(db, sql, [self.process.into(), id.into()]).await;
            }
            sleep(AGAIN).await;
        }
    }

    /// The server's status of the id.
    async fn status(&self, db: &DatabaseConnection) -> Result<Option<String>, DbErr> {
        let sql = "SELECT pg_xact_status(CAST($1 AS xid8))";
        let row = fetch_one(db, sql, [self.id.to_string().into()]).await?;
        row.map_or(Ok(None), |row| row.try_get_by_index(0))
    }

    async fn has_left_its_row(&self, db: &DatabaseConnection) -> Result<bool, DbErr> {
        let sql = "SELECT 1 FROM write_turn WHERE writer = $1 AND turn = $2";
        let values = [self.writer.clone().into(), self.id.into()];
        fetch_one(db, sql, values).await.map(|row| row.is_some())
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
