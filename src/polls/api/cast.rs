//! Casting an answer by a script: `POST /polls/{slug}/ballots`.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::refusals::{IdempotencyKey, NotFound, Refusals, WriteRefusals};
use crate::api::{Caller, Json, Once, idempotency_key};
use crate::app::App;
use crate::polls::answer::{Answered, Sent, answer_by_script};
use crate::polls::asking;
use crate::polls::model::Poll;
use crate::polls::results::{not_asked, not_counted};
use crate::polls::voter::{self, Voter, hash_under, known, new_marker};
use crate::web::Problem;

/// An answer to cast.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBallot {
    /// One or several options; those of a ranked question in order of preference. A number is an option's key. A
    /// text is an option's exact label, or else its key: in a rating, "7" is its point 7. A label shared by
    /// several options is refused.
    pub option: Named,
    /// The voter's own words, by the key of the option that takes them.
    #[serde(default)]
    pub words: BTreeMap<String, String>,
    /// The caller's own name for the voter, never an address: the same name is the same voter. Without a name, the
    /// voter is identified by the marker cookie or by the Idempotency-Key; without either, each request is a new voter.
    #[serde(default)]
    pub voter: Option<String>,
}

/// One or several options.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = BallotOptions)]
#[serde(untagged)]
pub enum Named {
    One(Name),
    Several(Vec<Name>),
}

/// An option's key as a number or text, or its label.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = BallotOption)]
#[serde(untagged)]
pub enum Name {
    Key(i64),
    Text(String),
}

/// The ballot that counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ballot {
    /// Keys of the options; those of a ranked question in order of preference.
    pub option: Vec<i64>,
    pub labels: Vec<String>,
}

/// The longest name of a voter, in bytes.
const LONGEST_VOTER: usize = 200;

/// Casts an answer. A second answer by the same voter changes the first and never adds one. A repeated request with the
/// same Idempotency-Key gets the first response and changes nothing, whatever the voter has answered since.
///
/// # Errors
/// 401, 404, 409 while the poll is not open, 422 for an invalid answer, 503 when too many are waiting.
#[utoipa::path(post, path = "/api/v1/polls/{slug}/ballots", tag = "polls", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The poll's slug"),
        IdempotencyKey), request_body = NewBallot,
    responses((status = 201, body = Ballot, description = "A first ballot"),
        (status = 200, body = Ballot, description = "The voter already had a ballot; this one replaces it"),
        (status = 409, description = "The ballot was not counted: the poll is not open, was just changed, or does not ask this voter"),
        Refusals, WriteRefusals, NotFound))]
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
    let mut sent = Sent::options(keys(&poll, ballot.option)?);
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
                voter::remember(&app, &mut response, marker);
            }
            Ok(response)
        }
        Answered::Invalid(error) => Err(Problem::invalid("option", error.message(&poll))),
        Answered::NotOpen(phase) => Err(Problem::conflict(not_counted(&poll, phase))),
        Answered::HandedOver => Err(Problem::conflict(known::HANDED_OVER)),
        Answered::NotInvited => Err(Problem::conflict(not_asked())),
        Answered::Edited => Err(Problem::conflict("The poll has just been changed.")),
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
                "Use 1 to 200 bytes that do not look like an address",
            ));
        }
        return Ok(Voter::Named(named(caller, &name)));
    }
    if let Some(marker) = voter::marker(app, headers) {
        return Ok(Voter::Browser(marker));
    }
    Ok(match idempotency_key(headers)? {
        None => {
            let (now, chance) = (app.clock.now(), app.random.bytes());
            Voter::Browser(new_marker(poll.id, now, chance))
        }
        Some(key) => Voter::Named(format!("{}:key:{key}", caller.script.0)),
    })
}

/// A voter by the caller's own name. Names that begin like the voters of Idempotency-Keys have a prefix of their own, so
/// that no name is the voter of a key, nor another name.
fn named(caller: Caller, name: &str) -> String {
    let taken = ["key:", "name:"]
        .iter()
        .any(|start| name.starts_with(start));
    let prefix = if taken { "name:" } else { "" };
    format!("{}:{prefix}{name}", caller.script.0)
}

/// The request under its Idempotency-Key. Both are kept as hashes under the poll's own secret, and the response
/// is not kept at all: no row says who answered, or what, and once the secret is destroyed nobody can find out
/// what was hashed by trial.
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
        token: caller.script,
        key: format!("ballot {}", data_encoding::HEXLOWER.encode(&key)),
        request: hash_under(poll, "request", &asked).to_vec(),
    }))
}

/// The named options as the keys that a form would send. A text is taken as a label if an option has that label: in a
/// rating both the keys and the labels are numbers, and a caller who writes a number as text means the label. A text
/// that is neither is kept, and refused later.
fn keys(poll: &Poll, named: Named) -> Result<Vec<String>, Problem> {
    let named = match named {
        Named::One(one) => vec![one],
        Named::Several(several) => several,
    };
    named
        .into_iter()
        .map(|name| match name {
            Name::Key(key) => Ok(key.to_string()),
            Name::Text(text) => {
                let mut labelled = poll.options().filter(|o| !o.retired && o.label == text);
                match (labelled.next(), labelled.next()) {
                    (None, _) => Ok(text),
                    (Some(option), None) => Ok(option.key.to_string()),
                    (Some(_), Some(_)) => Err(Problem::invalid(
                        "option",
                        format!("“{text}” is the text of several options: use an option's key instead, as a number"),
                    )),
                }
            }
        })
        .collect()
}
