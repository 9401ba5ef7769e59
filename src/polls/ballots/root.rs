//! One hash over all ballots, independent of their order and of who cast them. It can still be compared when the log
//! and the voters' keys are gone.

use aws_lc_rs::digest::{Context, SHA256};
use futures::TryStreamExt as _;
use sea_orm::{DatabaseTransaction, DbErr, StreamTrait as _};

use super::hand_over::HANDED_OVER;
use super::log::{Hash, finished};
use crate::db::{Backend, query};
use crate::polls::model::Poll;
use crate::types::PollId;

/// Ballots that say the same: only their options, without the readers' own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    pub choices: Vec<u8>,
    pub tier: i64,
    pub set_aside: bool,
    pub n: i64,
}

/// SQL for the options in the column `choices` of a ballot, without the reader's own words. No byte of an option's
/// number is zero, so the first zero byte is where the words begin.
pub fn options_only(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => {
            "CASE WHEN instr(choices, X'00') > 0 THEN substr(choices, 1, instr(choices, X'00') - 1) ELSE choices END"
        }
        Backend::Postgres => {
            "CASE WHEN position('\\x00'::bytea IN choices) > 0 \
             THEN substring(choices FROM 1 FOR position('\\x00'::bytea IN choices) - 1) ELSE choices END"
        }
    }
}

/// SQL for the columns of [`Alike`] from the ballots of an unsealed poll, ordered by their bytes. A ballot that was
/// handed over is counted under its reader's key.
pub(super) fn of_ballots(backend: Backend) -> String {
    let options = options_only(backend);
    format!(
        "SELECT {options} AS said, CAST(tier AS BIGINT) AS tier, CAST(CASE WHEN removed IS NULL THEN 0 ELSE 1 END AS BIGINT) AS set_aside, \
         COUNT(*) AS n FROM ballot WHERE poll_id = $1 AND (removed IS NULL OR removed <> {HANDED_OVER}) \
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
}

/// The same for a sealed poll, which keeps nothing else.
const OF_SEALED: &str = "SELECT choices AS said, CAST(tier AS BIGINT) AS tier, CAST(set_aside AS BIGINT) AS set_aside, n \
     FROM sealed_ballot WHERE poll_id = $1 ORDER BY 1, 2, 3";

/// Streams the ballots of a poll, sealed or not, kind by kind, without holding them in memory.
pub(super) async fn each_kind(
    db: &DatabaseTransaction,
    backend: Backend,
    poll: &Poll,
    mut take: impl FnMut(Alike) + Send,
) -> Result<(), DbErr> {
    let sql = match poll.sealed_at {
        None => of_ballots(backend),
        Some(_) => OF_SEALED.to_owned(),
    };
    let mut rows = db.stream_raw(query(db, sql, [poll.id.into()])).await?;
    while let Some(row) = rows.try_next().await? {
        take(Alike {
            choices: row.try_get("", "said")?,
            tier: row.try_get("", "tier")?,
            set_aside: row.try_get::<i64>("", "set_aside")? != 0,
            n: row.try_get("", "n")?,
        });
    }
    Ok(())
}

/// Computes the root: `SHA-256("canvass ballots 2" 00 | poll | each kind)`, kinds in the order of their
/// bytes, each as length of the choices | choices | tier | 1 if set aside, else 0 | number of ballots;
/// numbers are 8 bytes, big-endian.
pub(super) struct Root(Context);

impl Root {
    pub(super) fn of(poll: PollId) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(b"canvass ballots 2\0");
        context.update(&poll.0.to_be_bytes());
        Self(context)
    }

    pub(super) fn add(&mut self, kind: &Alike) {
        let length = i64::try_from(kind.choices.len()).unwrap_or(i64::MAX);
        self.0.update(&length.to_be_bytes());
        self.0.update(&kind.choices);
        for number in [kind.tier, i64::from(kind.set_aside), kind.n] {
            self.0.update(&number.to_be_bytes());
        }
    }

    pub(super) fn finish(self) -> Hash {
        finished(self.0)
    }
}
