//! `POST /api/v1/subscriptions`: for scripts behind a publisher's own form.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::request::{self, Source, Wish};
use super::store::consent_texts;
use crate::api::refusals::{IdempotencyKey, Refusals, WriteRefusals};
use crate::api::{Begun, Caller, Json, Write};
use crate::app::App;
use crate::newsletters;
use crate::types::EmailAddress;
use crate::web::Problem;

/// The OpenAPI of these routes.
#[derive(OpenApi)]
#[openapi(paths(subscribe), components(schemas(NewSubscription, Accepted)))]
pub struct Document;

/// The routes below `/api/v1`.
pub fn routes() -> Router<App> {
    Router::new().route("/subscriptions", post(subscribe))
}

/// A request to subscribe.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSubscription {
    /// The slug of a newsletter.
    newsletter: String,
    /// The address to subscribe. It gets one mail with a link to confirm.
    email: String,
    /// The consent text that the reader agreed to: the exact words they saw, or `true` for the newsletter's current text.
    consent: Consent,
    /// The URL of the page on which they agreed.
    #[serde(default)]
    page: String,
}

/// The consent text that a reader agreed to.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
enum Consent {
    Yes(bool),
    Words(String),
}

/// The request was accepted. The response does not reveal whether the address is known, unknown, pending or suppressed.
#[derive(Debug, Serialize, ToSchema)]
struct Accepted {
    /// Always `accepted`.
    status: &'static str,
}

/// The longest consent text that is stored, in characters.
const LONGEST_WORDS: usize = 2_000;

/// Requests a subscription for an address. The response is the same for every address.
#[utoipa::path(
    post,
    path = "/api/v1/subscriptions",
    tag = "subscriptions",
    request_body = NewSubscription,
    params(IdempotencyKey),
    responses(
        (status = 202, description = "Accepted. If appropriate, a mail is sent to the address.", body = Accepted),
        Refusals,
        WriteRefusals,
        (status = 404, description = "There is no such newsletter."),
    ),
    security(("bearer" = []))
)]
async fn subscribe(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(asked): Json<NewSubscription>,
) -> Result<Response, Problem> {
    let address = EmailAddress::from_typed(&asked.email)
        .map_err(|e| Problem::invalid("email", e.to_string()))?;
    match &asked.consent {
        Consent::Yes(false) => {
            return Err(Problem::invalid(
                "consent",
                "Nobody can be subscribed without their consent.",
            ));
        }
        Consent::Words(words)
            if words.trim().is_empty() || words.chars().count() > LONGEST_WORDS =>
        {
            return Err(Problem::invalid(
                "consent",
                "Give the consent text that the reader agreed to, 1 to 2,000 characters.",
            ));
        }
        Consent::Yes(true) | Consent::Words(_) => {}
    }
    let newsletter = newsletters::by_slug(app.db.read(), &asked.newsletter)
        .await?
        .ok_or_else(Problem::not_found)?;
    let write = match Write::begin(&app, caller, &headers, "api subscribe", &asked).await? {
        Begun::Fresh(write) => write,
        Begun::Repeated(answer) => return Ok(answer),
    };
    let current = newsletters::current_consent(&*write.txn, newsletter.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let consent = match &asked.consent {
        Consent::Words(words) if words.trim() != current.body => {
            consent_texts::keep(&write.txn, newsletter.id, words.trim(), app.clock.now()).await?
        }
        _ => current,
    };
    let wish = Wish {
        answer: None,
        newsletter,
        address,
        name: None,
        consent,
        page: asked.page,
        source: Source::Api,
        poll: None,
    };
    request::request_in(&app, &write.txn, &wish).await?;
    write
        .finish(
            StatusCode::ACCEPTED,
            &json!(Accepted { status: "accepted" }),
        )
        .await
}
