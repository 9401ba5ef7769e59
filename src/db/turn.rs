//! A whole transaction in one statement: one round trip to PostgreSQL instead of three, with an outcome that can
//! still be looked up.
//!
//! A statement outside a transaction is a transaction of its own. If its reply is lost, nobody knows whether it
//! ran, and it may even run later, when the server gets to it. So each [`Turns`] has a row with a number, and its
//! statements either increment that number from the expected value or do nothing. After a lost reply the row is
//! locked and read: if the number was incremented, the statement ran; otherwise the number is moved past the lost
//! statement, which then can no longer run.

use std::time::Duration;

use sea_orm::{DbErr, QueryResult, Value};
use tokio::time::{Instant, sleep};

use super::fate::connection_lost;
use super::write::note;
use super::{Db, fetch_one, run};
use crate::types::UnixMillis;

/// The first part of a statement for [`Turns::run`], to follow `WITH`. All other parts must do nothing if `turn`
/// has no row. `$1` to `$3` are taken.
pub const TURN: &str = "turn AS MATERIALIZED (UPDATE write_turn SET turn = turn + 1, at_ms = $3 WHERE writer = $1 AND turn = $2 RETURNING turn)";

/// The pause between two queries.
const AGAIN: Duration = Duration::from_millis(100);
/// Rows of writers that have not written for this long are removed: 30 days, a thousand times the longest lease.
const FORGET_MS: i64 = 30 * 86_400_000;

/// A writer that runs one statement at a time. PostgreSQL only.
#[derive(Debug)]
pub struct Turns {
    db: Db,
    name: &'static str,
    /// The key of its row, unique to this writer.
    writer: String,
    /// The number in its row; `None` while that is not known.
    turn: Option<i64>,
}

impl Turns {
    /// `name` is for metrics and logs; `writer` must be unique among all processes.
    #[must_use]
    pub fn new(db: &Db, name: &'static str, writer: String) -> Self {
        Self {
            db: db.clone(),
            name,
            writer,
            turn: None,
        }
    }

    /// Runs a statement that begins with [`TURN`] and that returns a row if it had its turn. `values` start at
    /// `$4`. If the connection breaks before the reply, this waits until the outcome is known. If the statement
    /// ran, it then returns `None`: what it returned is lost and has to be read.
    ///
    /// # Errors
    /// The error of the database; nothing was written then.
    pub async fn run(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        now: UnixMillis,
    ) -> Result<Option<Vec<QueryResult>>, DbErr> {
        let started = Instant::now();
        self.db.health().let_write()?;
        // Taken, not copied: if this future is dropped, a statement of unknown outcome is left behind.
        let turn = match self.turn.take() {
            Some(turn) => turn,
            None => self.begin(now).await?,
        };
        let taken: [Value; 3] = [self.writer.clone().into(), turn.into(), now.into()];
        let values = taken.into_iter().chain(values).collect();
        let done = self.db.run_alone(sql, values).await;
        note(self.name, started.elapsed());
        let done = done.inspect_err(|error| self.db.health().note(error));
        match done {
            Ok(rows) if !rows.is_empty() => {
                self.turn = Some(turn + 1);
                Ok(Some(rows))
            }
            Ok(_) => Err(DbErr::Custom("somebody else wrote under this name".into())),
            Err(error) if connection_lost(&error) => {
                tracing::warn!(txn = self.name, %error, "the reply to a commit was lost; looking up its outcome");
                metrics::counter!("canvass_commits_in_doubt_total", "txn" => self.name)
                    .increment(1);
                if self.settle(turn, now).await {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
            Err(error) => {
                self.turn = Some(turn);
                Err(error)
            }
        }
    }

    /// Reads the writer's number and moves it past every statement that may still be on its way.
    async fn begin(&mut self, now: UnixMillis) -> Result<i64, DbErr> {
        let txn = self.db.write_txn("write_turn").await?;
        let sql = "DELETE FROM write_turn WHERE at_ms < $1";
        run(&*txn, sql, [(now.0 - FORGET_MS).into()]).await?;
        let row = fetch_one(
            &*txn,
            "INSERT INTO write_turn (writer, turn, at_ms) VALUES ($1, 1, $2)
             ON CONFLICT (writer) DO UPDATE SET turn = write_turn.turn + 2, at_ms = excluded.at_ms RETURNING turn",
            [self.writer.clone().into(), now.into()],
        )
        .await?
        .ok_or_else(|| DbErr::Custom("a row that was written is not there".into()))?;
        let turn = row.try_get_by_index(0)?;
        txn.commit().await?;
        Ok(turn)
    }

    /// Finds out whether the statement that increments the number from `turn` ran. If not, it never will. Repeats
    /// the query until the answer is known, however long the database is away; a caller that does not want to wait
    /// drops the future.
    async fn settle(&mut self, turn: i64, now: UnixMillis) -> bool {
        loop {
            match self.look(turn, now).await {
                Ok((stands, turn)) => {
                    self.turn = Some(turn);
                    return stands;
                }
                Err(error) => {
                    tracing::debug!(txn = self.name, %error, "the outcome of a commit is not known yet");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    async fn look(&self, turn: i64, now: UnixMillis) -> Result<(bool, i64), DbErr> {
        let txn = self.db.write_txn("write_turn").await?;
        // Waits for the statement if it is running. A row that was removed meanwhile, after weeks, also restarts
        // past it.
        let row = fetch_one(
            &*txn,
            "INSERT INTO write_turn (writer, turn, at_ms) VALUES ($1, $2 + 2, $3)
             ON CONFLICT (writer) DO UPDATE SET at_ms = excluded.at_ms,
               turn = CASE WHEN write_turn.turn = $2 THEN excluded.turn ELSE write_turn.turn END RETURNING turn",
            [self.writer.clone().into(), turn.into(), now.into()],
        )
        .await?
        .ok_or_else(|| DbErr::Custom("a row that was written is not there".into()))?;
        let found: i64 = row.try_get_by_index(0)?;
        txn.commit().await?;
        Ok((found == turn + 1, found))
    }
}
