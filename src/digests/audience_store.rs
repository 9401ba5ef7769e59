//! Who gets an issue: the confirmed readers of its newsletter, and why others do not.

use sea_orm::ConnectionTrait;

use crate::db::{DbErr, fetch_all, fetch_one, in_list};
use crate::types::{NewsletterId, ReaderId, SubscriptionState};

/// Readers of a newsletter who get no mail, by reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// A few words for the last page before sending.
    pub reason: &'static str,
    /// How many.
    pub readers: i64,
}

/// How many of these readers would get an issue of this newsletter now.
pub(super) async fn count_of<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    readers: &[ReaderId],
) -> Result<i64, DbErr> {
    let mut all = 0;
    for part in readers.chunks(1_000) {
        let sql = format!(
            "SELECT CAST(COUNT(*) AS BIGINT) FROM subscription WHERE newsletter_id = $1 AND state = {} AND reader_id IN {}",
            SubscriptionState::Active.code(),
            in_list(part.len(), 1)
        );
        let values = std::iter::once(newsletter.0.into()).chain(part.iter().map(|r| r.0.into()));
        if let Some(row) = fetch_one(db, sql, values).await? {
            all += row.try_get_by_index::<i64>(0)?;
        }
    }
    Ok(all)
}

/// Who would not get an issue, and why.
pub(super) async fn excluded<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
) -> Result<Vec<Excluded>, DbErr> {
    let sql = format!(
        "SELECT state, CAST(COUNT(*) AS BIGINT) AS readers FROM subscription
         WHERE newsletter_id = $1 AND state <> {} GROUP BY state ORDER BY state",
        SubscriptionState::Active.code()
    );
    let mut excluded = Vec::new();
    for row in fetch_all(db, sql, [newsletter.0.into()]).await? {
        let state: i16 = row.try_get("", "state")?;
        excluded.push(Excluded {
            reason: match SubscriptionState::from_code(state) {
                Some(SubscriptionState::Left) => "left",
                Some(SubscriptionState::Removed) => "taken off by an editor",
                Some(SubscriptionState::Bounced) => "their address bounced",
                Some(SubscriptionState::Complained) => "complained",
                Some(SubscriptionState::Active) | None => "not subscribed",
            },
            readers: row.try_get("", "readers")?,
        });
    }
    Ok(excluded)
}
