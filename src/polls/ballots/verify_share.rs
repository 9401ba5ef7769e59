//! The ballots of a poll in shares, by their keys: what has to be in memory at a time, however many rows there are.
//!
//! The log tells of ballots in the order of their commits, the rows lie in the order of their keys. So it is read once
//! for each share, and each time leads to the ballots of that share alone. The rows say where a share ends; ballots that the log alone tells
//! of, since their rows are gone, make the share larger into which their keys fall.

use futures::TryStreamExt as _;
use sea_orm::{DatabaseTransaction, DbErr, StreamTrait as _, Value};

use super::log::hex;
use super::replay::{Held, Replay};
use super::rows::{HELD, held};
use super::verify::Verified;
use super::verify_links::Links;
use crate::db::{fetch_one, query};
use crate::polls::model::Poll;

/// Rows in a share: some 25 MB.
pub(super) const SHARE: i64 = 100_000;

/// Keys above one and up to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Share {
    /// Empty: from the first on.
    pub(super) above: Vec<u8>,
    /// `None`: to the last.
    pub(super) to: Option<Vec<u8>>,
}

impl Share {
    pub(super) fn has(&self, voter: &[u8]) -> bool {
        voter > &self.above[..] && self.to.as_ref().is_none_or(|to| voter <= &to[..])
    }

    pub(super) fn is_first(&self) -> bool {
        self.above.is_empty()
    }

    /// The next one, of `size` ballots as their rows lie.
    async fn starting(
        db: &DatabaseTransaction,
        poll: &Poll,
        above: Vec<u8>,
        size: i64,
    ) -> Result<Self, DbErr> {
        let sql = "SELECT voter_key FROM ballot WHERE poll_id = $1 AND voter_key > $2 ORDER BY voter_key LIMIT 1 OFFSET $3";
        let values: [Value; 3] = [poll.id.into(), above.clone().into(), (size - 1).into()];
        let last = fetch_one(db, sql, values).await?;
        let to = last.map(|row| row.try_get("", "voter_key")).transpose()?;
        Ok(Self { above, to })
    }
}

/// The shares of a poll, one after the other.
pub(super) struct Shares<'a> {
    poll: &'a Poll,
    size: i64,
    next: Option<Vec<u8>>,
}

impl<'a> Shares<'a> {
    /// `size` ballots in each, at least one.
    pub(super) fn of(poll: &'a Poll, size: i64) -> Self {
        Self {
            poll,
            size: size.max(1),
            next: Some(Vec::new()),
        }
    }

    /// At least one, also of a poll without ballots.
    pub(super) async fn next(&mut self, db: &DatabaseTransaction) -> Result<Option<Share>, DbErr> {
        let Some(above) = self.next.take() else {
            return Ok(None);
        };
        let share = Share::starting(db, self.poll, above, self.size).await?;
        self.next.clone_from(&share.to);
        Ok(Some(share))
    }
}

/// Every ballot of a share against the one that the log leads to.
pub(super) async fn compare(
    db: &DatabaseTransaction,
    poll: &Poll,
    replay: &mut Replay<'_>,
    links: &mut Links,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let share = &replay.share;
    let mut values: Vec<Value> = vec![poll.id.into(), share.above.clone().into()];
    // To its end and no further: PostgreSQL sends all rows that were asked for, however few are looked at.
    let end = share.to.as_ref().map_or("", |to| {
        values.push(to.clone().into());
        " AND voter_key <= $3"
    });
    let sql = format!(
        "SELECT {HELD} FROM ballot WHERE poll_id = $1 AND voter_key > $2{end} ORDER BY voter_key"
    );
    let mut rows = db.stream_raw(query(db, sql, values)).await?;
    while let Some(row) = rows.try_next().await? {
        let voter: Vec<u8> = row.try_get("", "voter_key")?;
        let said = held(&row)?;
        let known = <[u8; 16]>::try_from(&voter[..]).ok();
        if let Some(voter) = &known {
            links.see(voter, &said.choices, verified);
        }
        match known.and_then(|voter| replay.ballots.remove(&voter)) {
            Some(held) if held == said => {}
            Some(held) => verified.find(difference(&voter, &held, &said)),
            None => verified.find(format!("ballot {} is not in the log", hex(&voter))),
        }
    }
    for voter in replay.ballots.keys() {
        verified.find(format!("ballot {} is gone", hex(voter)));
    }
    Ok(())
}

/// Names what differs, and not the answer: the terminal may be seen by more people than the ballots.
fn difference(voter: &[u8], log: &Held, row: &Held) -> String {
    let mut what = Vec::new();
    for (name, same) in [
        ("the choices", log.choices == row.choices),
        ("the tier", log.tier == row.tier),
        ("the place", log.place == row.place),
        ("the network", log.network == row.network),
        ("the time it was cast", log.cast == row.cast),
        ("the time of its change", log.changed == row.changed),
        ("the number of changes", log.revision == row.revision),
        ("whether it counts", log.removed == row.removed),
    ] {
        if !same {
            what.push(name);
        }
    }
    format!(
        "ballot {}: {} differ from the log",
        hex(voter),
        what.join(", ")
    )
}
