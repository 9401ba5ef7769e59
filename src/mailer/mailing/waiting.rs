//! Recipients that were not attempted yet. They have no row in the ledger and are found in the open batches.

use std::collections::HashSet;

use sea_orm::{FromQueryResult, Value};

use super::lease::in_ledger;
use super::recipients::{After, Listed, Query, Recipient, Standing, Wanted, columns};
use super::states::BatchState;
use crate::types::reader_list::unpacked;
use crate::{
    db::{self, Db, DbErr},
    types::{BatchId, IssueId, ReaderId},
};

/// The most batches that are read for one page, so that no page takes long.
const LOOKS: usize = 40;
/// Recipients per read.
const PART: usize = 400;
/// The most addresses that are checked for one page; the next page goes on from there.
const MOST: usize = 16_000;

/// The recipients that were not attempted yet, in the order of readers.
pub(super) async fn listed(
    db: &Db,
    issue: IssueId,
    wanted: &Wanted,
    limit: usize,
) -> Result<Listed, DbErr> {
    let mut after = match wanted.after {
        Some(After::Reader(reader)) => reader,
        _ => ReaderId(0),
    };
    let mut recipients = Vec::new();
    let mut looked = 0;
    while looked < LOOKS {
        let Some(mut next) = next(db, issue, after).await? else {
            return Ok(Listed {
                recipients,
                next: None,
            });
        };
        looked += next.batches;
        let attempted = in_ledger(db.read(), issue, &next.readers).await?;
        next.readers
            .retain(|reader| !attempted.contains_key(reader));
        for found in people(db, &next.readers, wanted).await? {
            if recipients.len() == limit {
                let next = recipients
                    .last()
                    .map(|r: &Recipient| After::Reader(r.reader));
                return Ok(Listed { recipients, next });
            }
            recipients.push(found);
        }
        after = next.up_to;
    }
    Ok(Listed {
        recipients,
        next: Some(After::Reader(after)),
    })
}

/// The next readers in the open batches.
struct Next {
    /// Ascending, at most [`PART`].
    readers: Vec<ReaderId>,
    /// `readers` is complete up to this reader.
    up_to: ReaderId,
    /// How many batches were read for it.
    batches: usize,
}

/// Reads the readers up to the end of the first batch. Other batches may overlap it: readers that were put aside for a
/// provider are in batches of their own.
async fn next(db: &Db, issue: IssueId, after: ReaderId) -> Result<Option<Next>, DbErr> {
    let open = "issue_id = $1 AND state < $3 AND attempt = 1 AND hi > $2";
    #[derive(FromQueryResult)]
    struct Row {
        hi: ReaderId,
        readers: Vec<u8>,
    }
    let rows: Vec<Row> = db::find_all(
        db.read(),
        format!(
            "SELECT hi, readers FROM mail_batch WHERE {open} AND lo <= (SELECT MIN(hi) FROM mail_batch WHERE {open})"
        ),
        [
            issue.into(),
            after.into(),
            BatchState::Done.code().into(),
        ],
    )
    .await?;
    let mut up_to = ReaderId(i64::MAX);
    let mut readers = Vec::new();
    for row in &rows {
        up_to = up_to.min(row.hi);
        readers.extend(unpacked(&row.readers));
    }
    if rows.is_empty() {
        return Ok(None);
    }
    readers.retain(|reader| after < *reader && *reader <= up_to);
    readers.sort_unstable();
    readers.dedup();
    if readers.len() > PART {
        readers.truncate(PART);
        up_to = readers.last().copied().unwrap_or(up_to);
    }
    Ok(Some(Next {
        readers,
        up_to,
        batches: rows.len(),
    }))
}

async fn people(db: &Db, readers: &[ReaderId], wanted: &Wanted) -> Result<Vec<Recipient>, DbErr> {
    if readers.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = Query::of(db, readers.len());
    let list: Vec<String> = readers.iter().map(|reader| query.value(reader.0)).collect();
    let mut sql = format!(
        "SELECT {} FROM reader r LEFT JOIN delivery d ON 1 = 0 WHERE r.id IN ({})",
        columns(),
        list.join(",")
    );
    query.address(&mut sql, wanted, "");
    sql.push_str(" ORDER BY r.id");
    db::find_all(db.read(), sql, query.values).await
}

/// The recipients whose address has this prefix, in the order of addresses. Readers outside the audience are left out.
pub(super) async fn by_address(
    db: &Db,
    issue: IssueId,
    wanted: &Wanted,
    limit: usize,
) -> Result<Listed, DbErr> {
    let mut after = match &wanted.after {
        Some(After::Address(key)) => key.clone(),
        _ => String::new(),
    };
    let mut recipients: Vec<Recipient> = Vec::new();
    let mut looked = 0;
    while looked < MOST {
        let part = part_after(db, issue, wanted, &after, limit).await?;
        for one in part.recipients {
            if recipients.len() == limit {
                let last = recipients.last();
                return Ok(Listed {
                    next: last.map(|r| After::Address(r.key().to_owned())),
                    recipients,
                });
            }
            recipients.push(one);
        }
        let Some(last) = part.last else {
            return Ok(Listed {
                recipients,
                next: None,
            });
        };
        after = last;
        looked += part.looked;
    }
    Ok(Listed {
        recipients,
        next: Some(After::Address(after)),
    })
}

/// Recipients among the next addresses.
struct Part {
    recipients: Vec<Recipient>,
    /// The last address that was checked; `None`: there are no more.
    last: Option<String>,
    /// How many addresses were checked at most.
    looked: usize,
}

/// Checks the addresses after `after`.
async fn part_after(
    db: &Db,
    issue: IssueId,
    wanted: &Wanted,
    after: &str,
    limit: usize,
) -> Result<Part, DbErr> {
    let in_ledger = matches!(wanted.standing, Some(Standing::Is(_))) || wanted.reason.is_some();
    // In the ledger every match counts, however sparse they are; of the other readers, some may not be in the audience.
    let (size, rows) = if in_ledger {
        (MOST, limit + 1)
    } else {
        (PART.max(limit + 1), PART.max(limit + 1))
    };
    let mut query = Query::of(db, rows);
    let mut addresses = "FROM reader r WHERE 1 = 1".to_owned();
    query.address(&mut addresses, wanted, after);
    addresses.push_str(" ORDER BY r.email_key");
    let values = query.values.clone();
    let ledger = with_ledger(&mut query, issue, wanted, in_ledger);
    let sql = format!(
        "SELECT {} FROM (SELECT id, email, email_key, erased_ms {addresses} LIMIT {size}) AS r {ledger} \
         ORDER BY r.email_key LIMIT {}",
        columns(),
        query.limit
    );
    let mut recipients: Vec<Recipient> = db::find_all(db.read(), sql, query.values).await?;
    // The whole part was checked: the next one begins after it, if there is one.
    let all = !in_ledger || recipients.len() < rows;
    let last = match recipients.last().filter(|_| !all) {
        Some(last) => Some(last.key().to_owned()),
        None => {
            let end = format!("SELECT r.email_key {addresses} LIMIT 1 OFFSET {}", size - 1);
            db::find_value(db.read(), end, values).await?
        }
    };
    keep_audience(db, issue, &mut recipients).await?;
    Ok(Part {
        recipients,
        last,
        looked: if all { size } else { rows },
    })
}

/// The join of the readers `r` with their rows in the ledger, and the conditions on these. `only`: leaves out readers
/// without one.
fn with_ledger(query: &mut Query, issue: IssueId, wanted: &Wanted, only: bool) -> String {
    let issue = query.value(issue);
    let mut sql = match wanted.standing {
        _ if only => {
            format!("CROSS JOIN delivery d WHERE d.issue_id = {issue} AND d.reader_id = r.id")
        }
        standing => format!(
            "LEFT JOIN delivery d ON d.issue_id = {issue} AND d.reader_id = r.id WHERE {}",
            if standing.is_some() {
                "d.reader_id IS NULL"
            } else {
                "1 = 1"
            }
        ),
    };
    query.narrow(&mut sql, wanted);
    sql
}

/// Leaves out the readers without a row in the ledger that are not in an open batch either.
async fn keep_audience(
    db: &Db,
    issue: IssueId,
    recipients: &mut Vec<Recipient>,
) -> Result<(), DbErr> {
    let waits = |one: &Recipient| one.standing == Standing::Waiting;
    let without: Vec<ReaderId> = recipients
        .iter()
        .filter(|one| waits(one))
        .map(|one| one.reader)
        .collect();
    let waiting = among(db, issue, &without).await?;
    recipients.retain(|one| !waits(one) || waiting.contains(&one.reader));
    Ok(())
}

/// Those of these readers that are in an open batch.
pub(super) async fn among(
    db: &Db,
    issue: IssueId,
    readers: &[ReaderId],
) -> Result<HashSet<ReaderId>, DbErr> {
    let mut found = HashSet::new();
    if readers.is_empty() {
        return Ok(found);
    }
    let wanted: HashSet<ReaderId> = readers.iter().copied().collect();
    #[derive(FromQueryResult)]
    struct Row {
        id: BatchId,
        lo: ReaderId,
        hi: ReaderId,
    }
    let rows: Vec<Row> = db::find_all(
        db.read(),
        "SELECT id, lo, hi FROM mail_batch WHERE issue_id = $1 AND state < $2 AND attempt = 1",
        [issue.into(), BatchState::Done.code().into()],
    )
    .await?;
    let may_hold = |row: &Row| readers.iter().any(|r| (row.lo..=row.hi).contains(r));
    let batches: Vec<BatchId> = rows
        .into_iter()
        .filter(may_hold)
        .map(|row| row.id)
        .collect();
    for part in batches.chunks(500) {
        let list = db::in_list(part.len(), 0);
        let sql = format!("SELECT readers FROM mail_batch WHERE id IN {list}");
        let ids = part.iter().map(|id| Value::from(*id));
        let parts: Vec<Vec<u8>> = db::find_values(db.read(), sql, ids).await?;
        for packed in parts {
            found.extend(unpacked(&packed).into_iter().filter(|r| wanted.contains(r)));
        }
    }
    Ok(found)
}
