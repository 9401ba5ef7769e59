//! The data of an export, in the form in which JSON has it.

use serde::Serialize;

use super::dictionary::{DICTIONARY, Entry};
use super::ranked::{Ranked, Round, ranks, rounds};
use super::sampled::{Draw, Estimated, drawn, estimated};
use super::tiers::by_tier;
use crate::app::App;
use crate::polls::answer::{Reason, refused};
use crate::polls::api::ResultsFor;
use crate::polls::insight::compare::{comparable, table};
use crate::polls::insight::store;
use crate::polls::model::{Kind, Place, Poll, PollState, Tier};
use crate::polls::results::{Results, Totals, totals_in};
use crate::web::Problem;

/// A poll with all its counts.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExport)]
pub struct Document {
    pub poll: About,
    /// RFC 3339.
    pub exported_at: String,
    pub results: Vec<Answer>,
    pub voters: Vec<Voters>,
    pub turnout: Vec<Hour>,
    pub places: Vec<At>,
    pub steps: Vec<Taken>,
    /// Answers that were not counted.
    pub refusals: Vec<Refused>,
    pub tables: Vec<Cell>,
    /// For a poll that asks a random sample: an estimate for each option. Empty for any other poll.
    pub sample: Vec<Estimated>,
    /// For ranked questions: how often each option was given each rank.
    pub ranks: Vec<Ranked>,
    /// For ranked questions: the run-off, round by round.
    pub rounds: Vec<Round>,
    /// How the sample was drawn.
    pub draw: Vec<Draw>,
    /// What every field means.
    pub dictionary: Vec<Entry>,
}

/// The poll itself.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportAbout)]
pub struct About {
    pub slug: String,
    pub title: String,
    pub url: String,
    pub state: PollState,
    pub opens_at: Option<String>,
    pub closes_at: Option<String>,
    pub time_zone: String,
    pub results_for: ResultsFor,
    /// The lowest tier whose ballots count in the result.
    pub headline_tier: Tier,
    /// What has to be said together with every number.
    pub note: String,
}

/// Ballots of a tier with an option.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportAnswer)]
pub struct Answer {
    pub question_key: i64,
    pub question: String,
    pub kind: Kind,
    pub option_key: i64,
    pub option: String,
    pub tier: Tier,
    /// `null`: hidden.
    pub answers: Option<i64>,
}

/// Ballots of a tier.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportVoters)]
pub struct Voters {
    pub tier: Tier,
    pub readers: i64,
}

/// First ballots of a tier within an hour.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportHour)]
pub struct Hour {
    pub hour: String,
    /// As in `voters`; `all` once the poll is sealed.
    pub tier: &'static str,
    pub answers: i64,
}

/// A place with its views and first ballots.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportAt)]
pub struct At {
    pub place: &'static str,
    pub looks: Option<i64>,
    pub answers: i64,
}

/// How often a step was taken.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportTaken)]
pub struct Taken {
    pub step: &'static str,
    pub count: i64,
}

/// How many answers were not counted for a reason.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportRefused)]
pub struct Refused {
    pub reason: &'static str,
    pub count: i64,
}

/// Ballots with both answers; `null`: hidden.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportCell)]
pub struct Cell {
    pub row_question_key: i64,
    pub row: String,
    pub column_question_key: i64,
    pub column: String,
    pub answers: Option<i64>,
}

const NOTE: &str = "Readers chose to answer. They selected themselves; no margin of error applies.";

pub(super) const TIERS: [Tier; 4] = [
    Tier::Anonymous,
    Tier::Worked,
    Tier::Subscriber,
    Tier::SignedIn,
];

const PLACES: [(Place, bool); 6] = [
    (Place::PollPage, true),
    (Place::Article, true),
    (Place::Embed, true),
    (Place::Mail, false),
    (Place::Api, false),
    (Place::Elsewhere, false),
];

impl Document {
    /// Collects everything that may be exported about `poll`.
    ///
    /// # Errors
    /// A 500 or 503 when the database fails.
    pub async fn of(app: &App, poll: &Poll) -> Result<Self, Problem> {
        // Numbers that are taken away together must agree, whatever is answered meanwhile.
        let moment = app.db.snapshot().await?;
        let totals = totals_in(&moment, poll).await?;
        let steps = store::steps(&moment, poll.id).await?;
        let hours = store::hours(&moment, poll.id).await?;
        let refused = refused(&moment, poll.id).await?;
        moment.rollback().await?;
        let mut results = Vec::new();
        for q in &poll.questions {
            let answers = by_tier(q, &totals, poll.headline_tier);
            let lines = q.options.iter();
            let lines = lines.flat_map(|option| TIERS.map(|tier| (option, tier)));
            results.extend(lines.map(|(option, tier)| Answer {
                question_key: q.key,
                question: q.text.clone(),
                kind: q.kind,
                option_key: option.key,
                option: option.label.clone(),
                tier,
                answers: answers.get(&(option.id, tier)).copied().flatten(),
            }));
        }
        let voters = TIERS.map(|tier| Voters {
            tier,
            readers: totals.voters_of(tier),
        });
        let turnout = hours
            .iter()
            .map(|hour| Hour {
                hour: hour.at.timestamp().to_string(),
                // The hours of a sealed poll are summed over all tiers.
                tier: poll.sealed_at.map_or(hour.tier.name(), |_| "all"),
                answers: hour.n,
            })
            .collect();
        let of = |all: &[(Place, i64)], place: Place| {
            let found = all.iter().find(|(at, _)| *at == place);
            found.map_or(0, |(_, n)| *n)
        };
        let places = PLACES.map(|(place, countable)| At {
            place: place_name(place),
            looks: countable.then(|| of(&steps.seen, place)),
            answers: of(&totals.places, place),
        });
        let looked = steps.seen.iter().map(|(_, n)| n).sum();
        let taken = [
            ("looked", looked),
            ("answered", totals.voters(Tier::Anonymous)),
            ("asked", steps.asked),
            ("confirmed", steps.confirmed),
        ];
        let refusals = Reason::ALL.map(|reason| Refused {
            reason: reason.name(),
            count: refused
                .iter()
                .find(|(r, _)| *r == reason)
                .map_or(0, |(_, n)| *n),
        });
        let counted = totals.voters(poll.headline_tier);
        Ok(Self {
            poll: About::of(&app.config.origin(), poll, &totals),
            exported_at: app.clock.now().timestamp().to_string(),
            results,
            voters: voters.into(),
            turnout,
            places: places.into(),
            steps: taken.map(|(step, count)| Taken { step, count }).into(),
            refusals: refusals.into(),
            tables: tables(app, poll, counted).await?,
            ranks: ranks(poll, &totals),
            rounds: rounds(poll, &totals),
            sample: estimated(poll, &totals),
            draw: drawn(app, poll, counted).await?,
            dictionary: DICTIONARY.to_vec(),
        })
    }
}

/// Every pair of questions whose table can be shown.
async fn tables(app: &App, poll: &Poll, voters: i64) -> Result<Vec<Cell>, Problem> {
    let questions: Vec<_> = comparable(poll).collect();
    if questions.len() < 2 {
        return Ok(Vec::new());
    }
    let now = app.clock.now();
    let Ok(counted) = app.polls.answers.of(&app.db, poll, voters, now).await? else {
        return Ok(Vec::new());
    };
    let mut cells = Vec::new();
    for (at, rows) in questions.iter().enumerate() {
        for columns in &questions[at + 1..] {
            let Ok(found) = table(&counted, rows, columns) else {
                continue;
            };
            for line in &found.rows {
                for (answers, (column, _)) in line.cells.iter().zip(&found.columns) {
                    cells.push(Cell {
                        row_question_key: rows.key,
                        row: line.label.clone(),
                        column_question_key: columns.key,
                        column: column.clone(),
                        answers: *answers,
                    });
                }
            }
        }
    }
    Ok(cells)
}

impl About {
    fn of(origin: &str, poll: &Poll, totals: &Totals) -> Self {
        Self {
            slug: poll.slug.clone(),
            title: poll.headline().to_owned(),
            url: format!("{origin}/p/{}", poll.slug),
            state: poll.state,
            opens_at: poll.opens_at.map(|at| at.timestamp().to_string()),
            closes_at: poll.closes_at.map(|at| at.timestamp().to_string()),
            time_zone: poll.time_zone.clone(),
            results_for: poll.visibility.into(),
            headline_tier: poll.headline_tier,
            note: match poll.sample() {
                Some(_) => Results::of(poll, totals, &[]).note,
                None => NOTE.to_owned(),
            },
        }
    }
}

fn place_name(place: Place) -> &'static str {
    match place {
        Place::PollPage => "poll_page",
        Place::Article => "article",
        Place::Embed => "embed",
        Place::Mail => "mail",
        Place::Api => "api",
        Place::Elsewhere => "carried_over",
    }
}
