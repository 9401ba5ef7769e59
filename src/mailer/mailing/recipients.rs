//! The list of who got an issue and who did not, page by page.
//!
//! A page costs the same at a million recipients as at a hundred: it begins where the last one ended, and every filter
//! has an index. Failed, waiting and doubtful recipients are found by their reason (a partial index of the rows that
//! have one), a domain by its readers, an address by its prefix; recipients that were not attempted yet are read from
//! the batches.

use sea_orm::{ConnectionTrait, FromQueryResult, QueryResult, Value};

use super::states::{DeliveryState, Reason};
use super::waiting;
use crate::{
    db::{self, Backend, Db, DbErr},
    types::{IssueId, ReaderId, UnixMillis},
};

/// The state of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not attempted yet.
    Waiting,
    /// In the ledger, in this state.
    Is(DeliveryState),
}

/// The filter of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only recipients in this state. `None`: all that were attempted or skipped; with an address or domain, also those
    /// that were not attempted yet.
    pub standing: Option<Standing>,
    /// Only those with this reason.
    pub reason: Option<Reason>,
    /// The domain of the address, in lower case; empty: any.
    pub domain: String,
    /// The beginning of the address, in lower case; empty: any.
    pub address: String,
    /// Where the previous page ended.
    pub after: Option<After>,
}

/// The last recipient of the previous page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// In a list ordered by reader.
    Reader(ReaderId),
    /// In a list ordered by address.
    Address(String),
}

/// A recipient in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The reader.
    pub reader: ReaderId,
    /// The address as it was typed; empty if the reader's data were erased.
    pub email: String,
    /// The recipient's state.
    pub standing: Standing,
    /// The reason for that state.
    pub reason: Reason,
    /// The time of the last change; none while waiting.
    pub at: Option<UnixMillis>,
    key: String,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// At most as many as asked for.
    pub recipients: Vec<Recipient>,
    /// Where the next page begins, if there may be one.
    pub next: Option<After>,
}

/// Up to this many recipients in a state, all of them are read and filtered by address afterwards.
const FEW: i64 = 5_000;
const COLUMNS: &str = "r.id, r.email, r.email_key, d.state, d.reason, d.at_ms,
    CASE WHEN r.erased_ms IS NULL THEN 0 ELSE 1 END AS erased";

/// The page that `wanted` describes, of at most `limit` recipients.
pub async fn recipients(
    db: &Db,
    issue: IssueId,
    wanted: &Wanted,
    limit: usize,
) -> Result<Listed, DbErr> {
    let named = !wanted.address.is_empty() || !wanted.domain.is_empty();
    if wanted.standing == Some(Standing::Waiting) && wanted.address.is_empty() {
        return waiting::listed(db, issue, wanted, limit).await;
    }
    let by_address = named
        && match wanted.after {
            Some(After::Address(_)) => true,
            Some(After::Reader(_)) => false,
            // If few recipients are in that state, filter them instead of all readers with such an address.
            None => by_reason(wanted).is_none() || many(db, issue, wanted).await?,
        };
    if by_address {
        waiting::by_address(db, issue, wanted, limit).await
    } else {
        by_reader(db, issue, wanted, limit).await
    }
}

/// A page in the order of readers.
async fn by_reader(
    db: &Db,
    issue: IssueId,
    wanted: &Wanted,
    limit: usize,
) -> Result<Listed, DbErr> {
    let mut query = Query::of(db, limit + 1);
    let after = match wanted.after {
        Some(After::Reader(reader)) => reader,
        _ => ReaderId(0),
    };
    let sql = match by_reason(wanted) {
        Some(reasons) => {
            let reasons = counted(db, issue, wanted, reasons).await?;
            if reasons.is_empty() {
                return Ok(Listed::default());
            }
            query.by_reason(db.backend(), issue, &reasons, after, wanted)
        }
        None => query.by_ledger(issue, after, wanted),
    };
    let mut found: Vec<Recipient> = db::find_all(
        db.read(),
        format!("{sql} ORDER BY id LIMIT {}", query.limit),
        query.values,
    )
    .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more);
    Ok(Listed {
        next: next.map(|last| After::Reader(last.reader)),
        recipients: found,
    })
}

/// A statement under construction.
pub(super) struct Query {
    pub(super) values: Vec<Value>,
    pub(super) limit: usize,
    domain: &'static str,
}

impl Query {
    pub(super) fn of(db: &Db, limit: usize) -> Self {
        Self {
            values: Vec::new(),
            limit,
            domain: domain_of(db.backend()),
        }
    }

    pub(super) fn value(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// The recipients with these reasons after a reader, each reason read in the order of its index and limited before
    /// they are merged.
    fn by_reason(
        &mut self,
        backend: Backend,
        issue: IssueId,
        reasons: &[Reason],
        after: ReaderId,
        wanted: &Wanted,
    ) -> String {
        let hint = by_reason_index(backend);
        let (has_one, limit) = (has_reason("d."), self.limit);
        let mut parts = Vec::with_capacity(reasons.len());
        for code in reasons.iter().map(|reason| reason.code()) {
            let mut part = format!(
                "SELECT {COLUMNS} FROM delivery d {hint} CROSS JOIN reader r WHERE r.id = d.reader_id
                 AND d.issue_id = {} AND {has_one} AND d.reason = {code} AND d.reader_id > {}",
                self.value(issue),
                self.value(after),
            );
            self.narrow(&mut part, wanted);
            self.address(&mut part, wanted, "");
            parts.push(format!(
                "SELECT * FROM ({part} ORDER BY d.reader_id LIMIT {limit}) AS part{code}"
            ));
        }
        format!("SELECT * FROM ({}) AS listed", parts.join(" UNION ALL "))
    }

    /// The recipients in the ledger after a reader.
    fn by_ledger(&mut self, issue: IssueId, after: ReaderId, wanted: &Wanted) -> String {
        let mut sql = format!(
            "SELECT {COLUMNS} FROM delivery d CROSS JOIN reader r WHERE r.id = d.reader_id
             AND d.issue_id = {} AND d.reader_id > {}",
            self.value(issue),
            self.value(after),
        );
        self.narrow(&mut sql, wanted);
        format!(
            "SELECT * FROM ({sql} ORDER BY d.reader_id LIMIT {}) AS listed",
            self.limit
        )
    }

    /// Adds the conditions on the delivery `d`.
    pub(super) fn narrow(&mut self, sql: &mut String, wanted: &Wanted) {
        if let Some(Standing::Is(state)) = wanted.standing {
            sql.push_str(&format!(" AND d.state = {}", state.code()));
        }
        if let Some(reason) = wanted.reason {
            sql.push_str(&format!(" AND d.reason = {}", reason.code()));
        }
    }

    /// Adds the conditions on the addresses of the reader `r`, beginning after `after`. There is only one lower bound,
    /// because with two SQLite would start from the first.
    pub(super) fn address(&mut self, sql: &mut String, wanted: &Wanted, after: &str) {
        if !wanted.domain.is_empty() {
            let domain = self.value(wanted.domain.as_str());
            sql.push_str(&format!(" AND {} = {domain}", self.domain));
        }
        if after > wanted.address.as_str() {
            let after = self.value(after);
            sql.push_str(&format!(" AND r.email_key > {after}"));
        } else if !wanted.address.is_empty() {
            let from = self.value(wanted.address.as_str());
            sql.push_str(&format!(" AND r.email_key >= {from}"));
        }
        if !wanted.address.is_empty() {
            // Keys are ASCII, compared byte by byte on both databases.
            let to = self.value(format!("{}\u{7f}", wanted.address));
            sql.push_str(&format!(" AND r.email_key < {to}"));
        }
    }
}

/// An index hint for SQLite, which would otherwise scan the primary key: a million rows to find ten. PostgreSQL has
/// statistics and needs none.
pub(super) fn by_reason_index(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "INDEXED BY delivery_by_reason",
        Backend::Postgres => "",
    }
}

/// The condition of that index, spelled as in its definition: SQLite uses the index only then.
pub(super) fn has_reason(prefix: &str) -> String {
    format!("{prefix}reason <> {}", Reason::None.code())
}

/// The expression of the index of domains.
pub(super) fn domain_of(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => "substr(r.email_key, strpos(r.email_key, '@') + 1)",
        Backend::Sqlite => "substr(r.email_key, instr(r.email_key, '@') + 1)",
    }
}

/// The reasons to look for; `None` unless every wanted recipient has a reason.
fn by_reason(wanted: &Wanted) -> Option<Vec<Reason>> {
    if let Some(reason) = wanted.reason {
        return (reason != Reason::None).then(|| vec![reason]);
    }
    let Some(Standing::Is(state)) = wanted.standing else {
        return None;
    };
    Reason::of_state(state).map(<[Reason]>::to_vec)
}

/// Keeps only the reasons that some recipient has, because a search without any match takes longest. Deferred
/// recipients are counted together.
async fn counted(
    db: &Db,
    issue: IssueId,
    wanted: &Wanted,
    reasons: Vec<Reason>,
) -> Result<Vec<Reason>, DbErr> {
    let Some(Standing::Is(state)) = wanted.standing else {
        return Ok(reasons);
    };
    let known: Vec<i16> = db::find_values(
        db.read(),
        "SELECT reason FROM issue_tally WHERE issue_id = $1 AND state = $2 GROUP BY reason HAVING SUM(n) > 0",
        [issue.0.into(), state.code().into()],
    )
    .await?;
    if state == DeliveryState::Deferred && !known.is_empty() {
        return Ok(reasons);
    }
    Ok(reasons
        .into_iter()
        .filter(|reason| known.contains(&reason.code()))
        .collect())
}

/// Whether more recipients are in that state than can be filtered quickly.
async fn many(db: &Db, issue: IssueId, wanted: &Wanted) -> Result<bool, DbErr> {
    let (mut sql, mut values) = (
        "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM issue_tally WHERE issue_id = $1"
            .to_owned(),
        vec![Value::from(issue.0)],
    );
    match (wanted.standing, wanted.reason) {
        (Some(Standing::Is(state)), _) => {
            values.push(state.code().into());
            sql.push_str(" AND state = $2");
        }
        (_, Some(reason)) => {
            values.push(reason.code().into());
            values.push(DeliveryState::Deferred.code().into());
            sql.push_str(" AND (reason = $2 OR state = $3)");
        }
        _ => {}
    }
    let n: Option<i64> = db::find_value(db.read(), sql, values).await?;
    Ok(n.unwrap_or(0) > FEW)
}

/// Reads a row of `COLUMNS`; without a state, the recipient was not attempted yet.
impl FromQueryResult for Recipient {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let state: Option<i16> = row.try_get(prefix, "state")?;
        let reason: Option<i16> = row.try_get(prefix, "reason")?;
        let erased: i32 = row.try_get(prefix, "erased")?;
        let email: String = row.try_get(prefix, "email")?;
        let standing = state.and_then(DeliveryState::of);
        Ok(Self {
            reader: row.try_get(prefix, "id")?,
            email: if erased == 0 { email } else { String::new() },
            key: row.try_get(prefix, "email_key")?,
            // In an intent, this column holds the number of crashes.
            reason: match standing {
                Some(DeliveryState::Intent) | None => Reason::None,
                Some(_) => reason.map_or(Reason::None, Reason::of),
            },
            standing: standing.map_or(Standing::Waiting, Standing::Is),
            at: row.try_get(prefix, "at_ms")?,
        })
    }
}

impl Recipient {
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

pub(super) const fn columns() -> &'static str {
    COLUMNS
}

/// One recipient of an issue; `None` if the reader is not in its audience.
pub async fn recipient(
    db: &Db,
    issue: IssueId,
    reader: ReaderId,
) -> Result<Option<Recipient>, DbErr> {
    let found: Option<Recipient> = db::find_one(
        db.read(),
        format!(
            "SELECT {COLUMNS} FROM reader r LEFT JOIN delivery d ON d.issue_id = $1 AND d.reader_id = r.id WHERE r.id = $2"
        ),
        [issue.0.into(), reader.0.into()],
    )
    .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    if found.standing == Standing::Waiting
        && !waiting::among(db, issue, &[reader])
            .await?
            .contains(&reader)
    {
        return Ok(None);
    }
    Ok(Some(found))
}

/// The readers with these addresses, if there are any; `keys` are in lower case.
pub async fn readers_named<C: ConnectionTrait>(
    db: &C,
    keys: &[String],
) -> Result<Vec<ReaderId>, DbErr> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT id FROM reader WHERE email_key IN {}",
        db::in_list(keys.len(), 0)
    );
    let keys = keys.iter().map(|key| Value::from(key.as_str()));
    db::find_values(db, sql, keys).await
}
