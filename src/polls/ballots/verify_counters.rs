//! Verifies the numbers beside the tally, and the words that readers see, against the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult};

use super::log::{Hash, sha256};
use super::replay::Replay;
use super::verify::{Verified, name};
use crate::db::{fetch_all_as, find_all};
use crate::polls::model::Poll;
use crate::polls::words::Ruling;
use crate::types::{OptionId, UnixMillis};

/// Compares turnout, mails and words. Skips a log that was started by a version that did not record them.
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
    let said = numbers(db, sql, poll, |row| {
        Ok((
            row.try_get("", "hour_ms")?,
            row.try_get("", "tier")?,
            row.try_get("", "slot")?,
        ))
    });
    compare(&said.await?, &replay.hours, "hour, tier and slot", verified);
    Ok(())
}

async fn mails<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    replay: &Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let sql = "SELECT issue_id, slot, counted AS n FROM mail_vote WHERE poll_id = $1";
    let said = numbers(db, sql, poll, |row| {
        Ok((row.try_get("", "issue_id")?, row.try_get("", "slot")?))
    });
    compare(
        &said.await?,
        &replay.mails,
        "issue and slot of mails",
        verified,
    );
    Ok(())
}

fn compare<K: Ord + Copy + Debug>(
    said: &BTreeMap<K, i64>,
    counted: &BTreeMap<K, i64>,
    what: &str,
    verified: &mut Verified,
) {
    for (key, said, counted) in differing(said, counted) {
        verified.find(format!(
            "{what} {key:?}: the counters say {said}, but the ballots give {counted}"
        ));
    }
}

/// The numbers `n` of a counting table, by a key made from each row.
pub(super) async fn numbers<C: ConnectionTrait, K: Ord>(
    db: &C,
    sql: &str,
    poll: &Poll,
    key: impl Fn(&QueryResult) -> Result<K, DbErr>,
) -> Result<BTreeMap<K, i64>, DbErr> {
    fetch_all_as(db, sql, [poll.id.into()], |row| {
        Ok((key(row)?, row.try_get("", "n")?))
    })
    .await
}

/// Where a counting table differs from what was counted: the key and both numbers. A missing row counts as zero.
pub(super) fn differing<K: Ord + Copy>(
    said: &BTreeMap<K, i64>,
    counted: &BTreeMap<K, i64>,
) -> Vec<(K, i64, i64)> {
    let keys: BTreeSet<K> = said.keys().chain(counted.keys()).copied().collect();
    let of = |numbers: &BTreeMap<K, i64>, key: &K| numbers.get(key).copied().unwrap_or(0);
    keys.into_iter()
        .map(|key| (key, of(said, &key), of(counted, &key)))
        .filter(|(_, said, counted)| said != counted)
        .collect()
}

async fn words<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    replay: &Replay<'_>,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let sql = "SELECT option_id, words_key, CAST(ruling AS BIGINT) AS ruling, shown, ruled_ms FROM words_ruling WHERE poll_id = $1";
    let mut missing = replay.ruled.clone();
    /// The ruling is read as a wide integer: somebody may have tampered with the file.
    #[derive(FromQueryResult)]
    struct Row {
        option_id: OptionId,
        words_key: Vec<u8>,
        ruling: i64,
        shown: String,
        ruled_ms: UnixMillis,
    }
    for row in find_all::<Row>(db, sql, [poll.id.into()]).await? {
        let key: [u8; 16] = row.words_key.try_into().unwrap_or_default();
        let is_shown = row.ruling == i64::from(Ruling::Shown.code());
        let shows: Option<Hash> = is_shown.then(|| sha256(row.shown.as_bytes()));
        if missing.remove(&(row.option_id.0, key)) != Some((row.ruled_ms, shows)) {
            let name = name(poll, row.option_id);
            verified.find(format!(
                "words beside {name} are not shown as editors decided"
            ));
        }
    }
    for (option, _) in missing
        .into_iter()
        .filter(|(_, (_, shown))| shown.is_some())
        .map(|(words, _)| words)
    {
        let name = name(poll, OptionId(option));
        verified.find(format!(
            "words beside {name} are hidden although editors approved them"
        ));
    }
    Ok(())
}
