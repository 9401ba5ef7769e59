//! Verifies linked answers against the ballots: while the poll's key exists, they must be the same; afterwards there
//! must be no more links of a kind than ballots of that kind.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use sea_orm::{DatabaseTransaction, DbErr, StreamTrait as _};

use super::root::each_kind;
use super::slip::VoterKey;
use super::verify::Verified;
use super::verify_share::Share;
use crate::db::{Backend, query};
use crate::polls::answer::Choice;
use crate::polls::model::Poll;
use crate::polls::voter::Voter;
use crate::types::ReaderId;

/// The linked answers of a poll, by the voter keys of their readers.
pub(super) struct Links(BTreeMap<VoterKey, Vec<u8>>);

impl Links {
    /// Reads the links of a share. Checks that need no ballots are made with the first share.
    pub(super) async fn of(
        db: &DatabaseTransaction,
        poll: &Poll,
        share: &Share,
        verified: &mut Verified,
    ) -> Result<Self, DbErr> {
        let mut links = BTreeMap::new();
        let mut take = |reader, choices| {
            let voter = Voter::Subscriber(reader).key(poll);
            if share.has(&voter) {
                links.insert(voter, choices);
            }
        };
        if share.is_first() {
            checked(db, poll, verified, take).await?;
        } else {
            each(db, poll, |reader, choices, _| take(reader, choices)).await?;
        }
        Ok(Self(links))
    }

    /// Compares a ballot with the linked answer of its voter, if there is one.
    pub(super) fn see(&mut self, voter: &VoterKey, choices: &[u8], verified: &mut Verified) {
        if self.0.remove(voter).is_some_and(|said| said != choices) {
            verified.find("a linked answer differs from its ballot");
        }
    }

    /// Reports the links that are left: they have no ballot.
    pub(super) fn finish(self, verified: &mut Verified) {
        for _ in self.0 {
            verified.find("a linked answer has no ballot");
        }
    }
}

/// Streams the links: the reader, the answer, and whether the reader was erased.
async fn each(
    db: &DatabaseTransaction,
    poll: &Poll,
    mut take: impl FnMut(ReaderId, Vec<u8>, bool) + Send,
) -> Result<(), DbErr> {
    let sql = "SELECT l.reader_id, l.choices, r.erased_ms IS NOT NULL AS erased FROM ballot_link l \
               JOIN reader r ON r.id = l.reader_id WHERE l.poll_id = $1";
    let mut rows = db.stream_raw(query(db, sql, [poll.id.into()])).await?;
    while let Some(row) = rows.try_next().await? {
        take(
            row.try_get("", "reader_id")?,
            row.try_get("", "choices")?,
            row.try_get("", "erased")?,
        );
    }
    Ok(())
}

/// Like [`each`], and reports problems that can be found without the ballots.
async fn checked(
    db: &DatabaseTransaction,
    poll: &Poll,
    verified: &mut Verified,
    mut take: impl FnMut(ReaderId, Vec<u8>) + Send,
) -> Result<(), DbErr> {
    verified.linked = 0;
    each(db, poll, |reader, choices, erased| {
        if erased {
            verified.find("an answer is linked to a reader who was erased");
        }
        verified.linked += 1;
        take(reader, choices);
    })
    .await?;
    if poll.linking.is_none() && verified.linked > 0 {
        verified.find("the poll is secret, but answers are linked");
    }
    Ok(())
}

/// Verifies the links of a sealed poll against the kinds of ballots that are left.
pub(super) async fn sealed(
    db: &DatabaseTransaction,
    backend: Backend,
    poll: &Poll,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let mut linked: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    checked(db, poll, verified, |_, choices| {
        // The ballots that are left have no words of the readers' own.
        let options = Choice::from_stored(&choices).without_words().to_stored();
        *linked.entry(options).or_default() += 1;
    })
    .await?;
    each_kind(db, backend, poll, |kind| {
        if let Some(n) = linked.get_mut(&kind.choices) {
            *n -= kind.n;
        }
    })
    .await?;
    for more in linked.into_values().filter(|n| *n > 0) {
        verified.find(format!("{more} linked answers of one kind have no ballot"));
    }
    Ok(())
}
