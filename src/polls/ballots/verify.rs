//! `canvass verify poll`: the chain, the ballots and the numbers, each from the rows and against each other.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use super::counts::Seen;
use super::details_store::{Scope, differences};
use super::log::{Hash, Head, Wording, head_of_all, hex, page_hash, sha256};
use super::record::Record;
use super::replay::{Held, Removed, Replay};
use super::verify_counters::{counters, differing, numbers};
use super::verify_links::{self, Links};
use super::verify_sealed::{records, sealed};
use crate::db::{Db, fetch_all};
use crate::polls::model::Poll;
use crate::polls::results::VOTERS;
use crate::polls::store;
use crate::types::{OptionId, PollId, UnixMillis};

/// What was verified, and what does not agree.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    pub pages: i64,
    pub entries: i64,
    /// The end of each slot's chain.
    pub chains: Vec<(i64, Head)>,
    /// All of them as one.
    pub head: Hash,
    /// Ballots that count.
    pub ballots: i64,
    pub set_aside: i64,
    /// Over all ballots, whoever cast them: the same before and after the sealing.
    pub root: Hash,
    /// The last record, once the poll was closed.
    pub record: Option<Record>,
    /// Counted from the ballots; option 0: voters.
    pub tally: BTreeMap<OptionId, i64>,
    /// Answers that their readers let join to their address.
    pub linked: i64,
    /// What differs; empty when all agrees.
    pub findings: Vec<String>,
}

/// So many are told one by one.
const TOLD: usize = 40;

impl Verified {
    pub(super) fn find(&mut self, what: impl Into<String>) {
        self.findings.push(what.into());
    }

    /// Adds what was counted.
    pub(super) fn take_up(&mut self, counted: impl Iterator<Item = (OptionId, i64)>) {
        for (option, n) in counted {
            *self.tally.entry(option).or_default() += n;
        }
    }

    /// The findings, not without end.
    pub fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self.findings.iter().take(TOLD).cloned().collect();
        if self.findings.len() > TOLD {
            told.push(format!("and {} more", self.findings.len() - TOLD));
        }
        told
    }
}

/// Verifies a poll as it is at one moment, while it is answered or not. Holds its ballots in memory.
///
/// # Errors
/// What the database said; that something differs is no error.
pub async fn verify(db: &Db, id: PollId) -> Result<Option<Verified>, DbErr> {
    let moment = db.snapshot().await?;
    let Some(poll) = store::by_id_in(&moment, id).await? else {
        return Ok(None);
    };
    let mut verified = Verified::default();
    if poll.sealed_at.is_some() {
        sealed(&moment, db.backend(), &poll, &mut verified).await?;
        verify_links::sealed(&moment, db.backend(), &poll, &mut verified).await?;
        records(&moment, db.backend(), &poll, &mut verified).await?;
        moment.rollback().await?;
        return Ok(Some(verified));
    }
    let mut replay = chains(&moment, &poll, &mut verified).await?;
    verified.entries = replay.entries;
    for odd in std::mem::take(&mut replay.odd) {
        verified.find(odd);
    }
    if replay.orphans() > 0 {
        let orphans = replay.orphans();
        verified.find(format!("{orphans} entries follow none that is there"));
    }
    wording(&poll, &replay.wordings, &mut verified);
    verified.set_aside = replay.set_aside();
    tally(&moment, &poll, &replay, &mut verified).await?;
    places(&moment, &poll, &replay, &mut verified).await?;
    removals(&moment, &poll, &replay, &mut verified).await?;
    counters(&moment, &poll, &replay, &mut verified).await?;
    ballots(&moment, &poll, replay, &mut verified).await?;
    records(&moment, db.backend(), &poll, &mut verified).await?;
    moment.rollback().await?;
    Ok(Some(verified))
}

/// Walks over every chain and takes up its pages.
async fn chains<'a, C: ConnectionTrait>(
    db: &C,
    poll: &'a Poll,
    verified: &mut Verified,
) -> Result<Replay<'a>, DbErr> {
    let mut replay = Replay::of(poll);
    let mut ends: BTreeMap<i64, Head> = BTreeMap::new();
    let sql = "SELECT slot, seq, at_ms, entries, hash FROM ballot_log WHERE poll_id = $1 AND (slot, seq) > ($2, $3) \
               ORDER BY slot, seq LIMIT 500";
    let mut after = (i64::MIN, i64::MIN);
    loop {
        let values: [Value; 3] = [poll.id.into(), after.0.into(), after.1.into()];
        let rows = fetch_all(db, sql, values).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let (slot, seq): (i64, i64) = (row.try_get("", "slot")?, row.try_get("", "seq")?);
            after = (slot, seq);
            verified.pages += 1;
            let at: UnixMillis = row.try_get("", "at_ms")?;
            let entries: Vec<u8> = row.try_get("", "entries")?;
            let hash: Vec<u8> = row.try_get("", "hash")?;
            let before = ends.get(&slot).copied().unwrap_or_default();
            let mut head = page_hash(poll.id, slot, before, at, &entries);
            if head.seq != seq {
                verified.find(format!(
                    "chain {slot}: page {} is missing before page {seq}",
                    head.seq
                ));
                head.seq = seq;
            }
            if head.hash[..] != hash[..] {
                verified.find(format!("chain {slot}, page {seq}: the hash does not fit"));
            }
            ends.insert(slot, head);
            if let Err(malformed) = replay.page(slot, at, &entries) {
                verified.find(format!("chain {slot}, page {seq}: {malformed}"));
            }
        }
    }
    let sql = "SELECT slot, seq, hash FROM ballot_chain WHERE poll_id = $1 ORDER BY slot";
    let mut known = ends.clone();
    for row in fetch_all(db, sql, [poll.id.into()]).await? {
        let (slot, seq): (i64, i64) = (row.try_get("", "slot")?, row.try_get("", "seq")?);
        let hash: Vec<u8> = row.try_get("", "hash")?;
        match known.remove(&slot) {
            Some(head) if head.seq == seq && head.hash[..] == hash[..] => {}
            Some(head) => verified.find(format!(
                "chain {slot} ends with page {}, {}; its head says page {seq}, {}",
                head.seq,
                hex(&head.hash),
                hex(&hash)
            )),
            None => verified.find(format!("chain {slot} has a head and no pages")),
        }
    }
    for slot in known.keys() {
        verified.find(format!("chain {slot} has no head"));
    }
    verified.chains = ends.into_iter().collect();
    verified.head = head_of_all(poll.id, &verified.chains);
    Ok(replay)
}

/// What was asked when the first answers came must be what is shown now.
fn wording(poll: &Poll, wordings: &[Wording], verified: &mut Verified) {
    let now = Wording::of(poll);
    for then in wordings {
        for (key, text) in &then.questions {
            if !now.questions.contains(&(*key, *text)) {
                verified.find(format!("question {key} was worded otherwise"));
            }
        }
        for (id, key, label) in &then.options {
            if !now.options.contains(&(*id, *key, *label)) {
                let name = name(poll, OptionId(*id));
                verified.find(format!("{name} was worded otherwise"));
            }
        }
    }
}

/// An option as people know it: its position, and its label as it is now.
pub(super) fn name(poll: &Poll, id: OptionId) -> String {
    if id == VOTERS {
        return "the number of voters".to_owned();
    }
    poll.options().find(|option| option.id == id).map_or_else(
        || format!("an option that is gone ({})", id.0),
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
            "{name}, tier {tier}, slot {slot}: the tally says {said}, the ballots {counted}"
        ));
    }
    for (option, said, counted) in differences(db, poll.id, &replay.details, Scope::Slots).await? {
        let name = name(poll, option);
        verified.find(format!(
            "orders or words of {name}: the tally says {said}, the ballots {counted}"
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
    let mut missing = replay.places.clone();
    for row in fetch_all(db, sql, [poll.id.into()]).await? {
        let (place, slot): (i64, i64) = (row.try_get("", "source")?, row.try_get("", "slot")?);
        let said = Seen {
            n: row.try_get("", "n")?,
            first: row.try_get("", "first_ms")?,
            last: row.try_get("", "last_ms")?,
        };
        let counted = missing.remove(&(place, slot));
        if counted != Some(said) {
            let counted = counted.map_or_else(|| "nothing".to_owned(), told);
            verified.find(format!(
                "place {place}, slot {slot}: the counters say {}, the ballots {counted}",
                told(said)
            ));
        }
    }
    for (place, slot) in missing.keys() {
        verified.find(format!("place {place}, slot {slot}: the counters are gone"));
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
    let sql =
        "SELECT number, at_ms, reason, ballots, undone_ms FROM ballot_removal WHERE poll_id = $1";
    let mut missing = replay.removals.clone();
    for row in fetch_all(db, sql, [poll.id.into()]).await? {
        let number: i64 = row.try_get("", "number")?;
        let reason: String = row.try_get("", "reason")?;
        let said = Removed {
            reason: sha256(reason.as_bytes()),
            at: row.try_get("", "at_ms")?,
            ballots: row.try_get("", "ballots")?,
            undone: row.try_get("", "undone_ms")?,
        };
        if missing.remove(&number) != Some(said) {
            verified.find(format!("removal {number} is not the one in the log"));
        }
    }
    for number in missing.keys() {
        verified.find(format!("removal {number} is gone"));
    }
    Ok(())
}

/// Every ballot against the one that the log leads to.
async fn ballots<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    mut replay: Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let sql = "SELECT voter_key, choices, CAST(tier AS BIGINT) AS tier, CAST(source AS BIGINT) AS source, network, cast_ms, \
               changed_ms, revision, removed FROM ballot WHERE poll_id = $1 AND voter_key > $2 ORDER BY voter_key LIMIT 5000";
    let mut links = Links::of(db, poll, verified).await?;
    let mut after: Vec<u8> = Vec::new();
    loop {
        let rows = fetch_all(db, sql, [poll.id.into(), after.clone().into()]).await?;
        let Some(last) = rows.last() else { break };
        after = last.try_get("", "voter_key")?;
        for row in &rows {
            let voter: Vec<u8> = row.try_get("", "voter_key")?;
            let said = held(row)?;
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
    }
    for voter in replay.ballots.keys() {
        verified.find(format!("ballot {} is gone", hex(voter)));
    }
    links.finish(verified);
    Ok(())
}

fn held(row: &QueryResult) -> Result<Held, DbErr> {
    Ok(Held {
        choices: row.try_get("", "choices")?,
        tier: row.try_get("", "tier")?,
        place: row.try_get("", "source")?,
        network: row.try_get("", "network")?,
        cast: row.try_get("", "cast_ms")?,
        changed: row.try_get("", "changed_ms")?,
        revision: row.try_get("", "revision")?,
        removed: row.try_get("", "removed")?,
    })
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
