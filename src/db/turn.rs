//! A whole transaction in one statement: one round trip to PostgreSQL instead of three, and still known afterwards whether it stands.
//!
//! A statement outside a transaction is one of its own. When its answer is lost, nobody knows whether it was carried out, and it may
//! even be carried out later, when the server comes to it. So each [`Turns`] has a row with a number, and its statements raise
//! that number from the value that they expect, or do nothing. After a lost answer the row is locked and read: a raised number
//! says "done"; otherwise it is raised past the lost statement, which then cannot be carried out any more.

use std::time::Duration;

use sea_orm::{DbErr, QueryResult, Value};
use tokio::time::{Instant, sleep};

use super::fate::connection_lost;
use super::{Db, fetch_all, fetch_one, run};
use crate::types::UnixMillis;

/// The first part of a statement for [`Turns::run`], after `WITH`: all of its other parts must come to nothing where `turn` has no
/// row. `$1` to `$3` are taken.
pub const TURN: &str = "turn AS MATERIALIZED (UPDATE write_turn SET turn = turn + 1, at_ms = $3 WHERE writer = $1 AND turn = $2 RETURNING turn)";

/// Between two questions.
const AGAIN: Duration = Duration::from_millis(100);
/// Rows of writers that have not written for so long are removed: 30 days, a thousand times the longest lease.
const FORGET_MS: i64 = 30 * 86_400_000;

/// A writer that carries out one statement at a time. PostgreSQL only.
#[derive(Debug)]
pub struct Turns {
    db: Db,
    name: &'static str,
    /// The key of its row: nobody else's.
    writer: String,
    /// The number in its row; none while that is not known.
    turn: Option<i64>,
}

impl Turns {
    /// `name` says what for, in metrics and logs; `writer` must be nobody else's, in this process or another.
    #[must_use]
    pub fn new(db: &Db, name: &'static str, writer: String) -> Self {
        Self {
            db: db.clone(),
            name,
            writer,
            turn: None,
        }
    }

    /// Carries out a statement that begins with [`TURN`] and returns a row when it had its turn. `values` are those from `$4` on.
    /// When the connection breaks before the answer, this waits until the database says whether it stands; if so, `None`: what it
    /// returned is lost, and has to be read.
    ///
    /// # Errors
    /// What the database said; then nothing was written.
    pub async fn run(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        now: UnixMillis,
    ) -> Result<Option<Vec<QueryResult>>, DbErr> {
        let started = Instant::now();
        self.db.health().let_write()?;
        // Whoever drops this future leaves a statement behind of which nothing is known.
        let turn = match self.turn.take() {
            Some(turn) => turn,
            None => self.begin(now).await?,
        };
        let taken: [Value; 3] = [self.writer.clone().into(), turn.into(), now.into()];
        let done = fetch_all(&*self.db.writer(), sql, taken.into_iter().chain(values)).await;
        metrics::histogram!("canvass_commit_seconds", "txn" => self.name).record(started.elapsed());
        let done = done.inspect_err(|error| self.db.health().note(error));
        match done {
            Ok(rows) if !rows.is_empty() => {
                self.turn = Some(turn + 1);
                Ok(Some(rows))
            }
            Ok(_) => Err(DbErr::Custom("somebody else wrote under this name".into())),
            Err(error) if connection_lost(&error) => {
                tracing::warn!(txn = self.name, %error, "the answer to a commit was lost; asking what became of it");
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

    /// Finds its number, past every statement that may still be on its way.
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

    /// Whether the statement that raised the number from `turn` stands. If not, it never will. Asks until it is known, however long
    /// the database is away: whoever does not want to wait drops the question.
    async fn settle(&mut self, turn: i64, now: UnixMillis) -> bool {
        loop {
            match self.look(turn, now).await {
                Ok((stands, turn)) => {
                    self.turn = Some(turn);
                    return stands;
                }
                Err(error) => {
                    tracing::debug!(txn = self.name, %error, "what became of a commit is not known yet");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    async fn look(&self, turn: i64, now: UnixMillis) -> Result<(bool, i64), DbErr> {
        let txn = self.db.write_txn("write_turn").await?;
        // Waits for the statement, if it is at work. A row that was forgotten meanwhile, after weeks, begins past it as well.
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
