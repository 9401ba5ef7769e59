//! Linked answers against the ballots: the same while the poll's key exists; afterwards no more of a kind than ballots of that kind.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use super::root::each_kind;
use super::slip::VoterKey;
use super::verify::Verified;
use crate::db::{Backend, fetch_all};
use crate::polls::choice::Choice;
use crate::polls::model::Poll;
use crate::polls::voter::Voter;
use crate::types::ReaderId;

/// The linked answers of a poll, by the key that their readers' ballots have.
pub(super) struct Links(BTreeMap<VoterKey, Vec<u8>>);

impl Links {
    /// Reads them all.
    pub(super) async fn of<C: ConnectionTrait>(
        db: &C,
        poll: &Poll,
        verified: &mut Verified,
    ) -> Result<Self, DbErr> {
        let links = read(db, poll, verified).await?;
        let key = |reader| Voter::Subscriber(reader).key(poll);
        Ok(Self(
            links
                .into_iter()
                .map(|(reader, choices)| (key(reader), choices))
                .collect(),
        ))
    }

    /// Compares a ballot with what is linked, if it is.
    pub(super) fn see(&mut self, voter: &VoterKey, choices: &[u8], verified: &mut Verified) {
        if self.0.remove(voter).is_some_and(|said| said != choices) {
            verified.find("a linked answer says something else than its ballot");
        }
    }

    /// What is left has no ballot.
    pub(super) fn finish(self, verified: &mut Verified) {
        for _ in self.0 {
            verified.find("a linked answer has no ballot");
        }
    }
}

async fn read<C: ConnectionTrait>(
    db: &C,
    poll: &Poll,
    verified: &mut Verified,
) -> Result<Vec<(ReaderId, Vec<u8>)>, DbErr> {
    let sql = "SELECT l.reader_id, l.choices, r.erased_ms IS NOT NULL AS erased FROM ballot_link l \
               JOIN reader r ON r.id = l.reader_id WHERE l.poll_id = $1";
    let mut links = Vec::new();
    for row in fetch_all(db, sql, [poll.id.into()]).await? {
        if row.try_get("", "erased")? {
            verified.find("an answer is linked to a reader who was erased");
        }
        links.push((row.try_get("", "reader_id")?, row.try_get("", "choices")?));
    }
    verified.linked = i64::try_from(links.len()).unwrap_or(i64::MAX);
    if poll.linking.is_none() && !links.is_empty() {
        verified.find("the poll is secret, and answers are linked");
    }
    Ok(links)
}

/// The links of a sealed poll against the kinds of ballots that are left.
pub(super) async fn sealed(
    db: &DatabaseTransaction,
    backend: Backend,
    poll: &Poll,
    verified: &mut Verified,
) -> Result<(), DbErr> {
    let mut linked: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    for (_, choices) in read(db, poll, verified).await? {
        // What is left of ballots has no words of the readers' own.
        let options = Choice::from_stored(&choices).without_words().to_stored();
        *linked.entry(options).or_default() += 1;
    }
    each_kind(db, backend, poll, |kind| {
        if let Some(n) = linked.get_mut(&kind.choices) {
            *n -= kind.n;
        }
    })
    .await?;
    for more in linked.into_values().filter(|n| *n > 0) {
        verified.find(format!("{more} linked answers of a kind have no ballot"));
    }
    Ok(())
}
