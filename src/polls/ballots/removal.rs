//! Ballots that an editor sets aside, publicly: with a reason that readers see and an entry in the log, and reversibly.
//!
//! A ballot that is set aside is kept but not counted. Its voter may still change it; it stays set aside. The tally
//! changes in the same commit.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult,
    QueryFilter as _, Value,
};

use super::chain::{self, Heads};
use super::counts::Counts;
use super::log::{Entry, sha256, write};
use super::rows::{Stored, select};
use super::slip::VoterKey;
use crate::db::entities::ballot_removal;
use crate::db::{Backend, Batch, Db, WriteTxn, find_all, find_value, in_list, run};
use crate::polls::definition;
use crate::polls::model::{Place, Poll, Tier};
use crate::types::{EditorId, PollId, UnixMillis};

/// Selects ballots: those that meet every given condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub tier: Option<Tier>,
    pub place: Option<Place>,
    /// From any of these networks of the day.
    pub networks: Vec<Vec<u8>>,
    /// First cast at this moment or later.
    pub from: Option<UnixMillis>,
    /// First cast before this moment.
    pub until: Option<UnixMillis>,
    /// Cast by one of these voters.
    pub voters: Option<Vec<VoterKey>>,
}

impl Selection {
    /// Whether there is no condition, so that every ballot would be selected.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the ballots are selected by the hour of their first cast alone.
    #[must_use]
    pub fn is_by_hours(&self) -> bool {
        let hours = Self {
            from: self.from,
            until: self.until,
            ..Self::default()
        };
        *self == hours
    }

    /// The conditions on `ballot` as SQL; their parameters follow the first `taken`.
    pub fn conditions(&self, taken: usize) -> (String, Vec<Value>) {
        let (mut sql, mut values) = (String::new(), Vec::new());
        let mut and = |condition: &str, value: Value| {
            values.push(value);
            sql.push_str(&format!(" AND {condition} ${}", taken + values.len()));
        };
        if let Some(tier) = self.tier {
            and("tier =", tier.code().into());
        }
        if let Some(place) = self.place {
            and("source =", place.code().into());
        }
        if let Some(from) = self.from {
            and("cast_ms >=", from.into());
        }
        if let Some(until) = self.until {
            and("cast_ms <", until.into());
        }
        if !self.networks.is_empty() {
            let among = in_list(self.networks.len(), taken + values.len());
            sql.push_str(&format!(" AND network IN {among}"));
            values.extend(self.networks.iter().map(|network| network.clone().into()));
        }
        if let Some(voters) = &self.voters {
            if voters.is_empty() {
                sql.push_str(" AND 1 = 0");
            } else {
                let among = in_list(voters.len(), taken + values.len());
                sql.push_str(&format!(" AND voter_key IN {among}"));
                values.extend(voters.iter().map(|voter| Value::from(voter.to_vec())));
            }
        }
        (sql, values)
    }
}

/// A removal, as readers see it.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Removal {
    /// From 1, in each poll.
    pub number: i64,
    #[sea_orm(from_alias = "at_ms")]
    pub at: UnixMillis,
    pub reason: String,
    pub ballots: i64,
    /// When the ballots were given back.
    #[sea_orm(from_alias = "undone_ms")]
    pub undone: Option<UnixMillis>,
    /// The editor's name, or address; `None`: it was automatic, or the editor no longer exists.
    #[sea_orm(from_alias = "by_whom")]
    pub by: Option<String>,
}

/// Why nothing was set aside or given back.
#[derive(Debug, thiserror::Error)]
pub enum NotRemoved {
    /// No ballot that counts meets the conditions.
    #[error("no ballot meets these conditions")]
    Nothing,
    /// The reason is empty or too long.
    #[error("a reason of 1 to 500 characters is required")]
    NoReason,
    /// The poll's secret is destroyed, so its ballots can no longer change.
    #[error("the ballots of this poll are sealed")]
    Sealed,
    /// There is no such removal, or its ballots were already given back.
    #[error("there is nothing to restore")]
    NotThere,
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 500;

/// The number of counting ballots that meet the conditions now.
pub async fn matching(
    db: &impl ConnectionTrait,
    poll: PollId,
    selection: &Selection,
) -> Result<i64, DbErr> {
    let (conditions, mut values) = selection.conditions(1);
    values.insert(0, poll.into());
    let sql =
        format!("SELECT COUNT(*) FROM ballot WHERE poll_id = $1 AND removed IS NULL{conditions}");
    let n = find_value(db, sql, values).await?;
    Ok(n.unwrap_or(0))
}

/// A locked poll, whose ballots nobody else changes until this is committed or dropped.
pub struct Held {
    /// Whatever else is written in this transaction is committed together with the ballots.
    pub txn: WriteTxn,
    /// As it is while it is locked.
    pub poll: Poll,
    heads: Heads,
    slot: i64,
}

impl Held {
    /// Sets aside every ballot that meets the conditions, but does not commit. Must be called only once.
    ///
    /// # Errors
    /// [`NotRemoved`].
    pub async fn set_aside(
        &self,
        db: &Db,
        now: UnixMillis,
        selection: &Selection,
        reason: &str,
        editor: Option<EditorId>,
    ) -> Result<Removal, NotRemoved> {
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
            return Err(NotRemoved::NoReason);
        }
        let Self {
            txn,
            poll,
            heads,
            slot,
        } = self;
        let (conditions, mut values) = selection.conditions(1);
        values.insert(0, poll.id.into());
        let rows = select(db, txn, &format!("removed IS NULL{conditions}"), values).await?;
        if rows.is_empty() {
            return Err(NotRemoved::Nothing);
        }
        let sql = "SELECT COALESCE(MAX(number), 0) + 1 FROM ballot_removal WHERE poll_id = $1";
        let number: Option<i64> = find_value(&**txn, sql, [poll.id.into()]).await?;
        let number = number.unwrap_or(1);
        let removal = Removal {
            number,
            at: now,
            reason: reason.to_owned(),
            ballots: i64::try_from(rows.len()).unwrap_or(i64::MAX),
            undone: None,
            by: None,
        };
        let row = ballot_removal::ActiveModel {
            poll_id: Set(poll.id),
            number: Set(number),
            at_ms: Set(now),
            reason: Set(reason.to_owned()),
            ballots: Set(removal.ballots),
            editor_id: Set(editor),
            undone_ms: Set(None),
            gone: Set(Some(0)),
        };
        ballot_removal::Entity::insert(row)
            .exec_without_returning(&**txn)
            .await?;
        let first = Entry::Removal {
            number,
            reason: sha256(reason.as_bytes()),
            ballots: removal.ballots,
        };
        turn(txn, now, *slot, poll, heads, &rows, Some(number), &first).await?;
        Ok(removal)
    }

    /// Commits the removal.
    ///
    /// # Errors
    /// A database error; nothing was written.
    pub async fn commit(self, removal: &Removal) -> Result<(), DbErr> {
        self.txn.commit().await?;
        tracing::info!(
            poll = self.poll.slug,
            number = removal.number,
            ballots = removal.ballots,
            "ballots were set aside"
        );
        Ok(())
    }
}

/// Gives the ballots of a removal back: they count again, as they are now.
///
/// # Errors
/// [`NotRemoved`]; nothing was written.
pub async fn give_back(
    db: &Db,
    now: UnixMillis,
    slot: i64,
    poll: PollId,
    number: i64,
) -> Result<i64, NotRemoved> {
    let Held {
        txn, poll, heads, ..
    } = hold(db, slot, poll).await?;
    let undone = ballot_removal::Entity::update_many()
        .col_expr(ballot_removal::Column::UndoneMs, Expr::value(now))
        .filter(ballot_removal::Column::PollId.eq(poll.id))
        .filter(ballot_removal::Column::Number.eq(number))
        .filter(ballot_removal::Column::UndoneMs.is_null())
        .exec(&*txn)
        .await?;
    if undone.rows_affected == 0 {
        return Err(NotRemoved::NotThere);
    }
    let rows = select(
        db,
        &txn,
        "removed = $2",
        vec![poll.id.into(), number.into()],
    )
    .await?;
    let ballots = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let first = Entry::Undone { number, ballots };
    // The entries of the log keep the removal's number; the rows do not.
    turn(&txn, now, slot, &poll, &heads, &rows, None, &first).await?;
    txn.commit().await?;
    tracing::info!(poll = poll.slug, number, ballots, "ballots were restored");
    Ok(ballots)
}

/// The removals of a poll, oldest first.
pub async fn removals(db: &Db, poll: PollId) -> Result<Vec<Removal>, DbErr> {
    let sql = "SELECT r.number, r.at_ms, r.reason, r.ballots, r.undone_ms, COALESCE(NULLIF(e.name, ''), e.email) AS by_whom \
               FROM ballot_removal r LEFT JOIN editor e ON e.id = r.editor_id WHERE r.poll_id = $1 ORDER BY r.number";
    find_all(db.read(), sql, [poll.into()]).await
}

/// Locks the chain and then the poll, in the order in which commits of answers lock them. While the poll is locked, no
/// answer is being committed. `slot` is this node's chain.
///
/// # Errors
/// [`NotRemoved`]: there is no such poll, it is sealed, or the database failed.
pub async fn hold(db: &Db, slot: i64, poll: PollId) -> Result<Held, NotRemoved> {
    let txn = db.write_txn("set-aside").await?;
    let head = chain::lock_head(db, &txn, slot, poll).await?;
    let lock = match db.backend() {
        Backend::Postgres => " FOR UPDATE",
        Backend::Sqlite => "",
    };
    let sql = format!("SELECT sealed_ms FROM poll WHERE id = $1{lock}");
    let sealed: Option<Option<UnixMillis>> = find_value(&*txn, sql, [poll.into()]).await?;
    if sealed.ok_or(NotRemoved::NotThere)?.is_some() {
        return Err(NotRemoved::Sealed);
    }
    let poll = definition::by_id_in(&*txn, poll)
        .await?
        .ok_or(NotRemoved::NotThere)?;
    let heads = Heads::from([(poll.id, head)]);
    Ok(Held {
        txn,
        poll,
        heads,
        slot,
    })
}

/// Sets `removed` on the ballots, and updates the counters and the log.
#[expect(
    clippy::too_many_arguments,
    reason = "one place, called twice, with what a commit has in hand"
)]
async fn turn(
    txn: &WriteTxn,
    now: UnixMillis,
    slot: i64,
    poll: &Poll,
    heads: &Heads,
    rows: &[Stored],
    removed: Option<i64>,
    first: &Entry<'_>,
) -> Result<(), DbErr> {
    let head = heads.get(&poll.id).copied().unwrap_or_default();
    let mut page = chain::page(head, poll);
    write(&mut page, first);
    let mut counts = Counts::default();
    for Stored { voter, held } in rows {
        let (voter, revision) = (*voter, held.revision + 1);
        let (entry, by) = match removed {
            Some(removal) => (
                Entry::SetAside {
                    voter,
                    revision,
                    removal,
                },
                -1,
            ),
            None => (
                Entry::GivenBack {
                    voter,
                    revision,
                    removal: held.removed.unwrap_or_default(),
                },
                1,
            ),
        };
        write(&mut page, &entry);
        counts.ballot(poll, held.tier, &held.choices, by);
        counts.place(poll.id, held.place, by, held.cast);
    }
    for some in rows.chunks(1_000) {
        let sql = format!(
            "UPDATE ballot SET removed = $1, revision = revision + 1 WHERE poll_id = $2 AND voter_key IN {}",
            in_list(some.len(), 2)
        );
        let values: Vec<Value> = [removed.into(), poll.id.into()]
            .into_iter()
            .chain(some.iter().map(|row| Value::from(row.voter.to_vec())))
            .collect();
        run(&**txn, sql, values).await?;
    }
    let mut batch = Batch::default();
    counts.write(&mut batch, slot);
    chain::add(&mut batch, slot, now, heads, vec![(poll.id, page)]);
    batch.run(&**txn).await
}
