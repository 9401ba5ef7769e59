//! Pages of the log as rows: written in the commit they tell of.

use std::collections::HashMap;

use sea_orm::{DbErr, QueryResult, Value};

use super::log::{Entry, Hash, Head, Wording, page_hash, write};
use crate::db::{Backend, Batch, Db, WriteTxn, fetch_all, values_list};
use crate::polls::model::Poll;
use crate::types::{PollId, UnixMillis};

/// The chain of ballots that were there before there was a log.
pub const BEFORE_THE_LOG: i64 = -1;

/// The ends of one slot's chains, as they are in this transaction.
pub type Heads = HashMap<PollId, Head>;

/// The end of a chain in a row that may have none.
pub fn head(row: &QueryResult) -> Result<Head, DbErr> {
    let seq: Option<i64> = row.try_get("", "seq")?;
    let hash: Option<Vec<u8>> = row.try_get("", "hash")?;
    Ok(match (seq, hash) {
        (Some(seq), Some(hash)) => Head {
            seq,
            hash: whole(hash)?,
        },
        _ => Head::default(),
    })
}

fn whole(hash: Vec<u8>) -> Result<Hash, DbErr> {
    hash.try_into()
        .map_err(|_| DbErr::Type("a hash is 32 bytes".into()))
}

/// Locks the chain of one poll in `slot`.
pub async fn lock_head(db: &Db, txn: &WriteTxn, slot: i64, poll: PollId) -> Result<Head, DbErr> {
    let lock = match db.backend() {
        Backend::Postgres => " FOR UPDATE",
        Backend::Sqlite => "",
    };
    let sql = format!("SELECT seq, hash FROM ballot_chain WHERE poll_id = $1 AND slot = $2{lock}");
    let rows = fetch_all(&**txn, sql, [poll.into(), slot.into()]).await?;
    rows.first().map_or_else(|| Ok(Head::default()), head)
}

/// A page in the making: the first of a chain starts with what the poll asks.
pub fn page(head: Head, poll: &Poll) -> Vec<u8> {
    let mut entries = Vec::new();
    if head.seq == 0 {
        write(&mut entries, &Entry::Whole);
        write(&mut entries, &Entry::Wording(Wording::of(poll)));
    }
    entries
}

/// Appends one page for each poll; returns the new ends. Two nodes that begin a chain of the same slot at once: one of them fails as a whole
/// and comes again.
pub async fn append(
    txn: &WriteTxn,
    slot: i64,
    now: UnixMillis,
    heads: &Heads,
    pages: Vec<(PollId, Vec<u8>)>,
) -> Result<Heads, DbErr> {
    let mut batch = Batch::default();
    let ahead = add(&mut batch, slot, now, heads, pages);
    batch.run(&**txn).await?;
    Ok(ahead)
}

/// As [`append`], with the rest of the batch.
pub fn add(
    batch: &mut Batch,
    slot: i64,
    now: UnixMillis,
    heads: &Heads,
    pages: Vec<(PollId, Vec<u8>)>,
) -> Heads {
    let mut ahead = Heads::with_capacity(pages.len());
    if pages.is_empty() {
        return ahead;
    }
    let mut ends: Vec<Value> = Vec::with_capacity(pages.len() * 4);
    let n = pages.len();
    let values: Vec<Value> = pages
        .into_iter()
        .flat_map(|(poll, entries)| {
            let before = heads.get(&poll).copied().unwrap_or_default();
            let head = page_hash(poll, slot, before, now, &entries);
            ahead.insert(poll, head);
            let hash = head.hash.to_vec();
            ends.extend([
                poll.into(),
                slot.into(),
                head.seq.into(),
                hash.clone().into(),
            ]);
            [
                poll.into(),
                slot.into(),
                head.seq.into(),
                now.into(),
                entries.into(),
                hash.into(),
            ]
        })
        .collect();
    let sql = format!(
        "INSERT INTO ballot_log (poll_id, slot, seq, at_ms, entries, hash) VALUES {}",
        values_list(n, 6, batch.taken())
    );
    batch.push(sql, values);
    let sql = format!(
        "INSERT INTO ballot_chain (poll_id, slot, seq, hash) VALUES {} \
         ON CONFLICT (poll_id, slot) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
        values_list(n, 4, batch.taken())
    );
    batch.push(sql, ends);
    ahead
}
