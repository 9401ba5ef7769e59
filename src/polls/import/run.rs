//! Runs an import: reads all files, then stores one poll after another. What is stored stays, and another run resumes.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::carried::{Ballot, Found, Plan, coarse};
use super::read::{Content, read};
use super::store;
use super::tables::{Orphans, System};
use super::tokens::Unreadable;
use super::words::plain;
use super::zone::zone;
use crate::app::App;
use crate::db::DbErr;
use crate::panics::Broke;
use crate::polls::answer::{Choice, Sent};
use crate::polls::ballots::{self, Answer, LARGEST_GROUP, Outcome};
use crate::polls::definition::{self, Definition, Stored, slug_of};
use crate::polls::model::{Place, Poll, PollState, Tier, Visibility};
use crate::polls::voter::Voter;
use crate::types::token::token_hash;
use crate::types::{Clock, PollId, UnixMillis};

/// What to import.
#[derive(Debug, Clone)]
pub struct Order {
    /// A dump, or each table as a CSV file.
    pub files: Vec<PathBuf>,
    pub from: System,
    /// The time zone of the site: a name, or an offset like `+02:00`.
    pub time_zone: String,
    /// Keep polls open that were open in the other system.
    pub open: bool,
    /// Leave out answers and votes for polls that are not in the files; by default they are a sign
    /// that something is missing.
    pub without_orphans: bool,
    /// Accept a dump without mysqldump's footer; by default it is refused.
    pub without_end: bool,
    /// Only report what would be done.
    pub dry_run: bool,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub polls: u64,
    pub ballots: u64,
    /// The ballots that have a time of their own.
    pub logged: u64,
    pub already_there: u64,
    pub left_out: u64,
    pub dry_run: bool,
}

/// Why an import could not run or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    #[error("{0} {1}")]
    Read(String, Unreadable),
    #[error(
        "--time-zone: there is no zone {0:?}; use a name like Europe/Berlin, or an offset like +02:00"
    )]
    Zone(String),
    #[error("{0} contains none of the tables of {1}")]
    Nothing(String, &'static str),
    #[error(
        "{0}. Nothing was imported, because the file may be incomplete. If these polls were deleted there, leave out what remains of them with --without-orphans"
    )]
    Orphans(Orphans),
    #[error(
        "{0} does not end with mysqldump’s “Dump completed”: it is cut short, and nothing was imported. Whole tables may be missing; to import it as it is, add --without-end"
    )]
    WithoutEnd(String),
    #[error("{0:?}: {1}")]
    Poll(String, String),
    #[error("the database failed: {0}; run the import again to continue")]
    Database(#[from] DbErr),
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.dry_run {
            "would be imported"
        } else {
            "imported"
        };
        writeln!(f, "{:>11} polls {done}", self.polls)?;
        writeln!(
            f,
            "{:>11} ballots, {} of them with their hour",
            self.ballots, self.logged
        )?;
        writeln!(
            f,
            "{:>11} polls had already been imported",
            self.already_there
        )?;
        writeln!(f, "{:>11} polls left out", self.left_out)?;
        write!(f, "Voters' addresses, names and cookies were not imported.")
    }
}

/// Runs an import, and reports each poll on `terminal` (standard error).
///
/// # Errors
/// `Stopped`; polls stored before the error stay.
pub async fn run(app: &App, order: &Order, terminal: &mut dyn Write) -> Result<Summary, Stopped> {
    let (zone, zone_name) =
        zone(&order.time_zone).ok_or_else(|| Stopped::Zone(order.time_zone.clone()))?;
    let reading = order.clone();
    let content = tokio::task::spawn_blocking(move || read(&reading))
        .await
        .map_err(|_| Stopped::Read("the file".into(), io::Error::other(Broke).into()))??;
    let Content { polls, orphans, .. } = as_ordered(content, order)?;
    let mut import = Import {
        app,
        order,
        zone,
        zone_name,
        terminal,
        summary: Summary {
            dry_run: order.dry_run,
            ..Summary::default()
        },
    };
    if !orphans.is_empty() {
        import.say(&format!("{orphans}: left out"));
    }
    let all = polls.len();
    for (at, poll) in polls.into_iter().enumerate() {
        let question = poll.questions.first().map(|q| plain(&q.text));
        let name = format!("{}/{all} “{}”", at + 1, question.unwrap_or_default());
        import.poll(&poll, &name).await?;
    }
    Ok(import.summary)
}

/// The content, unless it looks truncated and the order does not say to accept that.
fn as_ordered(content: Content, order: &Order) -> Result<Content, Stopped> {
    let nothing_else = content.polls.is_empty();
    if !content.orphans.is_empty() && (nothing_else || !order.without_orphans) {
        return Err(Stopped::Orphans(content.orphans));
    }
    match content.without_end.first() {
        Some(file) if !order.without_end => Err(Stopped::WithoutEnd(file.clone())),
        _ => Ok(content),
    }
}

/// A running import.
struct Import<'a> {
    app: &'a App,
    order: &'a Order,
    /// The site's time zone and its name here.
    zone: TimeZone,
    zone_name: String,
    terminal: &'a mut dyn Write,
    summary: Summary,
}

impl Import<'_> {
    fn say(&mut self, text: &str) {
        // A terminal that is gone does not stop an import.
        let _ = writeln!(self.terminal, "{text}");
    }

    fn leave_out(&mut self, name: &str, why: &str) {
        self.summary.left_out += 1;
        self.say(&format!("{name}: left out, {why}"));
    }

    /// Imports one poll, unless it is already here or cannot be imported.
    async fn poll(&mut self, poll: &Found, name: &str) -> Result<(), Stopped> {
        let plan = match poll.plan(&self.zone, self.app.clock.now()) {
            Ok(plan) => plan,
            Err(why) => {
                self.leave_out(name, &why);
                return Ok(());
            }
        };
        let key = key_here(self.order.from, poll);
        let known = store::known(&self.app.db, &key).await?;
        if known.is_some_and(|known| known.done) {
            self.summary.already_there += 1;
            self.say(&format!("{name}: had already been imported"));
            return Ok(());
        }
        let mut definition = definition(&plan, &self.zone_name);
        if let Some(fault) = definition.check().into_iter().find(|f| f.field != "slug") {
            self.leave_out(name, &fault.message);
            return Ok(());
        }
        let (ballots, logged) = (plan.ballots.len(), plan.logged);
        let more = if plan.disagrees {
            "; its log contains more votes than its counts, so the log was used"
        } else {
            ""
        };
        self.say(&format!(
            "{name}: {ballots} ballots, {logged} with their hour{more}"
        ));
        if !self.order.dry_run {
            let id = match known {
                Some(known) => known.poll,
                None => create(self.app, &key, definition).await?,
            };
            if !poll.future {
                match cast(self.app, id, &plan.ballots, name).await {
                    // This is a problem of one poll only; the others are still imported.
                    Err(Stopped::Poll(_, why)) => {
                        self.leave_out(name, &why);
                        return Ok(());
                    }
                    done => done?,
                }
            }
            self.finish(poll, &plan, id, &key).await?;
        }
        self.summary.polls += 1;
        self.summary.ballots += ballots as u64;
        self.summary.logged += logged as u64;
        Ok(())
    }

    /// Marks the import of a poll as complete and publishes the poll, in one commit.
    async fn finish(
        &self,
        poll: &Found,
        plan: &Plan,
        id: PollId,
        key: &str,
    ) -> Result<(), Stopped> {
        let txn = self.app.db.write_txn("import poll").await?;
        let now = self.app.clock.now();
        // This comes first: until then, the poll cannot be published.
        store::finish(&txn, key, now).await?;
        if !poll.future {
            let goes_on = plan.goes_on.filter(|_| self.order.open);
            let end = goes_on.unwrap_or(Some(plan.closes_at));
            let (opens, seen) = (Some(plan.opens_at), Visibility::Always);
            definition::retime(&txn, now, id, None, opens, end, seen).await?;
            let (from, to) = (PollState::Draft, PollState::Published);
            definition::set_state(&txn, now, id, None, from, to).await?;
        }
        txn.commit().await?;
        Ok(())
    }
}

/// The identity of an imported poll here, so that it is imported only once.
fn key_here(from: System, poll: &Found) -> String {
    let hash = token_hash(&format!("{} {}", from.name(), poll.key));
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

fn definition(plan: &Plan, time_zone: &str) -> Definition {
    let question = plan.questions.first().map_or("", |q| q.text.as_str());
    Definition {
        // The close is set later, in the commit that completes the import: once the ballot box has seen a
        // close, it accepts nothing.
        opens_at: Some(plan.opens_at),
        time_zone: time_zone.to_owned(),
        ..Definition::new(slug_of(question), plan.questions.clone())
    }
}

/// Creates the poll as a draft. It is published in the commit that completes the import, so that
/// nobody sees a partial result.
async fn create(app: &App, key: &str, mut definition: Definition) -> Result<PollId, Stopped> {
    let wanted = definition.slug.clone();
    // Retries if somebody else has just taken the slug.
    while let Some(free) = definition::free_slug(&app.db, &wanted).await? {
        definition.slug = free;
        let txn = app.db.write_txn("import poll").await?;
        let now = app.clock.now();
        let draft = PollState::Draft;
        if let Stored::Yes(id) =
            definition::create(&txn, &app.random, now, &definition, draft).await?
        {
            store::begin(&txn, key, id, now).await?;
            txn.commit().await?;
            return Ok(id);
        }
    }
    Err(Stopped::Poll(
        wanted,
        "its name in links is already used a thousand times".into(),
    ))
}

/// Casts the ballots through the ballot box, in the order of their hours. Existing ballots are left unchanged.
async fn cast(app: &App, id: PollId, ballots: &[Ballot], name: &str) -> Result<(), Stopped> {
    let stopped = |why: &str| Stopped::Poll(name.to_owned(), why.to_owned());
    let poll: Arc<Poll> = definition::by_id(&app.db, id)
        .await?
        .ok_or_else(|| stopped("no longer exists"))?
        .into();
    let opens = poll.opens_at.unwrap_or(UnixMillis(0));
    let mut numbered = ballots.iter().enumerate().peekable();
    while let Some((_, first)) = numbered.peek() {
        let at = coarse(first.at);
        let mut group = Vec::new();
        while let Some((number, ballot)) =
            numbered.next_if(|(_, ballot)| group.len() < LARGEST_GROUP && coarse(ballot.at) == at)
        {
            let sent = Sent::options(ballot.options.iter().map(ToString::to_string));
            let choice = Choice::read(&poll, &sent).map_err(|e| stopped(&e.message(&poll)))?;
            let answer = Answer {
                poll: poll.clone(),
                voter: Voter::Carried(number as u64).key(&poll),
                is_new: false,
                choice,
                tier: Tier::Anonymous,
                place: Place::Elsewhere,
                issue: None,
                network: None,
                link: None,
                once: None,
                witness: None,
            };
            group.push(answer.into());
        }
        // The box decides by its clock whether the poll is open, so for each group it is given a clock that
        // shows the hour of the votes.
        let at = at.max(opens);
        let outcomes = ballots::commit(&app.db, &Clock::manual(at), app.slot, &group).await?;
        if let Some(other) = outcomes
            .iter()
            .find(|o| !matches!(o, Outcome::Counted | Outcome::Same))
        {
            return Err(stopped(&format!(
                "a ballot was not accepted ({other:?}); run the import again"
            )));
        }
    }
    Ok(())
}
