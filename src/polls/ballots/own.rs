//! Reads what a voter's ballot says.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

use super::slip::VoterKey;
use crate::db::Db;
use crate::db::entities::ballot;
use crate::polls::answer::Choice;
use crate::types::PollId;

/// What a voter's ballot says, if there is one.
pub async fn own_choice(db: &Db, poll: PollId, voter: VoterKey) -> Result<Option<Choice>, DbErr> {
    let row = ballot::Entity::find()
        .filter(ballot::Column::PollId.eq(poll))
        .filter(ballot::Column::VoterKey.eq(voter.to_vec()))
        .one(db.read())
        .await?;
    Ok(row.map(|ballot| Choice::from_stored(&ballot.choices)))
}
