//! The state of a count: everything that a record vouches for, as seen by one transaction.

use aws_lc_rs::digest::{Context, SHA256};
use futures::TryStreamExt as _;
use sea_orm::{DatabaseTransaction, DbErr, StreamTrait as _};

use crate::db::{Backend, fetch_all_as, fetch_one, query};
use crate::polls::ballots::chain::head;
use crate::polls::ballots::log::{
    Entry, Hash, Head, Terms, Wording, finished, head_of_all, sha256, write,
};
use crate::polls::ballots::root::{Root, each_kind};
use crate::polls::model::Poll;
use crate::polls::results::zone;
use crate::types::{PollId, UnixMillis};

/// What a record vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The number of pages in the log, all chains together.
    pub pages: i64,
    /// The number of ballots that count.
    pub ballots: i64,
    pub set_aside: i64,
    pub root: Hash,
    /// One hash over the ends of all chains.
    pub head: Hash,
    pub counters: Vec<u8>,
}

/// A counting table, summed over the nodes: its numbers (a, b, n), and further columns if it has any.
struct Table {
    name: &'static str,
    sql: &'static str,
    has_bytes: bool,
    has_text: bool,
    /// The first and the last day are hashed after the rows.
    has_days: bool,
}

impl Table {
    const fn of(name: &'static str, sql: &'static str) -> Self {
        Self {
            name,
            sql,
            has_bytes: false,
            has_text: false,
            has_days: false,
        }
    }

    const fn with_bytes(mut self) -> Self {
        self.has_bytes = true;
        self
    }

    const fn with_text(mut self) -> Self {
        self.has_text = true;
        self
    }

    const fn with_days(mut self) -> Self {
        self.has_days = true;
        self
    }
}

const TABLES: [Table; 8] = [
    Table::of(
        "tally",
        "SELECT option_id AS a, CAST(tier AS BIGINT) AS b, CAST(SUM(n) AS BIGINT) AS n FROM tally WHERE poll_id = $1 \
              GROUP BY option_id, tier HAVING SUM(n) <> 0 ORDER BY 1, 2",
    ),
    Table::of(
        "tally of rankings",
        "SELECT question AS a, CAST(tier AS BIGINT) AS b, CAST(SUM(n) AS BIGINT) AS n, ranking AS bytes FROM ranking_tally \
              WHERE poll_id = $1 GROUP BY question, tier, ranking HAVING SUM(n) <> 0 ORDER BY 1, 2, 4",
    )
    .with_bytes(),
    Table::of(
        "tally of words",
        "SELECT option_id AS a, CAST(tier AS BIGINT) AS b, CAST(SUM(n) AS BIGINT) AS n, words_key AS bytes FROM words_tally \
              WHERE poll_id = $1 GROUP BY option_id, tier, words_key HAVING SUM(n) <> 0 ORDER BY 1, 2, 4",
    )
    .with_bytes(),
    Table::of(
        "words that readers see",
        "SELECT option_id AS a, CAST(0 AS BIGINT) AS b, CAST(1 AS BIGINT) AS n, words_key AS bytes, shown AS text FROM words_ruling r \
              WHERE poll_id = $1 AND ruling = 1 AND (SELECT SUM(n) FROM words_tally w WHERE w.poll_id = r.poll_id \
              AND w.option_id = r.option_id AND w.words_key = r.words_key) <> 0 ORDER BY 1, 4",
    )
    .with_bytes()
    .with_text(),
    Table::of(
        "number of answers by place",
        "SELECT CAST(source AS BIGINT) AS a, CAST(0 AS BIGINT) AS b, CAST(SUM(n) AS BIGINT) AS n FROM poll_source WHERE poll_id = $1 \
              GROUP BY source ORDER BY 1",
    )
    .with_days(),
    Table::of(
        "turnout by hour",
        "SELECT hour_ms AS a, CAST(0 AS BIGINT) AS b, CAST(SUM(n) AS BIGINT) AS n FROM poll_hour WHERE poll_id = $1 \
              GROUP BY hour_ms ORDER BY 1",
    ),
    Table::of(
        "number of answers from mails",
        "SELECT issue_id AS a, CAST(0 AS BIGINT) AS b, CAST(SUM(counted) AS BIGINT) AS n FROM mail_vote WHERE poll_id = $1 \
              GROUP BY issue_id HAVING SUM(counted) <> 0 ORDER BY 1",
    ),
    Table::of(
        "list of what was set aside",
        "SELECT number AS a, CAST(CASE WHEN undone_ms IS NULL THEN 0 ELSE 1 END AS BIGINT) AS b, ballots AS n, reason AS text \
              FROM ballot_removal WHERE poll_id = $1 ORDER BY 1",
    )
    .with_text(),
];

impl State {
    /// The state of a poll's count, as this transaction sees it.
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
        for asked in [
            Entry::Wording(Wording::of(poll)),
            Entry::Terms(Terms::of(poll)),
        ] {
            let mut bytes = Vec::new();
            write(&mut bytes, &asked);
            counters.extend(sha256(&bytes));
        }
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

    /// Names what differs between this, which was recorded, and `now`. Records from before there were terms have no hash
    /// of them.
    pub(in crate::polls::ballots) fn differences(&self, now: &Self) -> Vec<&'static str> {
        let mut found = Vec::new();
        for (name, same) in [
            ("chains", self.head == now.head && self.pages == now.pages),
            ("ballots", self.root == now.root),
            ("number of ballots", self.ballots == now.ballots),
            (
                "number of ballots set aside",
                self.set_aside == now.set_aside,
            ),
        ] {
            if !same {
                found.push(name);
            }
        }
        let names = TABLES.iter().map(|table| table.name);
        let names: Vec<_> = names.chain(["wording", "terms"]).collect();
        let without_terms = (names.len() - 1) * 32;
        let known = self.counters.len().max(without_terms);
        let (then, now) = (&self.counters[..], now.counters.get(..known));
        for (at, name) in names.iter().enumerate().take(known / 32) {
            let part = |counters: &[u8]| counters.get(at * 32..at * 32 + 32).map(<[u8]>::to_vec);
            if part(then) != now.and_then(part) {
                found.push(name);
            }
        }
        if found.is_empty() && Some(then) != now {
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
        if table.has_bytes {
            context.update(&sha256(&row.try_get::<Vec<u8>>("", "bytes")?));
        }
        if table.has_text {
            context.update(&sha256(row.try_get::<String>("", "text")?.as_bytes()));
        }
    }
    drop(rows);
    if table.has_days
        && let Some((first, last)) = days(db, poll).await?
    {
        context.update(&first.0.to_be_bytes());
        context.update(&last.0.to_be_bytes());
    }
    Ok(finished(context))
}

/// The start of the first and of the last day on which anything happened to a ballot; readers are told only these days.
pub(in crate::polls::ballots) async fn days(
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
pub(in crate::polls::ballots) async fn chains(
    db: &DatabaseTransaction,
    poll: PollId,
) -> Result<Vec<(i64, Head)>, DbErr> {
    let sql = "SELECT slot, seq, hash FROM ballot_chain WHERE poll_id = $1 ORDER BY slot";
    fetch_all_as(db, sql, [poll.into()], |row| {
        Ok((row.try_get("", "slot")?, head(row)?))
    })
    .await
}
