//! Ballots from before the log existed: recorded as found, when a version that keeps a log first starts.

use sea_orm::{DbErr, Value};

use super::chain::{self, BEFORE_THE_LOG, Heads};
use super::log::{Ballot, Entry, Head, write};
use super::rows::voter_key;
use crate::db::{Db, WriteTxn, fetch_all, find_value, run};
use crate::polls::definition;
use crate::polls::model::Poll;
use crate::types::{PollId, UnixMillis};

/// Ballots on one page of the log.
const PAGE: i64 = 10_000;

/// Starts the log of every poll that the migration found with ballots but without a log.
pub async fn adopt(db: &Db, now: UnixMillis) -> Result<(), DbErr> {
    let next = "SELECT id FROM poll WHERE unchained = 1 ORDER BY id LIMIT 1";
    while let Some(id) = find_value::<PollId>(db.read(), next, []).await? {
        let txn = db.write_txn("adopt-ballots").await?;
        // Of several nodes that start at once, only one does it.
        let mine = run(
            &*txn,
            "UPDATE poll SET unchained = 0 WHERE id = $1 AND unchained = 1",
            [id.into()],
        )
        .await?;
        if mine.rows_affected() == 1
            && let Some(poll) = definition::by_id_in(&*txn, id).await?
        {
            found(&txn, &poll, now).await?;
            gather_counters(&txn, id).await?;
        }
        txn.commit().await?;
    }
    Ok(())
}

async fn found(txn: &WriteTxn, poll: &Poll, now: UnixMillis) -> Result<(), DbErr> {
    let sql = "SELECT voter_key, choices, tier, source, network, cast_ms, changed_ms, revision FROM ballot \
               WHERE poll_id = $1 AND voter_key > $2 ORDER BY voter_key LIMIT $3";
    let mut heads = Heads::from([(poll.id, Head::default())]);
    let mut after: Vec<u8> = Vec::new();
    loop {
        let values: [Value; 3] = [poll.id.into(), after.clone().into(), PAGE.into()];
        let rows = fetch_all(&**txn, sql, values).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.try_get("", "voter_key")?;
        let mut page = chain::page(heads.get(&poll.id).copied().unwrap_or_default(), poll);
        for row in &rows {
            let network: Option<Vec<u8>> = row.try_get("", "network")?;
            let choices: Vec<u8> = row.try_get("", "choices")?;
            let ballot = Ballot {
                voter: voter_key(row)?,
                revision: row.try_get("", "revision")?,
                tier: row.try_get("", "tier")?,
                place: row.try_get("", "source")?,
                network: network.as_deref(),
                choices: &choices,
            };
            let entry = Entry::Found {
                ballot,
                cast: row.try_get("", "cast_ms")?,
                changed: row.try_get("", "changed_ms")?,
            };
            write(&mut page, &entry);
        }
        heads = chain::append(txn, BEFORE_THE_LOG, now, &heads, vec![(poll.id, page)]).await?;
    }
}

/// Moves the counters of the found ballots into the stripe of their chain. The tally is not recounted: if it disagrees
/// with the ballots, the verification should find that.
async fn gather_counters(txn: &WriteTxn, poll: PollId) -> Result<(), DbErr> {
    for sql in [
        "INSERT INTO tally (poll_id, option_id, tier, slot, n) \
         SELECT poll_id, option_id, tier, -1, CAST(SUM(n) AS BIGINT) FROM tally WHERE poll_id = $1 \
         GROUP BY poll_id, option_id, tier",
        "DELETE FROM tally WHERE poll_id = $1 AND slot <> -1",
        "DELETE FROM poll_source WHERE poll_id = $1",
        "INSERT INTO poll_source (poll_id, source, slot, n, first_ms, last_ms) \
         SELECT poll_id, source, -1, COUNT(*), MIN(cast_ms), MAX(changed_ms) FROM ballot WHERE poll_id = $1 \
         GROUP BY poll_id, source",
    ] {
        run(&**txn, sql, [poll.into()]).await?;
    }
    Ok(())
}
