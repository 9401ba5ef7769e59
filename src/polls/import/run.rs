//! The run of an import: reads all files, then stores poll by poll. What was stored stays; running it again goes on.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::carried::{Ballot, Plan, coarse};
use super::read::{Content, read};
use super::store;
use super::tables::{Orphans, System};
use super::tokens::Unreadable;
use super::words::plain;
use super::zone::zone;
use crate::app::App;
use crate::db::DbErr;
use crate::polls::answer::{Choice, Sent};
use crate::polls::ballots::{self, Answer, LARGEST_GROUP, Outcome, Slip};
use crate::polls::definition::{self, Definition, Stored, slug_of};
use crate::polls::model::{Place, Poll, PollState, Tier, Visibility};
use crate::polls::voter::Voter;
use crate::types::token::token_hash;
use crate::types::{Clock, PollId, UnixMillis};

/// What to import.
#[derive(Debug, Clone)]
pub struct Order {
    /// A dump, or each table as CSV.
    pub files: Vec<PathBuf>,
    pub from: System,
    /// The zone of the site's clocks: a name, or an offset like `+02:00`.
    pub time_zone: String,
    /// Polls that were open there stay open here.
    pub open: bool,
    /// Answers and votes of polls that are not in the files are left out; else they are taken for a sign that something is missing.
    pub without_orphans: bool,
    /// A dump that its program did not complete is taken as it is; else it is refused.
    pub without_end: bool,
    /// Says what would be done, and does nothing.
    pub dry_run: bool,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub polls: u64,
    pub ballots: u64,
    /// Of the ballots, those with a time.
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
    #[error("{0} holds none of the tables of {1}")]
    Nothing(String, &'static str),
    #[error(
        "{0}. Either it is cut short, and nothing was imported; or these polls were deleted there: then leave their rest out with --without-orphans"
    )]
    Orphans(Orphans),
    #[error(
        "{0} does not end with “Dump completed”, as mysqldump writes it: it is cut short, and nothing was imported. What follows may be whole tables; take it as it is with --without-end"
    )]
    WithoutEnd(String),
    #[error("{0:?}: {1}")]
    Poll(String, String),
    #[error("the database failed: {0}; run the import again to go on")]
    Database(#[from] DbErr),
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.dry_run {
            "would be carried over"
        } else {
            "carried over"
        };
        writeln!(f, "{:>11} polls {done}", self.polls)?;
        writeln!(
            f,
            "{:>11} ballots, {} of them with their hour",
            self.ballots, self.logged
        )?;
        writeln!(f, "{:>11} polls were there already", self.already_there)?;
        writeln!(f, "{:>11} polls left out", self.left_out)?;
        write!(
            f,
            "Voters' addresses, names and cookies were not carried over."
        )
    }
}

/// Imports, telling `terminal` (standard error) about each poll.
///
/// # Errors
/// [`Stopped`]; what was stored before stays.
pub async fn run(app: &App, order: &Order, terminal: &mut dyn Write) -> Result<Summary, Stopped> {
    let (zone, zone_name) =
        zone(&order.time_zone).ok_or_else(|| Stopped::Zone(order.time_zone.clone()))?;
    let reading = order.clone();
    let content = tokio::task::spawn_blocking(move || read(&reading))
        .await
        .map_err(|e| Stopped::Read("the file".into(), io::Error::other(e).into()))??;
    let Content {
        polls: found,
        orphans,
        without_end,
    } = content;
    if !orphans.is_empty() && (found.is_empty() || !order.without_orphans) {
        return Err(Stopped::Orphans(orphans));
    }
    if let Some(file) = without_end.into_iter().next()
        && !order.without_end
    {
        return Err(Stopped::WithoutEnd(file));
    }
    let mut summary = Summary {
        dry_run: order.dry_run,
        ..Summary::default()
    };
    let mut say = |text: String| {
        // A terminal that has gone away does not stop an import.
        let _ = writeln!(terminal, "{text}");
    };
    if !orphans.is_empty() {
        say(format!("{orphans}: left out"));
    }
    let all = found.len();
    for (at, poll) in found.into_iter().enumerate() {
        let name = poll
            .questions
            .first()
            .map(|q| plain(&q.text))
            .unwrap_or_default();
        let name = format!("{}/{all} “{name}”", at + 1);
        let plan = match poll.plan(&zone, app.clock.now()) {
            Ok(plan) => plan,
            Err(reason) => {
                summary.left_out += 1;
                say(format!("{name}: left out, {reason}"));
                continue;
            }
        };
        let hash = token_hash(&format!("{} {}", order.from.name(), poll.key));
        let key: String = hash.iter().map(|b| format!("{b:02x}")).collect();
        let known = store::known(&app.db, &key).await?;
        if known.is_some_and(|known| known.done) {
            summary.already_there += 1;
            say(format!("{name}: was there already"));
            continue;
        }
        let mut definition = definition(&plan, &zone_name);
        if let Some(fault) = definition.check().into_iter().find(|f| f.field != "slug") {
            summary.left_out += 1;
            say(format!("{name}: left out: {}", fault.message));
            continue;
        }
        summary.polls += 1;
        summary.ballots += plan.ballots.len() as u64;
        summary.logged += plan.logged as u64;
        let more = if plan.disagrees {
            "; its log holds more votes than its counts, the log was taken"
        } else {
            ""
        };
        say(format!(
            "{name}: {} ballots, {} with their hour{more}",
            plan.ballots.len(),
            plan.logged
        ));
        if order.dry_run {
            continue;
        }
        let id = match known {
            Some(known) => known.poll,
            None => create(app, &key, definition).await?,
        };
        if !poll.future {
            match cast(app, id, &plan.ballots, &name).await {
                // One poll's affair: the others come nevertheless.
                Err(Stopped::Poll(_, why)) => {
                    summary.polls -= 1;
                    summary.ballots -= plan.ballots.len() as u64;
                    summary.logged -= plan.logged as u64;
                    summary.left_out += 1;
                    say(format!("{name}: left out, {why}"));
                    continue;
                }
                done => done?,
            }
        }
        let txn = app.db.write_txn("import poll").await?;
        let now = app.clock.now();
        // First: until this stands, nobody may publish it.
        store::finish(&txn, &key, now).await?;
        if !poll.future {
            let goes_on = plan.goes_on.filter(|_| order.open);
            let end = goes_on.unwrap_or(Some(plan.closes_at));
            definition::retime(&txn, now, id, Some(plan.opens_at), end, Visibility::Always).await?;
            let (from, to) = (PollState::Draft, PollState::Published);
            definition::set_state(&txn, now, id, from, to).await?;
        }
        txn.commit().await?;
    }
    Ok(summary)
}

fn definition(plan: &Plan, time_zone: &str) -> Definition {
    let question = plan.questions.first().map_or("", |q| q.text.as_str());
    Definition {
        // No close yet: that comes with the commit that notes that all is in. A ballot box that has seen a close takes nothing any more.
        opens_at: Some(plan.opens_at),
        time_zone: time_zone.to_owned(),
        ..Definition::new(slug_of(question), plan.questions.clone())
    }
}

/// Makes the poll, as a draft: it is published in the commit that notes that all is in. Half of a result is none.
async fn create(app: &App, key: &str, mut definition: Definition) -> Result<PollId, Stopped> {
    let wanted = definition.slug.clone();
    // Again where somebody else has just taken the name.
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
        "its name in links is taken a thousand times".into(),
    ))
}

/// Casts the ballots in the order of their hours, through the box. Those that are there already stay as they are.
async fn cast(app: &App, id: PollId, ballots: &[Ballot], name: &str) -> Result<(), Stopped> {
    let stopped = |why: &str| Stopped::Poll(name.to_owned(), why.to_owned());
    let poll: Arc<Poll> = definition::by_id(&app.db, id)
        .await?
        .ok_or_else(|| stopped("is gone"))?
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
            let choice = Choice::read(&poll, &sent).map_err(|e| stopped(&e.message()))?;
            group.push(Slip::Answer(Answer {
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
            }));
        }
        // The box decides by its clock whether the poll is open: for these it shows the hour in which they were cast there.
        let at = at.max(opens);
        let outcomes = ballots::commit(&app.db, &Clock::manual(at), app.slot, &group).await?;
        if let Some(other) = outcomes
            .iter()
            .find(|o| !matches!(o, Outcome::Counted | Outcome::Same))
        {
            return Err(stopped(&format!(
                "a ballot was not taken ({other:?}); run the import again"
            )));
        }
    }
    Ok(())
}
