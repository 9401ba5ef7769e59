//! `canvass verify poll`: recomputes the chain, the ballots and the numbers from the rows, and
//! compares them with each other.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait as _,
    FromQueryResult, QueryFilter as _, QueryOrder as _, StreamTrait as _,
};

use super::counts::Seen;
use super::details_store::{Scope, differences};
use super::log::{Hash, Head, head_of_all, hex, page_hash, sha256};
use super::record::Record;
use super::replay::{Removed, Replay};
use super::verify_asked::asked;
use super::verify_counters::{counters, differing, numbers};
use super::verify_links::{self, Links};
use super::verify_sealed::{records, sealed};
use super::verify_share::{SHARE, Shares, compare};
use crate::db::entities::{ballot_chain, ballot_removal};
use crate::db::{Db, find_all, query};
use crate::polls::definition;
use crate::polls::model::Poll;
use crate::polls::results::VOTERS;
use crate::types::{OptionId, PollId, UnixMillis};

/// What was verified, and the differences found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    pub pages: i64,
    pub entries: i64,
    /// The end of each slot's chain.
    pub chains: Vec<(i64, Head)>,
    /// One hash over the ends of all chains.
    pub head: Hash,
    /// The number of ballots that count.
    pub ballots: i64,
    pub set_aside: i64,
    /// One hash over all ballots, independent of who cast them: the same before and after the sealing.
    pub root: Hash,
    /// The last record; there is one once the poll was closed.
    pub record: Option<Record>,
    /// The numbers counted from the ballots; option 0: voters.
    pub tally: BTreeMap<OptionId, i64>,
    /// The number of answers whose readers agreed to a link with their address.
    pub linked: i64,
    /// The differences found, at most `FINDINGS`; empty if everything agrees.
    pub findings: Vec<String>,
    /// The number of further differences.
    pub more: usize,
}

/// The most findings that are listed one by one.
const TOLD: usize = 40;
/// The most findings that are kept: a missing table is a finding for each of its rows.
pub const FINDINGS: usize = 1_000;

impl Verified {
    pub(super) fn find(&mut self, what: impl Into<String>) {
        if self.findings.len() < FINDINGS {
            self.findings.push(what.into());
        } else {
            self.more += 1;
        }
    }

    /// Adds findings that were collected separately.
    fn take_over(&mut self, other: Self) {
        for finding in other.findings {
            self.find(finding);
        }
        self.more += other.more;
    }

    /// The number of differences.
    #[must_use]
    pub fn differences(&self) -> usize {
        self.findings.len() + self.more
    }

    /// Adds counted numbers.
    pub(super) fn take_up(&mut self, counted: impl Iterator<Item = (OptionId, i64)>) {
        for (option, n) in counted {
            *self.tally.entry(option).or_default() += n;
        }
    }

    /// The findings as lines, bounded in number.
    pub fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self.findings.iter().take(TOLD).cloned().collect();
        if self.differences() > TOLD {
            told.push(format!("and {} more", self.differences() - TOLD));
        }
        told
    }
}

/// Verifies a poll from one snapshot; it may be answered meanwhile.
///
/// # Errors
/// A database error. A difference is not an error.
pub async fn verify(db: &Db, id: PollId) -> Result<Option<Verified>, DbErr> {
    verify_in_shares(db, id, SHARE).await
}

/// Like [`verify`], with at most `size` ballot rows in memory at a time: the log is read again for each share.
///
/// # Errors
/// As for [`verify`].
pub async fn verify_in_shares(db: &Db, id: PollId, size: i64) -> Result<Option<Verified>, DbErr> {
    let moment = db.snapshot().await?;
    let Some(poll) = definition::by_id_in(&moment, id).await? else {
        return Ok(None);
    };
    let mut verified = Verified::default();
    if poll.sealed_at.is_some() {
        sealed(&moment, db.backend(), &poll, &mut verified).await?;
        verify_links::sealed(&moment, db.backend(), &poll, &mut verified).await?;
    } else {
        unsealed(&moment, &poll, size, &mut verified).await?;
    }
    records(&moment, db.backend(), &poll, &mut verified).await?;
    moment.rollback().await?;
    Ok(Some(verified))
}

async fn unsealed(
    db: &DatabaseTransaction,
    poll: &Poll,
    size: i64,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let mut replay = Replay::of(poll);
    // Findings about single ballots are listed last.
    let (mut of_ballots, mut orphans) = (Verified::default(), 0);
    let mut shares = Shares::of(poll, size);
    while let Some(share) = shares.next(db).await? {
        let first = share.is_first();
        let mut links = Links::of(db, poll, &share, verified).await?;
        replay.begin(share);
        if first {
            chains(db, &mut replay, verified).await?;
        } else {
            pages(db, poll, |page| {
                // Pages that cannot be read were already reported in the first pass.
                let _ = replay.page(page.slot, page.at, &page.entries);
            })
            .await?;
        }
        for odd in std::mem::take(&mut replay.odd) {
            verified.find(odd);
        }
        orphans += replay.orphans();
        verified.set_aside += replay.set_aside();
        compare(db, poll, &mut replay, &mut links, &mut of_ballots).await?;
        links.finish(&mut of_ballots);
    }
    verified.entries = replay.entries;
    if orphans > 0 {
        verified.find(format!(
            "{orphans} entries refer to earlier ones that are missing"
        ));
    }
    asked(poll, &replay, verified);
    tally(db, poll, &replay, verified).await?;
    places(db, poll, &replay, verified).await?;
    removals(db, poll, &replay, verified).await?;
    counters(db, poll, &replay, verified).await?;
    verified.take_over(of_ballots);
    Ok(())
}

/// A page of the log, as stored in its row.
#[derive(FromQueryResult)]
struct Page {
    slot: i64,
    seq: i64,
    #[sea_orm(from_alias = "at_ms")]
    at: UnixMillis,
    entries: Vec<u8>,
    hash: Vec<u8>,
}

/// Streams the pages of the log without holding them in memory.
async fn pages(
    db: &DatabaseTransaction,
    poll: &Poll,
    mut take: impl FnMut(Page) + Send,
) -> Result<(), DbErr> {
    let sql = "SELECT slot, seq, at_ms, entries, hash FROM ballot_log WHERE poll_id = $1 ORDER BY slot, seq";
    let mut rows = db.stream_raw(query(db, sql, [poll.id.into()])).await?;
    while let Some(row) = rows.try_next().await? {
        take(Page::from_query_result(&row, "")?);
    }
    Ok(())
}

/// Verifies every chain, and replays its pages.
async fn chains(
    db: &DatabaseTransaction,
    replay: &mut Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let poll = replay.poll();
    let mut ends: BTreeMap<i64, Head> = BTreeMap::new();
    pages(db, poll, |page| {
        let (slot, seq) = (page.slot, page.seq);
        verified.pages += 1;
        let before = ends.get(&slot).copied().unwrap_or_default();
        let mut head = page_hash(poll.id, slot, before, page.at, &page.entries);
        if head.seq != seq {
            verified.find(format!(
                "chain {slot}: page {} is missing before page {seq}",
                head.seq
            ));
            head.seq = seq;
        }
        if head.hash[..] != page.hash[..] {
            verified.find(format!("chain {slot}, page {seq}: the hash does not match"));
        }
        ends.insert(slot, head);
        if let Err(malformed) = replay.page(slot, page.at, &page.entries) {
            verified.find(format!("chain {slot}, page {seq}: {malformed}"));
        }
    })
    .await?;
    let heads = ballot_chain::Entity::find()
        .filter(ballot_chain::Column::PollId.eq(poll.id))
        .order_by_asc(ballot_chain::Column::Slot)
        .all(db)
        .await?;
    let mut known = ends.clone();
    for ballot_chain::Model {
        slot, seq, hash, ..
    } in heads
    {
        match known.remove(&slot) {
            Some(head) if head.seq == seq && head.hash[..] == hash[..] => {}
            Some(head) => verified.find(format!(
                "chain {slot} ends at page {} ({}), but its head says page {seq} ({})",
                head.seq,
                hex(&head.hash),
                hex(&hash)
            )),
            None => verified.find(format!("chain {slot} has a head but no pages")),
        }
    }
    for slot in known.keys() {
        verified.find(format!("chain {slot} has no head"));
    }
    verified.chains = ends.into_iter().collect();
    verified.head = head_of_all(poll.id, &verified.chains);
    Ok(())
}

/// An option as people know it: its position and its current label.
pub(super) fn name(poll: &Poll, id: OptionId) -> String {
    if id == VOTERS {
        return "the number of voters".to_owned();
    }
    poll.options().find(|option| option.id == id).map_or_else(
        || format!("an option that no longer exists ({})", id.0),
        |option| format!("option {} ({})", option.key, option.label),
    )
}

async fn tally<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    replay: &Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let sql =
        "SELECT option_id, CAST(tier AS BIGINT) AS tier, slot, n FROM tally WHERE poll_id = $1";
    let said = numbers(db, sql, poll, |row| {
        Ok((
            row.try_get("", "option_id")?,
            row.try_get("", "tier")?,
            row.try_get("", "slot")?,
        ))
    });
    let said = said.await?;
    verified.take_up(said.keys().map(|key| (key.0, 0)));
    verified.take_up(replay.tally.iter().map(|(key, n)| (key.0, *n)));
    for ((option, tier, slot), said, counted) in differing(&said, &replay.tally) {
        let name = name(poll, option);
        verified.find(format!(
            "{name}, tier {tier}, slot {slot}: the tally says {said}, but the ballots give {counted}"
        ));
    }
    for (option, said, counted) in differences(db, poll.id, &replay.details, Scope::Slots).await? {
        let name = name(poll, option);
        verified.find(format!(
            "rankings or words of {name}: the tally says {said}, but the ballots give {counted}"
        ));
    }
    verified.ballots = verified.tally.get(&VOTERS).copied().unwrap_or(0);
    Ok(())
}

async fn places<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    replay: &Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let sql = "SELECT CAST(source AS BIGINT) AS source, slot, n, first_ms, last_ms FROM poll_source WHERE poll_id = $1";
    #[derive(FromQueryResult)]
    struct Row {
        source: i64,
        slot: i64,
        n: i64,
        first_ms: UnixMillis,
        last_ms: UnixMillis,
    }
    let mut missing = replay.places.clone();
    for row in find_all::<Row>(db, sql, [poll.id.into()]).await? {
        let (place, slot) = (row.source, row.slot);
        let said = Seen {
            n: row.n,
            first: row.first_ms,
            last: row.last_ms,
        };
        let counted = missing.remove(&(place, slot));
        if counted != Some(said) {
            let counted = counted.map_or_else(|| "nothing".to_owned(), told);
            verified.find(format!(
                "place {place}, slot {slot}: the counters say {}, but the ballots give {counted}",
                told(said)
            ));
        }
    }
    for (place, slot) in missing.keys() {
        verified.find(format!(
            "place {place}, slot {slot}: the counters are missing"
        ));
    }
    Ok(())
}

fn told(seen: Seen) -> String {
    format!("{} from {} to {}", seen.n, seen.first, seen.last)
}

async fn removals<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    replay: &Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let rows = ballot_removal::Entity::find()
        .filter(ballot_removal::Column::PollId.eq(poll.id))
        .all(db)
        .await?;
    let mut missing = replay.removals.clone();
    for row in rows {
        let number = row.number;
        let said = Removed {
            reason: sha256(row.reason.as_bytes()),
            at: row.at_ms,
            ballots: row.ballots,
            undone: row.undone_ms,
        };
        if missing.remove(&number) != Some(said) {
            verified.find(format!("removal {number} differs from the log"));
        }
        let left = replay.gone.get(&number).copied().unwrap_or(0);
        if row.gone.is_some_and(|gone| gone != left) {
            verified.find(format!(
                "removal {number}: the ballots handed over differ from those in the log"
            ));
        }
    }
    for number in missing.keys() {
        verified.find(format!("removal {number} is missing"));
    }
    Ok(())
}
