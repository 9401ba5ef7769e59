//! The ballots of a poll in shares, by their keys: it bounds the memory used, however many rows there are.
//!
//! The log has the ballots in the order of their commits; the rows are in the order of their keys. So the log is read
//! once for each share, and each pass replays only the ballots of that share. The bounds of a share come from the rows;
//! ballots whose rows are missing are in the log alone, and make the share that their keys fall into larger.

use futures::TryStreamExt as _;
use sea_orm::{DatabaseTransaction, DbErr, StreamTrait as _, Value};

use super::log::hex;
use super::replay::{Held, Replay};
use super::rows::{HELD, held};
use super::verify::Verified;
use super::verify_links::Links;
use crate::db::{fetch_one, query};
use crate::polls::model::Poll;

/// The rows in a share: some 25 MB.
pub(super) const SHARE: i64 = 100_000;

/// Keys above one and up to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Share {
    /// Exclusive; empty: from the first key.
    pub(super) above: Vec<u8>,
    /// Inclusive; `None`: to the last key.
    pub(super) to: Option<Vec<u8>>,
}

impl Share {
    pub(super) fn has(&self, voter: &[u8]) -> bool {
        voter > &self.above[..] && self.to.as_ref().is_none_or(|to| voter <= &to[..])
    }

    pub(super) fn is_first(&self) -> bool {
        self.above.is_empty()
    }

    /// The next share, of `size` ballots in the order of their rows.
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

/// The shares of a poll, in order.
pub(super) struct Shares<'a> {
    poll: &'a Poll,
    size: i64,
    next: Option<Vec<u8>>,
}

impl<'a> Shares<'a> {
    /// With `size` ballots in each share, at least one.
    pub(super) fn of(poll: &'a Poll, size: i64) -> Self {
        Self {
            poll,
            size: size.max(1),
            next: Some(Vec::new()),
        }
    }

    /// The next share. There is at least one, even for a poll without ballots.
    pub(super) async fn next(&mut self, db: &DatabaseTransaction) -> Result<Option<Share>, DbErr> {
        let Some(above) = self.next.take() else {
            return Ok(None);
        };
        let share = Share::starting(db, self.poll, above, self.size).await?;
        self.next.clone_from(&share.to);
        Ok(Some(share))
    }
}

/// Compares every ballot of a share with the one replayed from the log.
pub(super) async fn compare(
    db: &DatabaseTransaction,
    poll: &Poll,
    replay: &mut Replay<'_>,
    links: &mut Links,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let share = &replay.share;
    let mut values: Vec<Value> = vec![poll.id.into(), share.above.clone().into()];
    // The query is bounded: PostgreSQL sends all rows of a result, however few are read.
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

/// Names what differs, but not the answer: more people may see the terminal than may see the ballots.
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
