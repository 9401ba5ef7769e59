//! Who gets an issue: the confirmed readers of its newsletter, and why others do not.

use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::db::{DbErr, find_all, find_value, in_list};
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
        let n: Option<i64> = find_value(db, sql, values).await?;
        all += n.unwrap_or(0);
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
    #[derive(FromQueryResult)]
    struct Row {
        state: i16,
        readers: i64,
    }
    let rows: Vec<Row> = find_all(db, sql, [newsletter.into()]).await?;
    let excluded = |row: Row| Excluded {
        reason: match SubscriptionState::from_code(row.state) {
            Some(SubscriptionState::Left) => "left",
            Some(SubscriptionState::Removed) => "taken off by an editor",
            Some(SubscriptionState::Bounced) => "their address bounced",
            Some(SubscriptionState::Complained) => "complained",
            Some(SubscriptionState::Active) | None => "not subscribed",
        },
        readers: row.readers,
    };
    Ok(rows.into_iter().map(excluded).collect())
}
