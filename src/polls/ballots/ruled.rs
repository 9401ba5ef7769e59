//! Editors' rulings on readers' own words go into the log as well, because they decide what readers see.

use sea_orm::DbErr;

use super::chain::{self, Heads};
use super::log::{Entry, sha256, write};
use super::{record, seal};
use crate::db::{Db, WriteTxn};
use crate::polls::definition;
use crate::polls::model::Poll;
use crate::types::{OptionId, PollId, UnixMillis};

/// The locked log of one poll. It is opened before the rulings are written, so that locks are taken in the same order
/// as by commits of answers.
#[derive(Debug)]
pub struct RulingLog {
    slot: i64,
    heads: Heads,
    poll: Option<Poll>,
}

impl RulingLog {
    /// Locks the chain and then the poll.
    pub async fn open(db: &Db, txn: &WriteTxn, slot: i64, poll: PollId) -> Result<Self, DbErr> {
        let head = chain::lock_head(db, txn, slot, poll).await?;
        seal::lock(db, txn, poll).await?;
        Ok(Self {
            slot,
            heads: Heads::from([(poll, head)]),
            poll: definition::by_id_in(&**txn, poll).await?,
        })
    }

    /// Records what readers now see of which words. A sealed poll has no log; for it, a new record is written.
    pub async fn close(
        self,
        db: &Db,
        txn: &WriteTxn,
        now: UnixMillis,
        ruled: &[(OptionId, Vec<u8>, String)],
    ) -> Result<(), DbErr> {
        let Some(poll) = self.poll else { return Ok(()) };
        if poll.sealed_at.is_some() {
            return record::renew(txn, db.backend(), &poll, now).await;
        }
        let head = self.heads.get(&poll.id).copied().unwrap_or_default();
        let mut page = chain::page(head, &poll);
        for (option, key, shown) in ruled {
            let entry = Entry::Ruled {
                option: option.0,
                words: key.as_slice().try_into().unwrap_or_default(),
                shown: (!shown.is_empty()).then(|| sha256(shown.as_bytes())),
            };
            write(&mut page, &entry);
        }
        let pages = vec![(poll.id, page)];
        chain::append(txn, self.slot, now, &self.heads, pages).await?;
        Ok(())
    }
}
