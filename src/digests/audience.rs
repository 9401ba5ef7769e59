//! Who would get an issue if it were sent now: all readers of its newsletter, or those of a sample or a segment.

use super::audience_store::{Excluded, count_of, excluded};
use super::model::{Issue, IssueState};
use super::prepare::BROKEN;
use super::store;
use crate::app::App;
use crate::db::{ConnectionTrait, DbErr, WriteTxn};
use crate::mailer::mailing;
use crate::polls::{self, REMINDER_PAUSE, SMALLEST_SEGMENT, SampleRound, Segment};
use crate::types::ReaderId;

/// An issue's readers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Audience {
    /// How many would get it.
    pub(super) readers: i64,
    /// Who would not, and why.
    pub(super) excluded: Vec<Excluded>,
    /// For a mail to a sample or a segment: the readers it is for.
    pub(super) only: Option<Vec<ReaderId>>,
    /// Why such a mail cannot be sent now.
    pub(super) not_now: Option<String>,
}

/// The audience as of now.
pub(super) async fn of(app: &App, issue: &Issue) -> Result<Audience, DbErr> {
    let polls = match issue.sample {
        None => Vec::new(),
        Some(_) => match app.bodies.read(&issue.content.body).await {
            Ok(body) => body.polls().into_iter().map(str::to_owned).collect(),
            Err(_) => return Ok(not_now(BROKEN.to_owned())),
        },
    };
    let mut audience = at(app, app.db.read(), issue, &polls, None).await?;
    if audience.only.is_none() && audience.not_now.is_none() {
        audience.excluded = excluded(app.db.read(), issue.newsletter).await?;
    }
    Ok(audience)
}

/// The final audience, without those who are excluded: consents that are withdrawn at the same time wait for `txn`.
/// Everything is read within it, because whoever waits for another connection keeps all votes waiting. `polls` are the
/// slugs in the issue's text.
pub(super) async fn frozen(
    app: &App,
    issue: &Issue,
    polls: &[String],
    txn: &WriteTxn,
) -> Result<Audience, DbErr> {
    at(app, &**txn, issue, polls, Some(txn)).await
}

fn not_now(why: String) -> Audience {
    Audience {
        not_now: Some(why),
        ..Audience::default()
    }
}

async fn at(
    app: &App,
    db: &impl ConnectionTrait,
    issue: &Issue,
    asked: &[String],
    frozen: Option<&WriteTxn>,
) -> Result<Audience, DbErr> {
    let Some(to) = issue.sample else {
        if let Some(segment) = store::segment(db, issue.id).await? {
            return in_segment(app, db, issue, &segment, frozen).await;
        }
        return Ok(Audience {
            readers: mailing::audience(db, issue.newsletter).await?,
            ..Audience::default()
        });
    };
    let (poll, readers) = match polls::sample_audience(app, db, to.poll, to.round).await? {
        Ok(found) => found,
        Err(why) => return Ok(not_now(why.to_owned())),
    };
    if !asked.contains(&poll.slug) {
        return Ok(not_now(format!(
            "The mail does not contain the poll. Put {{{{poll:{}}}}} into its text, in a paragraph of its own.",
            poll.slug
        )));
    }
    if to.round == SampleRound::Reminder
        && let Some(why) = too_early(app, db, issue).await?
    {
        return Ok(not_now(why));
    }
    let subscribed = count_of(db, issue.newsletter, &readers).await?;
    let left = i64::try_from(readers.len()).unwrap_or(i64::MAX) - subscribed;
    Ok(Audience {
        readers: subscribed,
        excluded: (left > 0)
            .then_some(Excluded {
                reason: "drawn, but no longer subscribed",
                readers: left,
            })
            .into_iter()
            .collect(),
        only: Some(readers),
        not_now: None,
    })
}

/// The readers of a segment who are subscribed. If there are fewer than ten, the mail cannot be sent.
async fn in_segment(
    app: &App,
    db: &impl ConnectionTrait,
    issue: &Issue,
    segment: &Segment,
    frozen: Option<&WriteTxn>,
) -> Result<Audience, DbErr> {
    let readers = polls::segment_readers(app, segment, frozen).await?;
    let subscribed = count_of(db, issue.newsletter, &readers).await?;
    let left = i64::try_from(readers.len()).unwrap_or(i64::MAX) - subscribed;
    if subscribed < SMALLEST_SEGMENT {
        return Ok(Audience {
            not_now: Some(TOO_FEW.to_owned()),
            ..Audience::default()
        });
    }
    Ok(Audience {
        readers: subscribed,
        excluded: (left > 0)
            .then_some(Excluded {
                reason: "agreed and chose these answers, but do not get this newsletter",
                readers: left,
            })
            .into_iter()
            .collect(),
        only: Some(readers),
        not_now: None,
    })
}

const TOO_FEW: &str = "Fewer than ten readers would get it: a mail to so few could be meant for one of them. Wait until more have agreed, or choose \
     more answers.";

/// Why a reminder cannot be sent yet: it must wait for [`REMINDER_PAUSE`] after the invitation.
async fn too_early(
    app: &App,
    db: &impl ConnectionTrait,
    issue: &Issue,
) -> Result<Option<String>, DbErr> {
    let Some(to) = issue.sample else {
        return Ok(None);
    };
    let mails = store::to_sample(db, to.poll).await?;
    let invited = mails
        .iter()
        .find_map(|mail| match (mail.sample, &mail.state) {
            (Some(other), IssueState::Handed(at)) if other.round == SampleRound::Invitation => {
                Some(*at)
            }
            _ => None,
        });
    Ok(match invited {
        None => Some("The invitation has not gone out yet.".to_owned()),
        Some(at) if at + REMINDER_PAUSE > app.clock.now() => Some(
            "A reminder can be sent three days after the invitation at the earliest.".to_owned(),
        ),
        Some(_) => None,
    })
}
