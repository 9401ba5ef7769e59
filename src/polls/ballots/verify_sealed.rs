//! What can be verified of a count without its log: the remaining ballots against the numbers, and
//! both against the record.

use std::collections::BTreeMap;

use sea_orm::{DatabaseTransaction, DbErr};

use super::chain::{self, BEFORE_THE_LOG};
use super::counts::counted;
use super::details_store::{Details, Scope, differences};
use super::log::{Head, head_of_all};
use super::record::{self, Record, State};
use super::root::{Alike, each_kind};
use super::verify::{Verified, name};
use super::verify_counters::{differing, numbers};
use crate::db::{Backend, fetch_one, find_value};
use crate::polls::answer::Choice;
use crate::polls::model::{Poll, Tier};
use crate::polls::results::VOTERS;
use crate::types::OptionId;

/// Verifies the records of a poll: each against the one before, and the last against the current state of the count.
pub(super) async fn records(
    db: &DatabaseTransaction,
    backend: Backend,
    poll: &Poll,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let state = State::of(db, backend, poll).await?;
    verified.root = state.root;
    let records = record::all(db, poll.id).await?;
    let mut before = None;
    for record in &records {
        if !record.fits(poll.id, before) {
            verified.find(format!("record {}: the hash does not match", record.number));
        }
        if poll.sealed_at.is_none() && !holds(db, poll, &verified.chains, record).await? {
            verified.find(format!(
                "record {}: the log does not contain what was recorded",
                record.number
            ));
        }
        before = Some(record);
    }
    let Some(last) = records.last() else {
        if poll.sealed_at.is_some() {
            verified.find("the poll is sealed but has no record");
        }
        return Ok(());
    };
    // The log of an unsealed poll may have grown since; then the next record will cover it.
    if poll.sealed_at.is_some() || last.state.head == state.head {
        for what in last.state.differences(&state) {
            verified.find(format!(
                "record {}: the {what} are not what was recorded",
                last.number
            ));
        }
    }
    verified.record = Some(last.clone());
    Ok(())
}

/// Whether the log, which may have grown since, begins with what a record saw of it. If several nodes have written
/// pages, the record does not say how many each had, so only the total number of pages is compared.
async fn holds(
    db: &DatabaseTransaction,
    poll: &Poll,
    chains: &[(i64, Head)],
    record: &Record,
) -> Result<bool, DbErr> {
    let (before, growing): (Vec<_>, Vec<_>) =
        chains.iter().partition(|(slot, _)| *slot == BEFORE_THE_LOG);
    let pages = |chains: &[(i64, Head)]| chains.iter().map(|(_, head)| head.seq).sum::<i64>();
    let [(slot, _)] = growing[..] else {
        return Ok(pages(chains) >= record.state.pages);
    };
    let seq = record.state.pages - pages(&before);
    let mut then = before;
    if seq > 0 {
        let sql = "SELECT seq, hash FROM ballot_log WHERE poll_id = $1 AND slot = $2 AND seq = $3";
        let page = fetch_one(db, sql, [poll.id.into(), slot.into(), seq.into()]).await?;
        match page {
            Some(page) => then.push((slot, chain::head(&page)?)),
            None => return Ok(false),
        }
    }
    Ok(head_of_all(poll.id, &then) == record.state.head)
}

/// Verifies the ballots and numbers of a sealed poll.
pub(super) async fn sealed(
    db: &DatabaseTransaction,
    backend: Backend,
    poll: &Poll,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    for table in ["ballot", "ballot_log", "poll_secret"] {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE poll_id = $1");
        let left: Option<i64> = find_value(db, sql, [poll.id.into()]).await?;
        if let Some(left) = left.filter(|n| *n > 0) {
            verified.find(format!(
                "the poll is sealed, but {left} rows of {table} remain"
            ));
        }
    }
    verified.chains = record::chains(db, poll.id).await?;
    verified.pages = verified.chains.iter().map(|(_, head)| head.seq).sum();
    verified.head = head_of_all(poll.id, &verified.chains);
    let (mut tally, mut details) = (BTreeMap::new(), Details::default());
    each_kind(db, backend, poll, |kind| {
        if kind.set_aside {
            verified.set_aside += kind.n;
        } else {
            count(poll, &kind, &mut tally, &mut details);
        }
    })
    .await?;
    let sql = "SELECT option_id, CAST(tier AS BIGINT) AS tier, CAST(SUM(n) AS BIGINT) AS n FROM tally WHERE poll_id = $1 \
               GROUP BY option_id, tier";
    let said = numbers(db, sql, poll, |row| {
        Ok((row.try_get("", "option_id")?, row.try_get("", "tier")?))
    });
    let said = said.await?;
    verified.take_up(said.keys().map(|key| (key.0, 0)));
    verified.take_up(tally.iter().map(|(key, n)| (key.0, *n)));
    for ((option, tier), said, counted) in differing(&said, &tally) {
        let name = name(poll, option);
        verified.find(format!(
            "{name}, tier {tier}: the tally says {said}, the ballots {counted}"
        ));
    }
    let details = BTreeMap::from([(0, details)]);
    for (option, said, counted) in differences(db, poll.id, &details, Scope::Rankings).await? {
        let name = name(poll, option);
        verified.find(format!(
            "orders of {name}: the tally says {said}, the ballots {counted}"
        ));
    }
    verified.ballots = verified.tally.get(&VOTERS).copied().unwrap_or(0);
    Ok(())
}

/// By option and tier.
type Tally = BTreeMap<(OptionId, i64), i64>;

fn count(poll: &Poll, kind: &Alike, tally: &mut Tally, details: &mut Details) {
    for option in counted(&kind.choices) {
        *tally.entry((option, kind.tier)).or_default() += kind.n;
    }
    if poll.has_details() {
        let tier = Tier::from_code(i16::try_from(kind.tier).unwrap_or_default());
        details.add(poll, tier, &Choice::from_stored(&kind.choices), kind.n);
    }
}
