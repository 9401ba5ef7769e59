//! The audience of a mail to the sample.

use std::collections::HashSet;

use super::remind::to_remind;
use super::{Round, Sampling, store};
use crate::app::App;
use crate::db::DbErr;
use crate::polls::definition::by_id;
use crate::polls::model::Phase;
use crate::polls::voter::Voter;
use crate::types::{PollId, ReaderId};

/// The readers whom a mail of this round would go to if it were sent now; `Err`: nobody, and why.
pub async fn audience(
    app: &App,
    poll: PollId,
    round: Round,
) -> Result<Result<Vec<ReaderId>, &'static str>, DbErr> {
    let Some(poll) = by_id(&app.db, poll).await? else {
        return Ok(Err("The poll no longer exists."));
    };
    let Sampling::Drawn(sample) = &poll.sampling else {
        return Ok(Err("The poll does not ask a sample."));
    };
    if !matches!(poll.phase(app.clock.now()), Phase::Open { .. }) {
        return Ok(Err("The poll is not open, so nobody could answer."));
    }
    if round == Round::Invitation {
        return Ok(Ok(sample.readers.to_vec()));
    }
    if poll.secret.is_destroyed() {
        return Ok(Err(
            "The poll’s secret has been destroyed: nobody can tell any more who has answered.",
        ));
    }
    let cast: HashSet<Vec<u8>> = store::voter_keys(&app.db, poll.id)
        .await?
        .into_iter()
        .collect();
    let answered =
        |reader: ReaderId| cast.contains(Voter::Subscriber(reader).key(&poll).as_slice());
    Ok(to_remind(&sample.readers, answered))
}
