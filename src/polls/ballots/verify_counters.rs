//! The numbers beside the tally, and the words that readers see, against what the log leads to.

use std::collections::BTreeMap;
use std::fmt::Debug;

use sea_orm::{ConnectionTrait, DbErr};

use super::log::{Hash, sha256};
use super::replay::Replay;
use super::verify::{Verified, name};
use crate::db::fetch_all;
use crate::polls::model::Poll;
use crate::types::{OptionId, UnixMillis};

/// Compares turnout, mails and words. A log that was begun by a version that did not tell of them is left alone.
pub(super) async fn counters<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    replay: &Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    if !replay.is_whole() {
        return Ok(());
    }
    hours(db, poll, replay, verified).await?;
    mails(db, poll, replay, verified).await?;
    words(db, poll, replay, verified).await
}

async fn hours<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    replay: &Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let sql =
        "SELECT hour_ms, CAST(tier AS BIGINT) AS tier, slot, n FROM poll_hour WHERE poll_id = $1";
    let mut said: BTreeMap<(i64, i64, i64), i64> = BTreeMap::new();
    for row in fetch_all(db, sql, [poll.id.into()]).await? {
        let key = (
            row.try_get("", "hour_ms")?,
            row.try_get("", "tier")?,
            row.try_get("", "slot")?,
        );
        said.insert(key, row.try_get("", "n")?);
    }
    compare(&said, &replay.hours, "hour, tier and slot", verified);
    Ok(())
}

async fn mails<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    replay: &Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let sql = "SELECT issue_id, slot, counted FROM mail_vote WHERE poll_id = $1";
    let mut said: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for row in fetch_all(db, sql, [poll.id.into()]).await? {
        let key = (row.try_get("", "issue_id")?, row.try_get("", "slot")?);
        said.insert(key, row.try_get("", "counted")?);
    }
    compare(&said, &replay.mails, "issue and slot of mails", verified);
    Ok(())
}

/// What is missing counts nothing.
fn compare<K: Ord + Copy + Debug>(
    said: &BTreeMap<K, i64>,
    counted: &BTreeMap<K, i64>,
    what: &str,
    verified: &mut Verified,
) {
    let keys: std::collections::BTreeSet<K> = said.keys().chain(counted.keys()).copied().collect();
    for key in keys {
        let of = |numbers: &BTreeMap<K, i64>| numbers.get(&key).copied().unwrap_or(0);
        if of(said) != of(counted) {
            verified.find(format!(
                "{what} {key:?}: the counters say {}, the ballots {}",
                of(said),
                of(counted)
            ));
        }
    }
}

async fn words<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    replay: &Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let sql = "SELECT option_id, words_key, CAST(ruling AS BIGINT) AS ruling, shown, ruled_ms FROM words_ruling WHERE poll_id = $1";
    let mut missing = replay.ruled.clone();
    for row in fetch_all(db, sql, [poll.id.into()]).await? {
        let option: OptionId = row.try_get("", "option_id")?;
        let key: Vec<u8> = row.try_get("", "words_key")?;
        let key: [u8; 16] = key.try_into().unwrap_or_default();
        let (ruling, shown): (i64, String) =
            (row.try_get("", "ruling")?, row.try_get("", "shown")?);
        let at: UnixMillis = row.try_get("", "ruled_ms")?;
        let shows: Option<Hash> = (ruling == 1).then(|| sha256(shown.as_bytes()));
        if missing.remove(&(option.0, key)) != Some((at, shows)) {
            let name = name(poll, option);
            verified.find(format!("words beside {name} are not shown as was decided"));
        }
    }
    for (option, _) in missing
        .into_iter()
        .filter(|(_, (_, shown))| shown.is_some())
        .map(|(words, _)| words)
    {
        let name = name(poll, OptionId(option));
        verified.find(format!("words beside {name} are hidden and were let stand"));
    }
    Ok(())
}
