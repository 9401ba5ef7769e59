//! Polls for scripts: `/api/v1/polls`.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::{Answered, Sent, answer_by_script};
use super::api_names::{HeadlineTier, Linking, ResultsFor};
use super::api_question::{NewOption, NewQuestion, NewScale, OptionOrder, QuestionKind};
use super::api_view::PollView;
use super::asking;
use super::definition::{self, Definition, QuestionText, Stored};
use super::http::{not_asked, not_counted};
use super::known;
use super::model::{Poll, PollState};
use super::results::{Results, totals};
use super::secrecy::ClosedResults;
use super::voter::{Voter, hash_under, new_marker};
use crate::api::{Begun, Caller, Json, Once, Write, idempotency_key};
use crate::app::App;
use crate::newsletters;
use crate::types::UnixMillis;
use crate::web::Problem;
use crate::web::problems::FieldProblem;

/// A poll to make: one question, or several in `questions`.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPoll {
    /// Part of its address: lower-case letters, digits and hyphens.
    pub slug: String,
    #[serde(default)]
    pub question: String,
    #[serde(default)]
    pub options: Vec<NewOption>,
    #[serde(default)]
    pub kind: Option<QuestionKind>,
    /// Options a reader must choose (or rank) at least; 1.
    #[serde(default)]
    pub min_choices: Option<i64>,
    /// Options a reader may choose at most; 1, or of a ranked question as many as may be.
    #[serde(default)]
    pub max_choices: Option<i64>,
    /// Of a rating.
    #[serde(default)]
    pub scale: Option<NewScale>,
    #[serde(default)]
    pub order: OptionOrder,
    /// The label of a last option with a field for the reader's own words.
    #[serde(default)]
    pub other: Option<String>,
    /// The label of a last option that excludes the others.
    #[serde(default)]
    pub none: Option<String>,
    /// Instead of `question` and `options`.
    #[serde(default)]
    pub questions: Vec<NewQuestion>,
    /// What editors call it; the first question.
    #[serde(default)]
    pub title: String,
    /// RFC 3339; at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opens_at: Option<jiff::Timestamp>,
    /// RFC 3339; until an editor closes it.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closes_at: Option<jiff::Timestamp>,
    /// The zone its times are shown in; UTC.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// When the public sees results; always.
    #[serde(default)]
    pub results: ResultsFor,
    /// Whose answers make the result; everybody's. The others are counted apart.
    #[serde(default)]
    pub headline_tier: HeadlineTier,
    /// The slug of a newsletter offered beside the answer.
    #[serde(default)]
    pub newsletter: Option<String>,
    /// Whether answers may be joined to the addresses of readers who agree; fixed once the poll is published.
    #[serde(default)]
    pub linking: Linking,
    /// What readers agree to, of a linked poll; one paragraph of at most 500 characters. A suggestion of ours stands in when it is left out.
    #[serde(default)]
    pub link_words: Option<String>,
    /// Keep it unpublished.
    #[serde(default)]
    pub draft: bool,
}

impl NewPoll {
    /// The question that stands in the poll itself.
    fn only_question(&self) -> NewQuestion {
        NewQuestion {
            question: self.question.clone(),
            options: self.options.clone(),
            kind: self.kind,
            min_choices: self.min_choices,
            max_choices: self.max_choices,
            scale: self.scale.clone(),
            order: self.order,
            other: self.other.clone(),
            none: self.none.clone(),
            optional: false,
        }
    }
}

/// Makes a poll; published unless `draft` is set.
///
/// # Errors
/// 401, 409 for a taken slug, 422 with the fields to mend.
#[utoipa::path(post, path = "/api/v1/polls", tag = "polls", security(("bearer" = [])), request_body = NewPoll,
    responses((status = 201, body = PollView), (status = 401), (status = 409), (status = 422)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(new): Json<NewPoll>,
) -> Result<Response, Problem> {
    let mut definition = definition(&app, &new).await?;
    let faults = definition.check();
    if !faults.is_empty() {
        let several = definition.questions.len() > 1;
        let fields = faults.into_iter().map(|fault| FieldProblem {
            field: match fault.question {
                Some(place) if several => format!("questions.{place}.{}", fault.field),
                _ => fault.field.to_owned(),
            },
            message: fault.message,
        });
        return Err(Problem::invalid_fields(fields.collect()));
    }
    let write = match Write::begin(&app, caller, &headers, "api-poll", &new).await? {
        Begun::Fresh(write) => write,
        Begun::Repeated(answer) => return Ok(answer),
    };
    let state = if new.draft {
        PollState::Draft
    } else {
        PollState::Published
    };
    let now = app.clock.now();
    match definition::create(&write.txn, &app.random, now, &definition, state).await? {
        Stored::Yes(id) => {
            let poll = definition::by_id_in(&*write.txn, id)
                .await?
                .ok_or_else(Problem::not_found)?;
            write
                .finish(StatusCode::CREATED, &PollView::of(&app, &poll))
                .await
        }
        Stored::SlugTaken | Stored::Conflict => {
            Err(Problem::conflict("Another poll has this slug."))
        }
    }
}

async fn definition(app: &App, new: &NewPoll) -> Result<Definition, Problem> {
    let newsletter = match &new.newsletter {
        None => None,
        Some(slug) => Some(
            newsletters::by_slug(app.db.read(), slug)
                .await?
                .ok_or_else(|| {
                    Problem::invalid("newsletter", "There is no newsletter with this slug")
                })?
                .id,
        ),
    };
    let linking = new.linking.words(new.link_words.as_deref())?;
    let mut questions: Vec<QuestionText> = new.questions.iter().map(QuestionText::from).collect();
    if questions.is_empty() || !new.question.is_empty() {
        questions.insert(0, QuestionText::from(&new.only_question()));
    }
    Ok(Definition {
        slug: new.slug.clone(),
        title: new.title.clone(),
        intro: String::new(),
        visibility: new.results.into(),
        headline_tier: new.headline_tier.into(),
        newsletter,
        linking,
        opens_at: new.opens_at.map(UnixMillis::from),
        closes_at: new.closes_at.map(UnixMillis::from),
        time_zone: new.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        questions,
    })
}

/// An answer to cast.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBallot {
    /// Keys of options (or their exact labels), one or several; of a ranked question in order of preference.
    #[schema(value_type = Vec<String>)]
    pub option: Named,
    /// The voter's own words, by the key of the option that takes them.
    #[serde(default)]
    pub words: BTreeMap<String, String>,
    /// The caller's own name for the voter, never an address: the same name is the same voter. Without it the marker
    /// cookie counts, or the Idempotency-Key, or each request is a new voter.
    #[serde(default)]
    pub voter: Option<String>,
}

/// One or several options.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Named {
    One(Name),
    Several(Vec<Name>),
}

/// An option's key as a number or text, or its label.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Name {
    Key(i64),
    Text(String),
}

/// The ballot that counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ballot {
    /// Keys of the options; of a ranked question in order of preference.
    pub option: Vec<i64>,
    pub labels: Vec<String>,
}

/// The longest name of a voter, in bytes.
const LONGEST_VOTER: usize = 200;

/// Casts an answer. A second one by the same voter changes the first and never adds one. A repetition under its Idempotency-Key
/// gets the first answer, and changes nothing, whatever the voter said since.
///
/// # Errors
/// 401, 404, 409 while the poll is not open, 422 for what is no answer to it, 503 when too many wait.
#[utoipa::path(post, path = "/api/v1/polls/{slug}/ballots", tag = "polls", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The poll's slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer")), request_body = NewBallot,
    responses((status = 201, body = Ballot, description = "A first ballot"),
        (status = 200, body = Ballot, description = "The voter had one; this is what counts now"),
        (status = 401), (status = 404), (status = 409), (status = 422), (status = 503)))]
pub async fn cast(
    State(app): State<App>,
    caller: Caller,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Json(ballot): Json<NewBallot>,
) -> Result<Response, Problem> {
    let poll = asking::public_poll(&app, &slug).await?;
    let once = once(&poll, caller, &headers, &ballot)?;
    let voter = voter(&app, &poll, caller, &headers, ballot.voter)?;
    let mut sent = Sent::options(keys(&poll, ballot.option));
    for (option, words) in ballot.words {
        sent = sent.with_words(option, words);
    }
    match answer_by_script(&app.polls, poll.clone(), &sent, &voter, once).await? {
        Answered::Counted { choice, first } => {
            let labels = poll.labels(choice.options());
            let ballot = Ballot {
                option: poll.keys(choice.options()),
                labels: labels.into_iter().map(str::to_owned).collect(),
            };
            let status = if first {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            let mut response = (status, axum::Json(ballot)).into_response();
            if let Voter::Browser(marker) = &voter {
                asking::remember(&app, &mut response, marker);
            }
            Ok(response)
        }
        Answered::Invalid(error) => Err(Problem::invalid("option", error.message())),
        Answered::NotOpen(phase) => Err(Problem::conflict(not_counted(&poll, phase))),
        Answered::HandedOver => Err(Problem::conflict(known::HANDED_OVER)),
        Answered::NotInvited => Err(Problem::conflict(not_asked())),
        Answered::Edited => Err(Problem::conflict("The poll was changed just now.")),
    }
}

fn voter(
    app: &App,
    poll: &Poll,
    caller: Caller,
    headers: &HeaderMap,
    name: Option<String>,
) -> Result<Voter, Problem> {
    if let Some(name) = name {
        if name.is_empty() || name.len() > LONGEST_VOTER || name.contains('@') {
            return Err(Problem::invalid(
                "voter",
                "Use 1 to 200 bytes, and nothing that looks like an address",
            ));
        }
        return Ok(Voter::Named(format!("{}:{name}", caller.token.0)));
    }
    if let Some(marker) = asking::marker(app, headers) {
        return Ok(Voter::Browser(marker));
    }
    Ok(match idempotency_key(headers)? {
        None => {
            let (now, chance) = (app.clock.now(), app.random.bytes());
            Voter::Browser(new_marker(poll.id, now, chance))
        }
        Some(key) => Voter::Named(format!("{}:key:{key}", caller.token.0)),
    })
}

/// The request under its Idempotency-Key. Both are kept as hashes under the poll's own secret, and the answer is not kept at all: no row says
/// who answered, or what, and once the secret is destroyed nobody can find out by trying.
fn once(
    poll: &Poll,
    caller: Caller,
    headers: &HeaderMap,
    ballot: &NewBallot,
) -> Result<Option<Once>, Problem> {
    let Some(key) = idempotency_key(headers)? else {
        return Ok(None);
    };
    let asked = serde_json::to_vec(ballot).map_err(|e| Problem::internal(&e))?;
    let key = hash_under(poll, "idempotency key", key.as_bytes());
    Ok(Some(Once {
        token: caller.token,
        key: format!("ballot {}", data_encoding::HEXLOWER.encode(&key)),
        request: hash_under(poll, "request", &asked).to_vec(),
    }))
}

/// What was named, as the keys a form would send. A label counts where it is no key; what is neither stays and is refused.
fn keys(poll: &Poll, named: Named) -> Vec<String> {
    let named = match named {
        Named::One(one) => vec![one],
        Named::Several(several) => several,
    };
    named
        .into_iter()
        .map(|name| match name {
            Name::Key(key) => key.to_string(),
            Name::Text(text) if poll.offered(&text).is_some() => text,
            Name::Text(text) => {
                let option = poll.options().find(|o| !o.retired && o.label == text);
                option.map_or(text, |o| o.key.to_string())
            }
        })
        .collect()
}

/// The results, whatever the public may see.
///
/// # Errors
/// 401, 404.
#[utoipa::path(get, path = "/api/v1/polls/{slug}/results", tag = "polls", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The poll's slug")),
    responses((status = 200, body = ClosedResults), (status = 401), (status = 404)))]
pub async fn results(
    State(app): State<App>,
    _: Caller,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let poll = app
        .polls
        .book
        .poll(&slug)
        .await?
        .ok_or_else(Problem::not_found)?;
    let totals = totals(&app.db, &poll).await?;
    let results = Results::of(&poll, &totals, &[]);
    let results = ClosedResults::of(&app, &poll, results).await?;
    Ok(axum::Json(results).into_response())
}

/// The part of the OpenAPI document that describes polls.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    create,
    cast,
    results,
    super::export::http::export,
    super::linked::api::show,
    super::linked::api::export,
    super::sample::api::list,
    super::sample::api::show
))]
pub struct Document;
