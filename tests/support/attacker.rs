//! An attacker who has everything that is left of a poll, and all keys except the destroyed one, and wants to know what
//! readers answered.

use std::collections::{BTreeMap, HashSet};

use canvass::db::{Backend, Db, fetch_all};
use canvass::polls::ballots::VoterKey;
use canvass::polls::ballots::log::{Entry, read};
use canvass::polls::{Poll, PollSecret, Voter, stored_options};
use canvass::types::{OptionId, UnixMillis};

use super::dump;

/// A ballot that was found somewhere, with its context.
#[derive(Debug, Clone)]
pub struct Found {
    pub voter: VoterKey,
    pub choice: OptionId,
    pub at: UnixMillis,
    /// Its tier and place.
    pub kind: (i64, i64),
}

/// What the attacker knows about a reader: the browser's cookie or the link in a mail, and when the reader asked for
/// the newsletter.
#[derive(Debug, Clone)]
pub struct Known {
    pub voter: Voter,
    pub asked: Option<UnixMillis>,
    pub kind: (i64, i64),
}

/// Everything in the database.
pub struct Loot {
    poll: Poll,
    /// Every binary value in any table.
    bytes: HashSet<Vec<u8>>,
    pub ballots: Vec<Found>,
}

impl Loot {
    pub async fn of(db: &Db, poll: &Poll) -> Self {
        let mut bytes = HashSet::new();
        for table in dump::tables(db).await {
            for column in dump::columns(db, &table).await {
                bytes.extend(blobs(db, &table, &column).await);
            }
        }
        let mut ballots = rows(db, poll).await;
        ballots.extend(pages(db, poll).await);
        Self {
            poll: poll.clone(),
            bytes,
            ballots,
        }
    }

    /// Tries every value in the database, and every key that the attacker has, as the poll's secret.
    pub fn by_key(&self, readers: &[Known], keys: &[Vec<u8>]) -> Vec<Option<OptionId>> {
        let tried: Vec<Poll> = self
            .bytes
            .iter()
            .chain(keys)
            .map(|key| Poll {
                secret: PollSecret::new(key.clone()),
                ..self.poll.clone()
            })
            .collect();
        let by_voter: BTreeMap<VoterKey, OptionId> =
            self.ballots.iter().map(|b| (b.voter, b.choice)).collect();
        let guess = |reader: &Known| {
            let keys = tried.iter().map(|poll| reader.voter.key(poll));
            keys.filter_map(|key| by_voter.get(&key).copied()).next()
        };
        readers.iter().map(guess).collect()
    }

    /// Guesses that a reader who asked for the newsletter within seconds after a ballot cast that ballot.
    pub fn by_time(&self, readers: &[Known]) -> Vec<Option<OptionId>> {
        let near = |asked: UnixMillis| {
            let before = self.ballots.iter().filter(|b| b.at <= asked);
            before
                .filter(|b| asked.0 - b.at.0 < 3_000)
                .min_by_key(|b| asked.0 - b.at.0)
                .map(|b| b.choice)
        };
        readers.iter().map(|r| r.asked.and_then(near)).collect()
    }

    /// Guesses that the n-th reader who asked cast the n-th ballot of the same kind.
    pub fn by_order(&self, readers: &[Known]) -> Vec<Option<OptionId>> {
        let mut asked: Vec<UnixMillis> = readers.iter().filter_map(|r| r.asked).collect();
        asked.sort_unstable();
        let kind = readers.iter().find(|r| r.asked.is_some()).map(|r| r.kind);
        let mut ballots: Vec<&Found> = self.ballots.iter().collect();
        ballots.retain(|b| Some(b.kind) == kind);
        ballots.sort_by_key(|b| (b.at, b.voter));
        ballots.dedup_by_key(|b| b.voter);
        let nth = |at: UnixMillis| asked.iter().position(|other| *other == at);
        let guess = |r: &Known| {
            let n = r.asked.and_then(nth)?;
            ballots.get(n).map(|b| b.choice)
        };
        readers.iter().map(guess).collect()
    }

    /// If all ballots of a kind have the same choice, every reader of that kind made it.
    pub fn by_kind(&self, readers: &[Known]) -> Vec<Option<OptionId>> {
        let guess = |r: &Known| {
            let mut said = self.ballots.iter().filter(|b| b.kind == r.kind);
            let first = said.next()?.choice;
            said.all(|b| b.choice == first).then_some(first)
        };
        readers.iter().map(guess).collect()
    }
}

/// Tries every 32 bytes of a file as the poll's secret: whether one gives a voter's key that is also in the file.
pub fn key_in_file(file: &[u8], poll: &Poll, voter: &Voter) -> bool {
    let stands: HashSet<&[u8]> = file.windows(16).collect();
    let tried: HashSet<&[u8]> = file.windows(32).collect();
    tried.into_iter().any(|key| {
        let poll = Poll {
            secret: PollSecret::new(key.to_vec()),
            questions: Vec::new(),
            ..poll.clone()
        };
        stands.contains(&voter.key(&poll)[..])
    })
}

pub fn contains(file: &[u8], bytes: &[u8]) -> bool {
    file.windows(bytes.len()).any(|window| window == bytes)
}

async fn blobs(db: &Db, table: &str, column: &str) -> Vec<Vec<u8>> {
    let sql = match db.backend() {
        Backend::Sqlite => {
            format!("SELECT {column} AS b FROM {table} WHERE typeof({column}) = 'blob'")
        }
        Backend::Postgres => {
            let kind = format!(
                "SELECT data_type::text FROM information_schema.columns WHERE table_schema = 'public' \
                 AND table_name = '{table}' AND column_name = '{column}'"
            );
            let row = fetch_all(db.read(), kind, []).await.unwrap();
            if row[0].try_get_by_index::<String>(0).unwrap() != "bytea" {
                return Vec::new();
            }
            format!("SELECT {column} AS b FROM {table} WHERE {column} IS NOT NULL")
        }
    };
    let rows = fetch_all(db.read(), sql, []).await.unwrap();
    rows.iter()
        .map(|row| row.try_get("", "b").unwrap())
        .collect()
}

async fn rows(db: &Db, poll: &Poll) -> Vec<Found> {
    let sql = "SELECT voter_key, choices, cast_ms, CAST(tier AS BIGINT) AS tier, CAST(source AS BIGINT) AS source FROM ballot WHERE poll_id = $1";
    let rows = fetch_all(db.read(), sql, [poll.id.into()]).await.unwrap();
    rows.iter()
        .map(|row| Found {
            voter: row
                .try_get::<Vec<u8>>("", "voter_key")
                .unwrap()
                .try_into()
                .unwrap(),
            choice: stored_options(&row.try_get::<Vec<u8>>("", "choices").unwrap())[0],
            at: row.try_get("", "cast_ms").unwrap(),
            kind: (
                row.try_get("", "tier").unwrap(),
                row.try_get("", "source").unwrap(),
            ),
        })
        .collect()
}

async fn pages(db: &Db, poll: &Poll) -> Vec<Found> {
    let sql = "SELECT at_ms, entries FROM ballot_log WHERE poll_id = $1 ORDER BY slot, seq";
    let mut found = Vec::new();
    for row in fetch_all(db.read(), sql, [poll.id.into()]).await.unwrap() {
        let entries: Vec<u8> = row.try_get("", "entries").unwrap();
        for entry in read(&entries).unwrap() {
            if let Entry::Cast(ballot) = entry {
                found.push(Found {
                    voter: ballot.voter,
                    choice: stored_options(ballot.choices)[0],
                    at: row.try_get("", "at_ms").unwrap(),
                    kind: (ballot.tier.into(), ballot.place.into()),
                });
            }
        }
    }
    found
}

/// What a sealed poll still reveals: only the tier of each ballot, as if all had been cast at the close.
pub async fn left(db: &Db, poll: &Poll, loot: &mut Loot) {
    let sql =
        "SELECT choices, CAST(tier AS BIGINT) AS tier, n FROM sealed_ballot WHERE poll_id = $1";
    for row in fetch_all(db.read(), sql, [poll.id.into()]).await.unwrap() {
        let choice = stored_options(&row.try_get::<Vec<u8>>("", "choices").unwrap())[0];
        let tier: i64 = row.try_get("", "tier").unwrap();
        for _ in 0..row.try_get::<i64>("", "n").unwrap() {
            for place in 0..6 {
                loot.ballots.push(Found {
                    voter: [0; 16],
                    choice,
                    at: UnixMillis(i64::MAX),
                    kind: (tier, place),
                });
            }
        }
    }
}

/// The columns of poll tables that contain a time between the two.
pub async fn moments(db: &Db, from: UnixMillis, until: UnixMillis) -> Vec<String> {
    let mut found = Vec::new();
    for table in dump::tables(db).await {
        let columns = dump::columns(db, &table).await;
        if table != "poll" && !columns.iter().any(|c| c == "poll_id") {
            continue;
        }
        for column in columns.iter().filter(|c| c.ends_with("_ms")) {
            let sql = format!(
                "SELECT COUNT(*) FROM {table} WHERE {column} > {} AND {column} < {}",
                from.0, until.0
            );
            let row = fetch_all(db.read(), sql, []).await.unwrap();
            if row[0].try_get_by_index::<i64>(0).unwrap() > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
    }
    found
}
