//! Who would get an issue if it were sent now: all readers of its newsletter, or those of a sample or a segment.

use super::audience_store::{Excluded, count_of, excluded};
use super::model::{Issue, IssueState};
use super::prepare::BROKEN;
use super::store;
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
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
    at(app, issue, None).await
}

/// The final audience: consents that are withdrawn at the same time wait for `txn`.
pub(super) async fn frozen(app: &App, issue: &Issue, txn: &WriteTxn) -> Result<Audience, DbErr> {
    at(app, issue, Some(txn)).await
}

async fn at(app: &App, issue: &Issue, frozen: Option<&WriteTxn>) -> Result<Audience, DbErr> {
    let Some(to) = issue.sample else {
        if let Some(segment) = store::segment(app.db.read(), issue.id).await? {
            return in_segment(app, issue, &segment, frozen).await;
        }
        return Ok(Audience {
            readers: mailing::audience(app.db.read(), issue.newsletter).await?,
            excluded: excluded(app.db.read(), issue.newsletter).await?,
            ..Audience::default()
        });
    };
    let not_now = |why: String| Audience {
        not_now: Some(why),
        ..Audience::default()
    };
    let readers = match polls::sample_audience(app, to.poll, to.round).await? {
        Ok(readers) => readers,
        Err(why) => return Ok(not_now(why.to_owned())),
    };
    let poll = polls::by_id(&app.db, to.poll).await?;
    let slug = poll.as_ref().map_or("", |poll| poll.slug.as_str());
    let Ok(body) = app.bodies.read(&issue.content.body).await else {
        return Ok(not_now(BROKEN.to_owned()));
    };
    let asks = body.polls().into_iter().any(|asked| asked == slug);
    if !asks {
        return Ok(not_now(format!(
            "The mail does not contain the poll. Put {{{{poll:{slug}}}}} into its text, in a paragraph of its own."
        )));
    }
    if to.round == SampleRound::Reminder
        && let Some(why) = too_early(app, issue).await?
    {
        return Ok(not_now(why));
    }
    let subscribed = count_of(app.db.read(), issue.newsletter, &readers).await?;
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
    issue: &Issue,
    segment: &Segment,
    frozen: Option<&WriteTxn>,
) -> Result<Audience, DbErr> {
    let readers = polls::segment_readers(app, segment, frozen).await?;
    let subscribed = count_of(app.db.read(), issue.newsletter, &readers).await?;
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
async fn too_early(app: &App, issue: &Issue) -> Result<Option<String>, DbErr> {
    let Some(to) = issue.sample else {
        return Ok(None);
    };
    let mails = store::to_sample(app.db.read(), to.poll).await?;
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
