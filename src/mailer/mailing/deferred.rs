//! The receiving domains with the most deferred recipients, and what their servers replied.

use sea_orm::FromQueryResult;

use super::attempts::{Attempt, attempts};
use super::recipients::{by_reason_index, domain_of, has_reason};
use super::states::{DeliveryState, Reason};
use crate::{
    db::{self, Db, DbErr},
    types::{IssueId, ReaderId},
};

/// The most deferred recipients that are read, so that the cost of the page does not grow with the trouble.
const LOOKED_AT: i64 = 50_000;
/// How many domains are listed.
const NAMED: usize = 8;

/// The deferred recipients of an issue by domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deferrals {
    /// The domains with the most deferred recipients first.
    pub domains: Vec<DeferredDomain>,
    /// Set if more were deferred than were read: the numbers then cover only this many.
    pub among: Option<i64>,
}

/// A receiving domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeferredDomain {
    /// In lower case.
    pub domain: String,
    /// Deferred recipients there.
    pub recipients: i64,
    /// The server's latest reply for one of them.
    pub said: Option<Attempt>,
}

#[derive(FromQueryResult)]
struct Row {
    domain: String,
    n: i64,
    /// One of its recipients.
    one: ReaderId,
}

/// The domains that defer the most recipients.
pub async fn deferrals(db: &Db, issue: IssueId) -> Result<Deferrals, DbErr> {
    let reasons: Vec<String> = Reason::of_state(DeliveryState::Deferred)
        .unwrap_or_default()
        .iter()
        .map(|reason| reason.code().to_string())
        .collect();
    let rows: Vec<Row> = db::find_all(
        db.read(),
        format!(
            "SELECT {} AS domain, CAST(COUNT(*) AS BIGINT) AS n, MAX(d.reader_id) AS one FROM
               (SELECT reader_id FROM delivery {} WHERE issue_id = $1 AND {} AND reason IN ({})
                AND state = {} LIMIT {LOOKED_AT}) AS d
             JOIN reader r ON r.id = d.reader_id GROUP BY 1 ORDER BY 2 DESC, 1",
            domain_of(db.backend()),
            by_reason_index(db.backend()),
            has_reason(""),
            reasons.join(","),
            DeliveryState::Deferred.code(),
        ),
        [issue.0.into()],
    )
    .await?;
    let (mut domains, mut ones, mut all) = (Vec::new(), Vec::new(), 0);
    for row in rows {
        all += row.n;
        if domains.len() < NAMED {
            ones.push(row.one);
            domains.push(DeferredDomain {
                domain: row.domain,
                recipients: row.n,
                said: None,
            });
        }
    }
    let mut said = attempts(db.read(), issue, &ones).await?;
    for (domain, one) in domains.iter_mut().zip(&ones) {
        domain.said = said.remove(one).and_then(|mut all| all.pop());
    }
    Ok(Deferrals {
        domains,
        among: (all >= LOOKED_AT).then_some(LOOKED_AT),
    })
}
