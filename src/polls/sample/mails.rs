//! The audience of a mail to the sample.

use std::collections::HashSet;

use super::remind::to_remind;
use super::{Round, Sampling, store};
use crate::app::App;
use crate::db::{ConnectionTrait, DbErr};
use crate::polls::definition::by_id_in;
use crate::polls::model::{Phase, Poll};
use crate::polls::voter::Voter;
use crate::types::{PollId, ReaderId};

/// The poll, and the readers whom a mail of this round would go to if it were sent now; `Err`: nobody, and why.
pub async fn audience(
    app: &App,
    db: &impl ConnectionTrait,
    poll: PollId,
    round: Round,
) -> Result<Result<(Poll, Vec<ReaderId>), &'static str>, DbErr> {
    let Some(poll) = by_id_in(db, poll).await? else {
        return Ok(Err("The poll no longer exists."));
    };
    let Sampling::Drawn(sample) = &poll.sampling else {
        return Ok(Err("The poll does not ask a sample."));
    };
    if !matches!(poll.phase(app.clock.now()), Phase::Open { .. }) {
        return Ok(Err("The poll is not open, so nobody could answer."));
    }
    if round == Round::Invitation {
        let readers = sample.readers.to_vec();
        return Ok(Ok((poll, readers)));
    }
    if poll.secret.is_destroyed() {
        return Ok(Err(
            "The poll’s secret has been destroyed: nobody can tell any more who has answered.",
        ));
    }
    let cast: HashSet<Vec<u8>> = store::voter_keys(db, poll.id).await?.into_iter().collect();
    let answered =
        |reader: ReaderId| cast.contains(Voter::Subscriber(reader).key(&poll).as_slice());
    let readers = to_remind(&sample.readers, answered);
    Ok(readers.map(|readers| (poll, readers)))
}
