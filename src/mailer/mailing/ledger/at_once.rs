//! The ledger's writes as one statement, for PostgreSQL: the check of who holds which batch, intents, outcomes, the
//! servers' replies and the counters. Its text never changes, so it is parsed once per connection.
//!
//! An ordinary group is a transaction of its own, in one round trip ([`commit`]). A group that ends a batch or a
//! subscription is written in the caller's transaction ([`write()`]).

use std::sync::LazyLock;
use std::time::Duration;

use sea_orm::{QueryResult, Value};

use super::super::states::DeliveryState;
use super::tally::changes;
use super::{Answer, Entry};
use crate::{
    db::{self, Db, DbErr, Sparing, TURN, Turns, WriteTxn},
    types::UnixMillis,
};

/// The pause between two queries of [`afterwards`].
const AGAIN: Duration = Duration::from_millis(100);

/// Stands in for [`TURN`] in the caller's transaction, and takes the same parameters.
const NO_TURN: &str =
    "turn AS MATERIALIZED (SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS BIGINT))";

/// `$4` to `$7`: the entries. Their batches are locked in the order of their ids, and the rest depends on who holds
/// them: if the fence differs, nothing is written; if the mailing is not being sent, no intent is. The snapshot is
/// taken before the locks, but PostgreSQL reads a locked row again.
const HOLDERS: &str = "
held AS MATERIALIZED (
  SELECT b.id, b.fence, m.state = 1 AS sending FROM mail_batch b JOIN mailing m ON m.issue_id = b.issue_id
  WHERE b.id = ANY($4) AND b.state = 1 AND EXISTS (SELECT 1 FROM turn) ORDER BY b.id FOR UPDATE OF b),
good AS MATERIALIZED (
  SELECT e.n, e.issue, e.fence, e.attempt, h.sending
  FROM unnest(CAST($4 AS BIGINT[]), CAST($5 AS BIGINT[]), CAST($6 AS BIGINT[]), CAST($7 AS BIGINT[]))
    WITH ORDINALITY AS e(batch, fence, issue, attempt, n)
  JOIN held h ON h.id = e.batch AND h.fence = e.fence)";

/// `$8` the time, `$9` to `$13` the recipients.
const RECIPIENTS: &str = "
recipient AS (
  INSERT INTO delivery (issue_id, reader_id, state, reason, fence, attempt, at_ms, code)
  SELECT g.issue, r.reader, r.state, r.reason, g.fence, g.attempt, $8, r.code
  FROM unnest(CAST($9 AS BIGINT[]), CAST($10 AS BIGINT[]), CAST($11 AS SMALLINT[]), CAST($12 AS SMALLINT[]),
              CAST($13 AS SMALLINT[])) AS r(n, reader, state, reason, code)
  JOIN good g ON g.n = r.n WHERE g.sending OR r.state <> 1
  ON CONFLICT (issue_id, reader_id) DO UPDATE SET state = excluded.state, reason = excluded.reason,
    fence = excluded.fence, attempt = excluded.attempt, at_ms = excluded.at_ms, code = excluded.code)";

/// `$14` the stripe, `$15` to `$18` the changes of counters. Keys are written in order, so that two nodes cannot
/// deadlock.
const COUNTERS: &str = "
counter AS (
  INSERT INTO issue_tally (issue_id, state, reason, slot, n)
  SELECT g.issue, t.state, t.reason, $14, SUM(t.d)
  FROM unnest(CAST($15 AS BIGINT[]), CAST($16 AS SMALLINT[]), CAST($17 AS SMALLINT[]), CAST($18 AS INTEGER[]))
    AS t(n, state, reason, d)
  JOIN good g ON g.n = t.n GROUP BY 1, 2, 3 HAVING SUM(t.d) <> 0 ORDER BY 1, 2, 3
  ON CONFLICT (issue_id, state, reason, slot) DO UPDATE SET n = issue_tally.n + excluded.n)";

/// `$19` to `$24`: the servers' replies, except plain acceptances.
const WORDS: &str = "
said AS (
  INSERT INTO delivery_attempt (issue_id, reader_id, attempt, at_ms, state, code, enhanced, reply)
  SELECT g.issue, w.reader, g.attempt, $8, w.state, w.code, w.enhanced, w.reply
  FROM unnest(CAST($19 AS BIGINT[]), CAST($20 AS BIGINT[]), CAST($21 AS SMALLINT[]), CAST($22 AS SMALLINT[]),
              CAST($23 AS TEXT[]), CAST($24 AS TEXT[])) AS w(n, reader, state, code, enhanced, reply)
  JOIN good g ON g.n = w.n
  ON CONFLICT (issue_id, reader_id, attempt) DO NOTHING)";

/// One row per entry that was written, or a single empty row.
const ANSWERS: &str = "SELECT g.n, g.sending FROM turn LEFT JOIN good g ON TRUE";

/// Reconstructs the answers after the commit: a lane that still holds its batch held it then, and an intent is on disk
/// or not.
const AFTERWARDS: &str = "
SELECT e.n, EXISTS (SELECT 1 FROM delivery d WHERE d.issue_id = e.issue AND d.reader_id = e.reader
                      AND d.state = 1 AND d.fence = e.fence) AS sending
FROM unnest(CAST($1 AS BIGINT[]), CAST($2 AS BIGINT[]), CAST($3 AS BIGINT[]), CAST($4 AS BIGINT[]))
  WITH ORDINALITY AS e(batch, fence, issue, reader, n)
JOIN mail_batch b ON b.id = e.batch AND b.fence = e.fence AND b.state = 1";

/// The statement, indexed by whether it is a transaction of its own and whether there are server replies to write.
static STATEMENTS: LazyLock<[[String; 2]; 2]> = LazyLock::new(|| {
    [NO_TURN, TURN].map(|turn| {
        ["", WORDS].map(|words| {
            let parts = [turn, HOLDERS, RECIPIENTS, COUNTERS, words];
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            format!("WITH {} {ANSWERS}", parts.join(","))
        })
    })
});

/// Writes a group as a transaction of its own. No entry may have an ending.
pub(super) async fn commit(
    turns: &mut Turns,
    db: &Db,
    slot: i64,
    entries: &[Entry],
    now: UnixMillis,
) -> Result<Vec<Answer>, DbErr> {
    let group = Group::of(entries);
    let sql = &STATEMENTS[1][usize::from(group.has_words())];
    match turns.run(sql, group.values(slot, now), now).await? {
        Some(rows) => answers(entries, &rows),
        None => afterwards(db, entries).await,
    }
}

/// Writes the entries whose lanes still hold their batches in the caller's transaction, except for their endings.
pub(super) async fn write(
    txn: &WriteTxn,
    slot: i64,
    entries: &[Entry],
    now: UnixMillis,
) -> Result<Vec<Answer>, DbErr> {
    let group = Group::of(entries);
    let sql = &STATEMENTS[0][usize::from(group.has_words())];
    let unused: [Value; 3] = ["".into(), 0i64.into(), 0i64.into()];
    let values = unused.into_iter().chain(group.values(slot, now));
    let rows = db::fetch_all(&**txn, sql.as_str(), values).await?;
    answers(entries, &rows)
}

/// Finds out the answers of a group that was committed but whose result was lost.
async fn afterwards(db: &Db, entries: &[Entry]) -> Result<Vec<Answer>, DbErr> {
    let of = |value: fn(&Entry) -> i64| entries.iter().map(value).collect::<Vec<i64>>();
    let values: [Value; 4] = [
        of(|entry| entry.batch.0).into(),
        of(|entry| entry.fence).into(),
        of(|entry| entry.issue.0).into(),
        of(|entry| entry.intent.map_or(0, |intent| intent.reader.0)).into(),
    ];
    let sparing = Sparing::new();
    loop {
        match db::fetch_all(db.read(), AFTERWARDS, values.clone()).await {
            Ok(rows) => return answers(entries, &rows),
            // Returning an error would mean that nothing was written.
            Err(error) => {
                if let Some(unsaid) = sparing.now() {
                    let batches: Vec<i64> = of(|entry| entry.batch.0);
                    tracing::warn!(?batches, %error, unsaid, "the outcome of a group of ledger entries cannot be read yet");
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

fn answers(entries: &[Entry], rows: &[QueryResult]) -> Result<Vec<Answer>, DbErr> {
    let mut answers = vec![Answer::Stale; entries.len()];
    for row in rows {
        let (Some(n), Some(sending)) = (
            row.try_get_by_index::<Option<i64>>(0)?,
            row.try_get_by_index::<Option<bool>>(1)?,
        ) else {
            continue;
        };
        let at = usize::try_from(n - 1).unwrap_or(usize::MAX);
        if let Some((answer, entry)) = answers.get_mut(at).zip(entries.get(at)) {
            *answer = if entry.intent.is_none() || sending {
                Answer::Written
            } else {
                Answer::Halted
            };
        }
    }
    Ok(answers)
}

/// The parameters, column by column. `n` is the number of an entry, from 1.
#[derive(Default)]
struct Group {
    batches: Vec<i64>,
    fences: Vec<i64>,
    issues: Vec<i64>,
    attempts: Vec<i64>,
    recipients: Recipients,
    counters: Counters,
    words: Said,
}

#[derive(Default)]
struct Recipients {
    n: Vec<i64>,
    reader: Vec<i64>,
    state: Vec<i16>,
    reason: Vec<i16>,
    code: Vec<i16>,
}

#[derive(Default)]
struct Counters {
    n: Vec<i64>,
    state: Vec<i16>,
    reason: Vec<i16>,
    by: Vec<i32>,
}

#[derive(Default)]
struct Said {
    n: Vec<i64>,
    reader: Vec<i64>,
    state: Vec<i16>,
    code: Vec<i16>,
    enhanced: Vec<String>,
    reply: Vec<String>,
}

impl Group {
    fn of(entries: &[Entry]) -> Self {
        let mut group = Self::default();
        for (n, entry) in (1..).zip(entries) {
            group.add(n, entry);
        }
        group
    }

    fn add(&mut self, n: i64, entry: &Entry) {
        self.batches.push(entry.batch.0);
        self.fences.push(entry.fence);
        self.issues.push(entry.issue.0);
        self.attempts.push(entry.attempt);
        for row in entry.rows.iter() {
            let code = row.words.as_ref().map_or(0, |words| words.code);
            let state = row.state.code();
            self.recipients
                .push(n, row.reader.0, state, row.reason.code(), code);
            for ((state, reason), by) in changes(row.was_deferred, row.state, row.reason) {
                self.counters.n.push(n);
                self.counters.state.push(state);
                self.counters.reason.push(reason);
                self.counters.by.push(by);
            }
            if let Some(words) = &row.words {
                self.words.n.push(n);
                self.words.reader.push(row.reader.0);
                self.words.state.push(state);
                self.words.code.push(words.code);
                self.words.enhanced.push(words.enhanced.clone());
                self.words.reply.push(words.text.clone());
            }
        }
        if let Some(intent) = entry.intent {
            let state = DeliveryState::Intent.code();
            self.recipients
                .push(n, intent.reader.0, state, intent.crashes, 0);
        }
    }

    fn has_words(&self) -> bool {
        !self.words.n.is_empty()
    }

    /// The parameters from `$4` on.
    fn values(self, slot: i64, now: UnixMillis) -> Vec<Value> {
        let has_words = self.has_words();
        let mut values: Vec<Value> = vec![
            self.batches.into(),
            self.fences.into(),
            self.issues.into(),
            self.attempts.into(),
            now.into(),
            self.recipients.n.into(),
            self.recipients.reader.into(),
            self.recipients.state.into(),
            self.recipients.reason.into(),
            self.recipients.code.into(),
            slot.into(),
            self.counters.n.into(),
            self.counters.state.into(),
            self.counters.reason.into(),
            self.counters.by.into(),
        ];
        if has_words {
            values.push(self.words.n.into());
            values.push(self.words.reader.into());
            values.push(self.words.state.into());
            values.push(self.words.code.into());
            values.push(self.words.enhanced.into());
            values.push(self.words.reply.into());
        }
        values
    }
}

impl Recipients {
    fn push(&mut self, n: i64, reader: i64, state: i16, reason: i16, code: i16) {
        self.n.push(n);
        self.reader.push(reader);
        self.state.push(state);
        self.reason.push(reason);
        self.code.push(code);
    }
}
