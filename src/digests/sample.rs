//! Mails to the random sample of a poll: the invitation and one reminder. They are drafts like any other, for fewer
//! readers.

use super::model::{Content, ForSample, IssueState};
use super::state::State;
use super::{store, write};
use crate::app::App;
use crate::db::DbErr;
use crate::mailer::mailing;
use crate::polls::SampleRound;
use crate::types::{EditorId, IssueId, NewsletterId, PollId, UnixMillis};

/// The sample, as its mails describe it.
#[derive(Clone, Copy, Debug)]
pub struct ToSample<'a> {
    pub poll: PollId,
    pub slug: &'a str,
    pub newsletter: NewsletterId,
    /// The newsletter's name.
    pub name: &'a str,
    pub drawn: i64,
    pub population: i64,
    pub round: SampleRound,
    /// How many questions the poll asks.
    pub questions: usize,
}

/// Creates the draft. `None` if there already is such a mail.
pub async fn write_to_sample(
    app: &App,
    to: &ToSample<'_>,
    editor: EditorId,
) -> Result<Option<IssueId>, DbErr> {
    let txn = app.db.write_txn("issue_to_sample").await?;
    let id = write::create_in(&txn, app, to.newsletter, &words(to), Some(editor)).await?;
    let sample = ForSample {
        poll: to.poll,
        round: to.round,
    };
    if !store::address_to(&txn, id, sample).await? {
        return Ok(None);
    }
    txn.commit().await?;
    Ok(Some(id))
}

/// The initial text.
fn words(to: &ToSample<'_>) -> Content {
    let (drawn, all) = (
        crate::admin::show::count(to.drawn),
        crate::admin::show::count(to.population),
    );
    let (name, slug) = (to.name, to.slug);
    // Short enough for a phone: the sender is shown beside it.
    let (ours, asked, preheader) = match to.questions {
        0 | 1 => (
            "our question to you".to_owned(),
            "a question".to_owned(),
            "One short question.".to_owned(),
        ),
        n => (
            format!("our {n} questions to you"),
            format!("{n} questions"),
            format!("{n} short questions on one page."),
        ),
    };
    let (subject, before) = match to.round {
        SampleRound::Invitation => (
            format!("Picked at random: {ours}"),
            format!(
                "we would like to know what all readers of {name} think, not just those who like answering polls. So we picked {drawn} of our {all} \
                 subscribers at random. You are one of them, and nobody else can answer in your place."
            ),
        ),
        SampleRound::Reminder => (
            format!("Your answer is still missing: {ours}"),
            format!(
                "a few days ago we asked you {asked}. We picked {drawn} of our {all} subscribers at random, and you are one of them. If you have answered \
                 since then, thank you; there is nothing more to do. This is our only reminder."
            ),
        ),
    };
    Content {
        subject,
        preheader,
        body: format!(
            "Dear {{{{name|reader}}}},\n\n{before}\n\n{{{{poll:{slug}}}}}\n\nYour answer is kept without your name or address. \
             Whether or not you answer makes no difference to what we send you.\n"
        ),
    }
}

/// A mail to a sample, and its state.
#[derive(Clone, Debug)]
pub struct SampleMail {
    pub issue: IssueId,
    pub round: SampleRound,
    pub state: State,
    /// When it was frozen and handed to the mailer.
    pub handed: Option<UnixMillis>,
    /// Readers whose mail a relay has taken.
    pub sent: Option<i64>,
    /// The number of readers whose mail failed or is in doubt.
    pub trouble: i64,
}

/// The mails to the sample of a poll, the invitation first.
pub async fn mails_to_sample(app: &App, poll: PollId) -> Result<Vec<SampleMail>, DbErr> {
    let mut mails = Vec::new();
    for issue in store::to_sample(app.db.read(), poll).await? {
        let Some(to) = issue.sample else { continue };
        let progress = match issue.state {
            IssueState::Handed(_) => mailing::progress(app, issue.id).await?,
            _ => None,
        };
        mails.push(SampleMail {
            issue: issue.id,
            round: to.round,
            state: State::of(&issue.state, progress.as_ref().map(|p| p.state)),
            handed: match issue.state {
                IssueState::Handed(at) => Some(at),
                _ => None,
            },
            sent: progress.as_ref().map(|p| p.counts.sent),
            trouble: progress.map_or(0, |p| p.counts.failed + p.counts.unknown),
        });
    }
    Ok(mails)
}
