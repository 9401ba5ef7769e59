//! Hands a browser's ballot over to its reader: a reader who answers anonymously and is identified later
//! has one ballot, not two.
//!
//! The reader's ballot takes over what the browser's said, unless it was itself changed later. The browser's row is
//! kept, no longer counts, and is marked with [`HANDED_OVER`], so that its key cannot cast a second ballot. Which
//! reader it went to is not recorded anywhere.

use sea_orm::{
    ColumnTrait as _, Condition, DbErr, EntityTrait as _, QueryFilter as _, SelectExt as _, Value,
};

use super::chain::{self, Heads};
use super::counts::Counts;
use super::links::Links;
use super::log::{Ballot, Entry, write};
use super::replay::Held;
use super::rows::{Stored, select};
use super::slip::VoterKey;
use crate::db::entities::ballot;
use crate::db::{Backend, Batch, Db, WriteTxn, fetch_one, run};
use crate::polls::definition;
use crate::polls::model::{Phase, Poll, Tier};
use crate::types::{Clock, PollId, ReaderId, UnixMillis};

/// Stored in place of a removal's number (those start at 1): the ballot is counted under its reader's key.
pub const HANDED_OVER: i64 = 0;

/// Whether a browser has a ballot of its own that could be handed over.
pub async fn has_own(db: &Db, poll: PollId, browser: VoterKey) -> Result<bool, DbErr> {
    let removed = ballot::Column::Removed;
    ballot::Entity::find()
        .filter(ballot::Column::PollId.eq(poll))
        .filter(ballot::Column::VoterKey.eq(browser.to_vec()))
        .filter(
            Condition::any()
                .add(removed.is_null())
                .add(removed.ne(HANDED_OVER)),
        )
        .exists(db.read())
        .await
}

/// The reader who receives a ballot.
#[derive(Debug, Clone, Copy)]
pub struct Receiver {
    pub reader: ReaderId,
    /// Their key in this poll.
    pub voter: VoterKey,
    pub tier: Tier,
    /// When they agreed to have this answer joined to their address, if they did.
    pub agreed: Option<UnixMillis>,
}

/// Hands the ballot of `browser` over to `receiver`. Returns false, and changes nothing, if there is no such ballot or
/// the poll accepts no answers any more. `slot` is this node's chain.
///
/// # Errors
/// A database error; nothing was written.
pub async fn hand_over(
    db: &Db,
    clock: &Clock,
    slot: i64,
    poll: PollId,
    browser: VoterKey,
    receiver: Receiver,
) -> Result<bool, DbErr> {
    let Receiver {
        voter: reader,
        tier,
        ..
    } = receiver;
    let txn = db.write_txn("hand over").await?;
    let head = chain::lock_head(db, &txn, slot, poll).await?;
    let lock = match db.backend() {
        Backend::Postgres => " FOR UPDATE",
        Backend::Sqlite => "",
    };
    let sql = format!("SELECT 1 FROM poll WHERE id = $1{lock}");
    fetch_one(&*txn, sql, [poll.into()]).await?;
    // As for every answer, the clock is read while holding the writer.
    let now = clock.now();
    let Some(poll) = definition::by_id_in(&*txn, poll).await? else {
        return Ok(false);
    };
    if !matches!(poll.phase(now), Phase::Open { .. }) {
        return Ok(false);
    }
    let (mut from, mut to) = (None, None);
    let both: Vec<Value> = [
        poll.id.into(),
        browser.to_vec().into(),
        reader.to_vec().into(),
    ]
    .into();
    for row in select(db, &txn, "voter_key IN ($2, $3)", both).await? {
        match row.voter {
            voter if voter == browser => from = Some(row),
            _ => to = Some(row),
        }
    }
    let Some(from) = from.filter(|from| from.held.removed != Some(HANDED_OVER)) else {
        return Ok(false);
    };
    let mut hand = Hand {
        poll: &poll,
        page: chain::page(head, &poll),
        counts: Counts::default(),
    };
    hand.take(&txn, &from).await?;
    match &to {
        None => hand.give(&txn, &from, reader, tier, now).await?,
        Some(to) => hand.change(&txn, &from, to, tier, now).await?,
    }
    let says = to
        .as_ref()
        .map_or(&from.held, |to| later(&from.held, &to.held));
    let mut links = Links::default();
    let kept = to
        .as_ref()
        .is_some_and(|to| to.held.choices == says.choices);
    // If the ballot now says something else and consent was not given for that, the link is removed.
    if receiver.agreed.is_some() || !kept {
        links.take(&poll, receiver.reader, &says.choices, receiver.agreed);
    }
    let mut batch = Batch::default();
    links.write(&mut batch, db.backend(), now);
    hand.counts.write(&mut batch, slot);
    let heads = Heads::from([(poll.id, head)]);
    chain::add(&mut batch, slot, now, &heads, vec![(poll.id, hand.page)]);
    txn.commit_with(batch).await?;
    Ok(true)
}

/// The later of the two ballots: it determines what counts.
fn later<'a>(from: &'a Held, to: &'a Held) -> &'a Held {
    if from.changed > to.changed { from } else { to }
}

/// The changes that the commit writes.
struct Hand<'a> {
    poll: &'a Poll,
    page: Vec<u8>,
    counts: Counts,
}

impl Hand<'_> {
    /// Stops counting the browser's ballot.
    async fn take(&mut self, txn: &WriteTxn, from: &Stored) -> Result<(), DbErr> {
        if from.held.removed.is_none() {
            let place = (self.poll.id, from.held.place);
            self.counts
                .ballot(self.poll, from.held.tier, &from.held.choices, -1);
            self.counts.place(place.0, place.1, -1, from.held.cast);
        }
        if let Some(removal) = from.held.removed {
            // The answer counts from now on, so it no longer belongs to the set-aside ones that readers are told of.
            let sql =
                "UPDATE ballot_removal SET gone = gone + 1 WHERE poll_id = $1 AND number = $2";
            run(&**txn, sql, [self.poll.id.into(), removal.into()]).await?;
        }
        let entry = Entry::HandedOver {
            voter: from.voter,
            revision: from.held.revision + 1,
        };
        write(&mut self.page, &entry);
        let sql = "UPDATE ballot SET removed = $1, revision = revision + 1 WHERE poll_id = $2 AND voter_key = $3";
        let values: [Value; 3] = [
            HANDED_OVER.into(),
            self.poll.id.into(),
            from.voter.to_vec().into(),
        ];
        run(&**txn, sql, values).await.map(drop)
    }

    /// The reader had no ballot: this becomes theirs, with the time at which the browser cast it.
    async fn give(
        &mut self,
        txn: &WriteTxn,
        from: &Stored,
        reader: VoterKey,
        tier: Tier,
        now: UnixMillis,
    ) -> Result<(), DbErr> {
        let ballot = Ballot {
            voter: reader,
            revision: 0,
            tier: tier.code(),
            place: from.held.place,
            network: from.held.network.as_deref(),
            choices: &from.held.choices,
        };
        self.counts
            .ballot(self.poll, ballot.tier, ballot.choices, 1);
        self.counts
            .place(self.poll.id, from.held.place, 1, from.held.cast);
        self.counts.place(self.poll.id, from.held.place, 0, now);
        let entry = Entry::Received {
            ballot,
            cast: from.held.cast,
        };
        write(&mut self.page, &entry);
        let sql = "INSERT INTO ballot (poll_id, voter_key, choices, tier, source, network, cast_ms, changed_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let values: [Value; 8] = [
            self.poll.id.into(),
            reader.to_vec().into(),
            from.held.choices.clone().into(),
            ballot.tier.into(),
            from.held.place.into(),
            from.held.network.clone().into(),
            from.held.cast.into(),
            now.into(),
        ];
        run(&**txn, sql, values).await.map(drop)
    }

    /// The reader had a ballot: the later of the two determines what counts.
    async fn change(
        &mut self,
        txn: &WriteTxn,
        from: &Stored,
        to: &Stored,
        tier: Tier,
        now: UnixMillis,
    ) -> Result<(), DbErr> {
        let says = later(&from.held, &to.held);
        let tier = tier.code().max(to.held.tier);
        if says.choices == to.held.choices && tier == to.held.tier {
            return Ok(());
        }
        let ballot = Ballot {
            voter: to.voter,
            revision: to.held.revision + 1,
            tier,
            place: to.held.place,
            network: says.network.as_deref(),
            choices: &says.choices,
        };
        if to.held.removed.is_none() {
            self.counts
                .ballot(self.poll, to.held.tier, &to.held.choices, -1);
            self.counts.ballot(self.poll, tier, ballot.choices, 1);
            self.counts.place(self.poll.id, to.held.place, 0, now);
        }
        write(&mut self.page, &Entry::Changed(ballot));
        let sql = "UPDATE ballot SET choices = $1, network = $2, tier = $3, changed_ms = $4, revision = revision + 1 \
                   WHERE poll_id = $5 AND voter_key = $6";
        let values: [Value; 6] = [
            says.choices.clone().into(),
            says.network.clone().into(),
            tier.into(),
            now.into(),
            self.poll.id.into(),
            to.voter.to_vec().into(),
        ];
        run(&**txn, sql, values).await.map(drop)
    }
}
