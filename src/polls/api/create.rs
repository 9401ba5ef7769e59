//! Creating a poll by a script: `POST /polls`.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::{HeadlineTier, Linking, ResultsFor};
use super::question::{NewOption, NewQuestion, NewScale, OptionOrder};
use super::view::PollView;
use crate::api::refusals::{IdempotencyKey, Refusals, WriteRefusals};
use crate::api::{Begun, Caller, Json, Write};
use crate::app::App;
use crate::newsletters;
use crate::polls::definition::{self, Definition, Fault, QuestionText, Stored};
use crate::polls::model::{Kind, PollState};
use crate::types::UnixMillis;
use crate::web::Problem;
use crate::web::problems::FieldProblem;

/// A poll to create: one question, or several in `questions`.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPoll {
    /// Part of its URL: lower-case letters, digits and hyphens.
    pub slug: String,
    #[serde(default)]
    pub question: String,
    #[serde(default)]
    pub options: Vec<NewOption>,
    #[serde(default)]
    pub kind: Option<Kind>,
    /// The fewest options a reader must choose or rank. Default: 1.
    #[serde(default)]
    pub min_choices: Option<i64>,
    /// The most options a reader may choose. Default: 1; for a ranked question, as many as possible.
    #[serde(default)]
    pub max_choices: Option<i64>,
    /// For a rating.
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
    /// Used instead of `question` and `options`.
    #[serde(default)]
    pub questions: Vec<NewQuestion>,
    /// The name that editors see. Default: the first question.
    #[serde(default)]
    pub title: String,
    /// When the poll opens, RFC 3339. Default: at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opens_at: Option<jiff::Timestamp>,
    /// When the poll closes, RFC 3339; in the future, unless it is a draft. Default: when an editor closes it.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closes_at: Option<jiff::Timestamp>,
    /// The time zone in which its times are shown. Default: UTC.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// When the public sees results. Default: always.
    #[serde(default)]
    pub results: ResultsFor,
    /// Whose answers count in the result. Default: everybody's. The others are counted separately.
    #[serde(default)]
    pub headline_tier: HeadlineTier,
    /// The slug of a newsletter offered beside the answer.
    #[serde(default)]
    pub newsletter: Option<String>,
    /// Whether answers may be linked to the addresses of readers who agree; fixed once the poll is published.
    #[serde(default)]
    pub linking: Linking,
    /// The consent text that readers of a linked poll agree to: one paragraph of at most 500 characters. A default text
    /// is used when it is left out.
    #[serde(default)]
    pub link_words: Option<String>,
    /// Whether to leave it unpublished.
    #[serde(default)]
    pub draft: bool,
}

impl NewPoll {
    /// The question given in the poll's own fields.
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

/// Creates a poll. It is published unless `draft` is set.
///
/// # Errors
/// 401; 409 for a slug that is taken; 422 with the fields to correct.
#[utoipa::path(post, path = "/api/v1/polls", tag = "polls", security(("bearer" = [])), request_body = NewPoll,
    params(IdempotencyKey),
    responses((status = 201, body = PollView), (status = 409, description = "Another poll has this slug"), Refusals, WriteRefusals))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(new): Json<NewPoll>,
) -> Result<Response, Problem> {
    let mut definition = definition(&app, &new).await?;
    let faults = definition.check();
    if !faults.is_empty() {
        return Err(to_correct(&definition, faults));
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
    // Only now: a repeated request gets the first response, even after the close.
    let over = definition::over(definition.closes_at, now).filter(|_| !new.draft);
    if let Some(over) = over {
        return Err(to_correct(&definition, vec![over]));
    }
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

/// A 422 with the fields to correct.
fn to_correct(definition: &Definition, faults: Vec<Fault>) -> Problem {
    let several = definition.questions.len() > 1;
    let fields = faults.into_iter().map(|fault| FieldProblem {
        field: match fault.question {
            Some(place) if several => format!("questions.{place}.{}", fault.field),
            _ => fault.field.to_owned(),
        },
        message: fault.message,
    });
    Problem::invalid_fields(fields.collect())
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
