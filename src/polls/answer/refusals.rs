//! Counters of answers that were not counted, by reason and hour, so that nothing is blocked silently.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::db::{Batch, find_all};
use crate::types::{PollId, UnixMillis};

/// Why an answer was not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Closed,
    NotOpen,
    ForeignOption,
    /// Too many or too few options, or invalid ranks or words.
    WrongNumber,
    TooFast,
    /// The answer itself was counted, as one without proof of work.
    BadProof,
    /// A vote from a mail whose nonce is missing, expired, or was issued for another link.
    BadNonce,
    /// A vote from a mail whose button was pressed by a script.
    Untouched,
    /// The voter is not in the sample that the poll asks.
    NotInvited,
    /// The browser's ballot counts as that of the reader it was handed over to, and can be changed only there.
    HandedOver,
    /// The page that sent it belongs to a site that may not embed polls. The reader gets the form on our own page.
    OtherSite,
}

impl Reason {
    pub const ALL: [Self; 11] = [
        Self::Closed,
        Self::NotOpen,
        Self::ForeignOption,
        Self::WrongNumber,
        Self::TooFast,
        Self::BadProof,
        Self::BadNonce,
        Self::Untouched,
        Self::NotInvited,
        Self::HandedOver,
        Self::OtherSite,
    ];

    /// The code stored in the table.
    pub fn code(self) -> i16 {
        match self {
            Self::Closed => 1,
            Self::NotOpen => 2,
            Self::ForeignOption => 3,
            Self::WrongNumber => 4,
            Self::TooFast => 5,
            Self::BadProof => 6,
            Self::BadNonce => 20,
            Self::Untouched => 21,
            Self::NotInvited => 22,
            Self::HandedOver => 23,
            Self::OtherSite => 24,
        }
    }

    /// The name in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::NotOpen => "not_open",
            Self::ForeignOption => "unknown_option",
            Self::WrongNumber => "invalid",
            Self::TooFast => "too_fast",
            Self::BadProof => "bad_proof",
            Self::BadNonce => "bad_nonce",
            Self::Untouched => "untouched",
            Self::NotInvited => "not_invited",
            Self::HandedOver => "handed_over",
            Self::OtherSite => "other_site",
        }
    }
}

/// Adds to the counters, as part of the batch. `slot` is this node's stripe.
pub fn add(batch: &mut Batch, slot: i64, now: UnixMillis, refused: &[(PollId, Reason)]) {
    let mut counts: BTreeMap<(PollId, Reason), i64> = BTreeMap::new();
    for key in refused {
        *counts.entry(*key).or_default() += 1;
    }
    let hour = now.hour();
    batch.insert(
        "refusal (poll_id, reason, hour_ms, slot, n)",
        counts.iter().map(|((poll, reason), n)| {
            [
                (*poll).into(),
                reason.code().into(),
                hour.into(),
                slot.into(),
                (*n).into(),
            ]
        }),
        "(poll_id, reason, hour_ms, slot) DO UPDATE SET n = refusal.n + excluded.n",
    );
}

/// The refusals of a poll by reason, over all hours: some came by a reader's own link, so the hour of one would reveal
/// that this reader was there. Reasons without any are left out.
pub async fn refused<C: ConnectionTrait>(
    db: &C,
    poll: PollId,
) -> Result<Vec<(Reason, i64)>, DbErr> {
    let sql = "SELECT reason, CAST(SUM(n) AS BIGINT) AS n FROM refusal WHERE poll_id = $1 GROUP BY reason ORDER BY reason";
    #[derive(FromQueryResult)]
    struct Row {
        reason: i16,
        n: i64,
    }
    let rows: Vec<Row> = find_all(db, sql, [poll.into()]).await?;
    let named = rows.into_iter().filter_map(|row| {
        let reason = Reason::ALL.into_iter().find(|r| r.code() == row.reason)?;
        Some((reason, row.n))
    });
    Ok(named.collect())
}
