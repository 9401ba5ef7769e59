//! The record of a count that has come to rest: written at the close, and again when an editor changes what counts afterwards.
//!
//! It can be checked as long as the poll is kept, also when the log and the voters' keys are destroyed: nothing in it depends on who
//! cast a ballot or when. Its hash covers the ends of the log's chains and the record before it, and is what readers are shown: whoever
//! changes a ballot or a number later cannot come to the same hash.
//!
//! ```text
//! hash     = SHA-256("canvass poll record 1" 00 | poll | number | at_ms | pages | ballots | set aside | root | head | counters | hash before)
//! counters = a SHA-256 for each of TABLES, then one for what the poll asks
//! ```
//!
//! Numbers are 8 bytes, big endian; the hash before the first record is 32 zeros.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use futures::TryStreamExt as _;
use sea_orm::{DatabaseTransaction, DbErr, QueryResult, StreamTrait as _, Value};

use super::log::{Entry, Hash, Head, Wording, finished, head_of_all, sha256, write};
use super::root::{Root, each_kind};
use super::seal;
use crate::db::{Backend, Db, WriteTxn, fetch_all, fetch_one, query, run};
use crate::polls::model::{Phase, Poll};
use crate::polls::store;
use crate::polls::view::zone;
use crate::types::{PollId, UnixMillis};

/// What a record vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Pages of the log, of all chains together.
    pub pages: i64,
    /// Ballots that count.
    pub ballots: i64,
    pub set_aside: i64,
    pub root: Hash,
    /// The ends of all chains as one.
    pub head: Hash,
    pub counters: Vec<u8>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// From 1, in each poll.
    pub number: i64,
    pub at: UnixMillis,
    pub state: State,
    pub hash: Hash,
}

/// The counting tables with nodes taken together, each with numbers (a, b, n), and with bytes and text where it has some.
struct Table {
    name: &'static str,
    sql: &'static str,
    bytes: bool,
    text: bool,
}

const TABLES: [Table; 8] = [
    Table {
        name: "tally",
        sql: "SELECT option_id AS a, CAST(tier AS BIGINT) AS b, CAST(SUM(n) AS BIGINT) AS n FROM tally WHERE poll_id = $1 \
              GROUP BY option_id, tier HAVING SUM(n) <> 0 ORDER BY 1, 2",
        bytes: false,
        text: false,
    },
    Table {
        name: "tally of rankings",
        sql: "SELECT question AS a, CAST(tier AS BIGINT) AS b, CAST(SUM(n) AS BIGINT) AS n, ranking AS bytes FROM ranking_tally \
              WHERE poll_id = $1 GROUP BY question, tier, ranking HAVING SUM(n) <> 0 ORDER BY 1, 2, 4",
        bytes: true,
        text: false,
    },
    Table {
        name: "tally of words",
        sql: "SELECT option_id AS a, CAST(tier AS BIGINT) AS b, CAST(SUM(n) AS BIGINT) AS n, words_key AS bytes FROM words_tally \
              WHERE poll_id = $1 GROUP BY option_id, tier, words_key HAVING SUM(n) <> 0 ORDER BY 1, 2, 4",
        bytes: true,
        text: false,
    },
    Table {
        name: "words that readers see",
        sql: "SELECT option_id AS a, CAST(0 AS BIGINT) AS b, CAST(1 AS BIGINT) AS n, words_key AS bytes, shown AS text FROM words_ruling r \
              WHERE poll_id = $1 AND ruling = 1 AND (SELECT SUM(n) FROM words_tally w WHERE w.poll_id = r.poll_id \
              AND w.option_id = r.option_id AND w.words_key = r.words_key) <> 0 ORDER BY 1, 4",
        bytes: true,
        text: true,
    },
    Table {
        name: "number of answers by place",
        sql: "SELECT CAST(source AS BIGINT) AS a, CAST(0 AS BIGINT) AS b, CAST(SUM(n) AS BIGINT) AS n FROM poll_source WHERE poll_id = $1 \
              GROUP BY source ORDER BY 1",
        bytes: false,
        text: false,
    },
    Table {
        name: "turnout by hour",
        sql: "SELECT hour_ms AS a, CAST(0 AS BIGINT) AS b, CAST(SUM(n) AS BIGINT) AS n FROM poll_hour WHERE poll_id = $1 \
              GROUP BY hour_ms ORDER BY 1",
        bytes: false,
        text: false,
    },
    Table {
        name: "number of answers from mails",
        sql: "SELECT issue_id AS a, CAST(0 AS BIGINT) AS b, CAST(SUM(counted) AS BIGINT) AS n FROM mail_vote WHERE poll_id = $1 \
              GROUP BY issue_id HAVING SUM(counted) <> 0 ORDER BY 1",
        bytes: false,
        text: false,
    },
    Table {
        name: "list of what was set aside",
        sql: "SELECT number AS a, CAST(CASE WHEN undone_ms IS NULL THEN 0 ELSE 1 END AS BIGINT) AS b, ballots AS n, reason AS text \
              FROM ballot_removal WHERE poll_id = $1 ORDER BY 1",
        bytes: false,
        text: true,
    },
];

impl State {
    /// The state of a poll's count as this transaction sees it.
    ///
    /// # Errors
    /// What the database said.
    pub async fn of(
        db: &DatabaseTransaction,
        backend: Backend,
        poll: &Poll,
    ) -> Result<Self, DbErr> {
        let (mut root, mut ballots, mut set_aside) = (Root::of(poll.id), 0, 0);
        each_kind(db, backend, poll, |kind| {
            root.add(&kind);
            if kind.set_aside {
                set_aside += kind.n;
            } else {
                ballots += kind.n;
            }
        })
        .await?;
        let mut counters = Vec::new();
        for table in &TABLES {
            counters.extend(digest(db, table, poll).await?);
        }
        let mut asked = Vec::new();
        write(&mut asked, &Entry::Wording(Wording::of(poll)));
        counters.extend(sha256(&asked));
        let chains = chains(db, poll.id).await?;
        Ok(Self {
            pages: chains.iter().map(|(_, head)| head.seq).sum(),
            ballots,
            set_aside,
            root: root.finish(),
            head: head_of_all(poll.id, &chains),
            counters,
        })
    }

    /// In what this differs from `other`, in words.
    pub(super) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let mut found = Vec::new();
        for (name, same) in [
            (
                "chains",
                self.head == other.head && self.pages == other.pages,
            ),
            ("ballots", self.root == other.root),
            ("number of ballots", self.ballots == other.ballots),
            (
                "number of ballots set aside",
                self.set_aside == other.set_aside,
            ),
        ] {
            if !same {
                found.push(name);
            }
        }
        let names = TABLES.iter().map(|table| table.name).chain(["wording"]);
        for (at, name) in names.enumerate() {
            let part = |counters: &[u8]| counters.get(at * 32..at * 32 + 32).map(<[u8]>::to_vec);
            if part(&self.counters) != part(&other.counters) {
                found.push(name);
            }
        }
        if found.is_empty() && self != other {
            found.push("counters");
        }
        found
    }
}

async fn digest(db: &DatabaseTransaction, table: &Table, poll: &Poll) -> Result<Hash, DbErr> {
    let mut context = Context::new(&SHA256);
    let statement = query(db, table.sql, [poll.id.into()]);
    let mut rows = db.stream_raw(statement).await?;
    while let Some(row) = rows.try_next().await? {
        for column in ["a", "b", "n"] {
            context.update(&row.try_get::<i64>("", column)?.to_be_bytes());
        }
        if table.bytes {
            context.update(&sha256(&row.try_get::<Vec<u8>>("", "bytes")?));
        }
        if table.text {
            context.update(&sha256(row.try_get::<String>("", "text")?.as_bytes()));
        }
    }
    drop(rows);
    if table.name.ends_with("place")
        && let Some((first, last)) = days(db, poll).await?
    {
        context.update(&first.0.to_be_bytes());
        context.update(&last.0.to_be_bytes());
    }
    Ok(finished(context))
}

/// When the first and the last day began on which anything happened to a ballot: that is what readers are told.
pub(super) async fn days(
    db: &DatabaseTransaction,
    poll: &Poll,
) -> Result<Option<(UnixMillis, UnixMillis)>, DbErr> {
    let sql = "SELECT MIN(first_ms) AS first_ms, MAX(last_ms) AS last_ms FROM poll_source WHERE poll_id = $1";
    let Some(row) = fetch_one(db, sql, [poll.id.into()]).await? else {
        return Ok(None);
    };
    let first: Option<UnixMillis> = row.try_get("", "first_ms")?;
    let last: Option<UnixMillis> = row.try_get("", "last_ms")?;
    let zone = zone(poll);
    let day = |at: UnixMillis| {
        let begun = at.timestamp().to_zoned(zone.clone()).start_of_day();
        begun.map_or(at, |day| UnixMillis(day.timestamp().as_millisecond()))
    };
    Ok(first.map(day).zip(last.map(day)))
}

/// The ends of a poll's chains, by slot.
pub(super) async fn chains(
    db: &DatabaseTransaction,
    poll: PollId,
) -> Result<Vec<(i64, Head)>, DbErr> {
    let sql = "SELECT slot, seq, hash FROM ballot_chain WHERE poll_id = $1 ORDER BY slot";
    let rows = fetch_all(db, sql, [poll.into()]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "slot")?, super::chain::head(row)?)))
        .collect()
}

impl Record {
    /// The record that follows `before`.
    fn of(poll: PollId, at: UnixMillis, state: State, before: Option<&Self>) -> Self {
        let number = before.map_or(0, |record| record.number) + 1;
        let hash = Self::hash(poll, number, at, &state, before.map_or([0; 32], |r| r.hash));
        Self {
            number,
            at,
            state,
            hash,
        }
    }

    fn hash(poll: PollId, number: i64, at: UnixMillis, state: &State, before: Hash) -> Hash {
        let mut context = Context::new(&SHA256);
        context.update(b"canvass poll record 1\0");
        for number in [
            poll.0,
            number,
            at.0,
            state.pages,
            state.ballots,
            state.set_aside,
        ] {
            context.update(&number.to_be_bytes());
        }
        context.update(&state.root);
        context.update(&state.head);
        context.update(&state.counters);
        context.update(&before);
        finished(context)
    }

    /// Whether its hash is that of what it says, after `before`.
    pub(super) fn fits(&self, poll: PollId, before: Option<&Self>) -> bool {
        let last = before.map_or([0; 32], |record| record.hash);
        self.number == before.map_or(0, |record| record.number) + 1
            && self.hash == Self::hash(poll, self.number, self.at, &self.state, last)
    }

    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let hash = |column: &str| -> Result<Hash, DbErr> {
            let bytes: Vec<u8> = row.try_get("", column)?;
            // One that is no hash fits nothing.
            Ok(bytes.try_into().unwrap_or_default())
        };
        Ok(Self {
            number: row.try_get("", "number")?,
            at: row.try_get("", "at_ms")?,
            state: State {
                pages: row.try_get("", "entries")?,
                ballots: row.try_get("", "ballots")?,
                set_aside: row.try_get("", "set_aside")?,
                root: hash("root")?,
                head: hash("head")?,
                counters: row.try_get("", "counters")?,
            },
            hash: hash("hash")?,
        })
    }
}

const COLUMNS: &str = "number, at_ms, entries, ballots, set_aside, root, head, counters, hash";

/// The records of a poll, oldest first.
pub(super) async fn all(db: &DatabaseTransaction, poll: PollId) -> Result<Vec<Record>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM poll_record WHERE poll_id = $1 ORDER BY number");
    let rows = fetch_all(db, sql, [poll.into()]).await?;
    rows.iter().map(Record::read).collect()
}

/// The last record of a poll, once it was closed.
///
/// # Errors
/// What the database said.
pub async fn latest(db: &Db, poll: PollId) -> Result<Option<Record>, DbErr> {
    let sql = format!(
        "SELECT {COLUMNS} FROM poll_record WHERE poll_id = $1 ORDER BY number DESC LIMIT 1"
    );
    let row = fetch_one(db.read(), sql, [poll.into()]).await?;
    row.as_ref().map(Record::read).transpose()
}

/// Writes down how the count of `poll` stands in this transaction, unless the last record says so already.
pub(super) async fn renew(
    txn: &WriteTxn,
    backend: Backend,
    poll: &Poll,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let last = all(txn, poll.id).await?.pop();
    let state = State::of(txn, backend, poll).await?;
    if last.as_ref().is_some_and(|last| last.state == state) {
        return Ok(());
    }
    let record = Record::of(poll.id, now, state, last.as_ref());
    let sql = "INSERT INTO poll_record (poll_id, number, at_ms, entries, ballots, set_aside, root, head, counters, hash) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (poll_id, number) DO NOTHING";
    let values: [Value; 10] = [
        poll.id.into(),
        record.number.into(),
        now.into(),
        record.state.pages.into(),
        record.state.ballots.into(),
        record.state.set_aside.into(),
        record.state.root.to_vec().into(),
        record.state.head.to_vec().into(),
        record.state.counters.into(),
        record.hash.to_vec().into(),
    ];
    run(&**txn, sql, values).await.map(drop)
}

/// As [`renew`], if the log went on since the last record. What was changed past the log must not be recorded as if it had been decided.
pub(super) async fn renew_after_log(
    txn: &WriteTxn,
    backend: Backend,
    poll: &Poll,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let head = head_of_all(poll.id, &chains(txn, poll.id).await?);
    match all(txn, poll.id).await?.pop() {
        Some(last) if last.state.head == head => Ok(()),
        _ => renew(txn, backend, poll, now).await,
    }
}

/// The ends of a poll's chains, and the head its last record names.
#[derive(Default)]
struct Ends {
    recorded: Option<Vec<u8>>,
    chains: Vec<(i64, Head)>,
}

/// Writes a record for every closed poll whose log went on since its last one.
///
/// # Errors
/// What the database said.
pub async fn record_closed(db: &Db, now: UnixMillis) -> Result<(), DbErr> {
    let sql = "SELECT p.id AS id, c.slot AS slot, c.seq AS seq, c.hash AS hash, (SELECT r.head FROM poll_record r \
               WHERE r.poll_id = p.id ORDER BY r.number DESC LIMIT 1) AS head FROM poll p LEFT JOIN ballot_chain c ON c.poll_id = p.id \
               WHERE p.closed_ms IS NOT NULL AND p.sealed_ms IS NULL AND p.unchained = 0 ORDER BY p.id, c.slot";
    let mut polls: BTreeMap<PollId, Ends> = BTreeMap::new();
    for row in fetch_all(db.read(), sql, []).await? {
        let known = polls.entry(row.try_get("", "id")?).or_default();
        known.recorded = row.try_get("", "head")?;
        if let Some(slot) = row.try_get::<Option<i64>>("", "slot")? {
            known.chains.push((slot, super::chain::head(&row)?));
        }
    }
    polls.retain(|id, ends| ends.recorded.as_deref() != Some(&head_of_all(*id, &ends.chains)[..]));
    for id in polls.into_keys() {
        let txn = db.write_txn("poll-record").await?;
        seal::lock(db, &txn, id).await?;
        if let Some(poll) = store::by_id_in(&*txn, id).await?
            && poll.sealed_at.is_none()
            && matches!(poll.phase(now), Phase::Closed { .. })
        {
            renew(&txn, db.backend(), &poll, now).await?;
            txn.commit().await?;
        }
    }
    Ok(())
}
