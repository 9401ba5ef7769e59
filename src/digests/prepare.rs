//! Collects the input for compiling an issue: its newsletter and the polls it asks.

use super::content::Body;
use super::edition::{self, Asked, CompileError, Compiled, Parts};
use super::model::{Content, Issue, IssueState};
use super::store;
use crate::app::App;
use crate::db::DbErr;
use crate::mailer::mailing;
use crate::newsletters::{self, Newsletter};
use crate::panics::Broke;
use crate::polls;
use crate::scheduler::{WallTime, Zone};
use crate::types::{IssueId, NewsletterId, UnixMillis};

/// A compiled issue with its input.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The newsletter whose readers get it.
    pub newsletter: Newsletter,
    /// What the mailer would fill in, and the advice.
    pub compiled: Compiled,
    /// The name it would have in the archive if it went out at that time.
    pub slug: String,
    /// The slugs of the polls that its text names.
    pub polls: Vec<String>,
}

/// What editors see if a bug of ours keeps an issue from being sent.
pub(super) const BROKEN: &str = "The mail could not be composed: see the log.";

/// Why an issue cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbErr),
    /// A broken template or sender.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Parsing or compiling it panicked, and would again.
    #[error(transparent)]
    Broken(#[from] Broke),
    /// The newsletter's row is missing, though no page of ours can delete one.
    #[error("newsletter {} is missing", .0.0)]
    NoNewsletter(NewsletterId),
}

/// Compiles an issue the way it would go out at `at`.
///
/// # Errors
/// See [`PrepareError`]; no text of an editor can make it fail.
pub async fn prepare(app: &App, issue: &Issue, at: UnixMillis) -> Result<Prepared, PrepareError> {
    let slug = match issue.state {
        IssueState::Handed(_) => Some(issue.slug.clone()),
        _ => None,
    };
    prepare_content(
        app,
        issue.id,
        issue.newsletter,
        issue.content.clone(),
        slug,
        at,
        is_for_all(app, issue).await?,
    )
    .await
}

async fn prepare_content(
    app: &App,
    issue: IssueId,
    newsletter: NewsletterId,
    content: Content,
    slug: Option<String>,
    at: UnixMillis,
    for_all: bool,
) -> Result<Prepared, PrepareError> {
    let newsletter = newsletters::by_id(app.db.read(), newsletter)
        .await?
        .ok_or(PrepareError::NoNewsletter(newsletter))?;
    let slug =
        slug.unwrap_or_else(|| edition::slug(&content, &local_date(at, &newsletter.time_zone)));
    let body = app.bodies.read(&content.body).await?;
    let asked = asked(app, &body, at).await?;
    let polls = body.polls().into_iter().map(str::to_owned).collect();
    let in_archive = for_all && newsletter.archive;
    let app = app.clone();
    // A long body takes a while, so this does not run on a thread that serves requests.
    let compiling = tokio::task::spawn_blocking(move || {
        breaks(&content);
        let compiled = edition::compile(
            &app.mail_templates,
            &Parts {
                issue,
                slug: &slug,
                content: &content,
                body: &body,
                newsletter: &newsletter,
                polls: &asked,
                origin: &app.config.origin(),
                domain: &app.config.domain(),
                in_archive,
                chance: app.random.bytes(),
            },
            |edition| mailing::measure(&app, edition),
        )?;
        Ok::<_, CompileError>(Prepared {
            newsletter,
            compiled,
            slug,
            polls,
        })
    });
    match compiling.await {
        Ok(prepared) => Ok(prepared?),
        // Without the panic's message, which may quote the issue. The location is in the log.
        Err(_) => Err(Broke.into()),
    }
}

/// Whether it is for every reader of its newsletter. A mail to a sample or a segment is never on the web.
pub async fn is_for_all(app: &App, issue: &Issue) -> Result<bool, DbErr> {
    Ok(issue.sample.is_none() && store::segment(app.db.read(), issue.id).await?.is_none())
}

/// The polls in a body that take answers at `at`.
async fn asked(app: &App, body: &Body, at: UnixMillis) -> Result<Vec<Asked>, DbErr> {
    let mut asked = Vec::new();
    for slug in body.polls() {
        let Some(poll) = polls::by_slug(&app.db, slug).await? else {
            continue;
        };
        if !matches!(poll.phase(at), polls::Phase::Open { .. }) {
            continue;
        }
        if let Some(question) = poll.questions.first() {
            asked.push(Asked {
                slug: poll.slug.clone(),
                poll: poll.id,
                more: poll.questions.len().saturating_sub(1),
                question: question.text.clone(),
                options: polls::by_one_link(question),
            });
        }
    }
    Ok(asked)
}

fn local_date(at: UnixMillis, zone: &str) -> String {
    let zone = Zone::parse(zone).unwrap_or_else(|_| Zone::utc());
    let wall = WallTime::at(at.timestamp(), &zone).to_string();
    wall.split('T').next().unwrap_or_default().to_owned()
}

/// Makes the compilation panic in unit tests, for this subject.
#[cfg(test)]
fn breaks(content: &Content) {
    assert_ne!(content.subject, "breaks", "broken, as the test wants");
}

#[cfg(not(test))]
fn breaks(_: &Content) {}
