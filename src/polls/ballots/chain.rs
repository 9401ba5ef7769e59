//! Pages of the log as rows, written in the commit that they describe.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{DbErr, QueryResult, Value};

use super::log::{Entry, Hash, Head, Terms, Wording, page_hash, write};
use crate::db::{Backend, Batch, Db, WriteTxn, fetch_all};
use crate::polls::model::Poll;
use crate::types::{PollId, UnixMillis};

/// The slot of the chain of ballots from before the log existed.
pub const BEFORE_THE_LOG: i64 = -1;

/// The ends of one slot's chains, as this transaction sees them.
pub type Heads = HashMap<PollId, Head>;

/// The end of a chain, from a row in which it may be NULL.
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

/// Starts a new page: the first page of a chain begins with the wording and the terms of the poll.
pub fn page(head: Head, poll: &Poll) -> Vec<u8> {
    let mut entries = Vec::new();
    if head.seq == 0 {
        write(&mut entries, &Entry::Whole);
        write(&mut entries, &Entry::Wording(Wording::of(poll)));
        write(&mut entries, &Entry::Terms(Terms::of(poll)));
    }
    entries
}

/// Appends one page for each poll, and returns the new ends. If two nodes start a chain in the same slot at once, one
/// of the transactions fails as a whole and can be retried.
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

/// Like [`append`], as part of a batch.
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
    let mut rows: Vec<[Value; 6]> = Vec::with_capacity(pages.len());
    for (poll, entries) in pages {
        let before = heads.get(&poll).copied().unwrap_or_default();
        let head = page_hash(poll, slot, before, now, &entries);
        ahead.insert(poll, head);
        let (seq, hash) = (head.seq.into(), head.hash.to_vec().into());
        rows.push([
            poll.into(),
            slot.into(),
            seq,
            now.into(),
            entries.into(),
            hash,
        ]);
    }
    let ends: Vec<[Value; 4]> = rows
        .iter()
        .map(|[poll, slot, seq, _, _, hash]| [poll, slot, seq, hash].map(Value::clone))
        .collect();
    batch.insert(
        "ballot_log (poll_id, slot, seq, at_ms, entries, hash)",
        rows,
        "",
    );
    batch.insert(
        "ballot_chain (poll_id, slot, seq, hash)",
        ends,
        "(poll_id, slot) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
    );
    ahead
}

/// Makes a batch with pages conditional, on SQLite: it fails as a whole unless the polls are unchanged since
/// their answers were read. If the chain has grown meanwhile, the batch fails as well, because a page with
/// this number already exists.
pub fn hold(batch: &mut Batch, slot: i64, polls: &BTreeMap<PollId, &Poll>) {
    for (id, poll) in polls {
        // `seq` is NOT NULL: if the poll has changed, the subquery yields NULL and the batch fails.
        let taken = batch.taken();
        let sql = format!(
            "UPDATE ballot_chain SET seq = (SELECT seq FROM poll WHERE id = ${} AND revision = ${} AND closed_ms IS NULL AND sealed_ms IS NULL) \
             WHERE poll_id = ${} AND slot = ${}",
            taken + 1,
            taken + 2,
            taken + 3,
            taken + 4
        );
        batch.push(
            sql,
            [
                (*id).into(),
                poll.revision.into(),
                (*id).into(),
                slot.into(),
            ],
        );
    }
}
