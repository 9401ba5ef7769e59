//! Newsletters for scripts: `/api/v1/newsletters`.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Newsletter, Typed};
use super::store::{self, Created};
use crate::api::refusals::{IdempotencyKey, Refusals, WriteRefusals};
use crate::api::{Begun, Caller, Json, Write};
use crate::app::App;
use crate::web::Problem;
use crate::web::problems::FieldProblem;

/// A newsletter to create.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNewsletter {
    /// Part of its URL: lower-case letters, digits and hyphens.
    pub slug: String,
    /// The name that readers see.
    pub name: String,
    /// The sender: `brief@news.example` or `The Evening Brief <brief@news.example>`.
    pub from: String,
    /// What readers get; shown on the sign-up page.
    #[serde(default)]
    pub description: String,
    /// The address for replies. Default: the sender's.
    #[serde(default)]
    pub reply_to: String,
    /// The publisher's postal address, at the foot of every mail. Many countries require it by law.
    #[serde(default)]
    pub postal_address: String,
    /// An IANA name. Default: UTC.
    #[serde(default)]
    pub time_zone: String,
    /// The language of the issues, a BCP 47 tag. Default: `en`.
    #[serde(default)]
    pub language: String,
    /// A colour, `#rrggbb`, with a contrast of at least 4.5:1 on white.
    #[serde(default)]
    pub accent: String,
    /// The exact consent text that readers agree to.
    #[serde(default)]
    pub consent: String,
    /// Whether past issues can be read on the web. Default: true.
    #[serde(default)]
    pub archive: Option<bool>,
}

/// A newsletter.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewsletterView {
    pub slug: String,
    pub name: String,
    pub from_name: String,
    pub from_address: String,
    pub time_zone: String,
    pub language: String,
    /// The version of the consent text that readers see now.
    pub consent_version: i64,
    /// The page on which readers subscribe.
    pub url: String,
}

/// The part of the OpenAPI document that describes newsletters.
#[derive(utoipa::OpenApi)]
#[openapi(paths(create))]
pub struct Document;

/// Creates a newsletter.
///
/// # Errors
/// 401; 409 for a slug that is taken; 422 with the fields to correct.
#[utoipa::path(post, path = "/api/v1/newsletters", tag = "newsletters", security(("bearer" = [])), request_body = NewNewsletter,
    params(IdempotencyKey),
    responses((status = 201, body = NewsletterView), (status = 409, description = "Another newsletter has this slug"),
        Refusals, WriteRefusals))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(new): Json<NewNewsletter>,
) -> Result<Response, Problem> {
    let draft = new.typed().check().map_err(|errors| {
        let fields = errors.into_iter().map(|(field, message)| FieldProblem {
            field: api_name(field).to_owned(),
            message,
        });
        Problem::invalid_fields(fields.collect())
    })?;
    let write = match Write::begin(&app, caller, &headers, "api-newsletter", &new).await? {
        Begun::Fresh(write) => write,
        Begun::Repeated(answer) => return Ok(answer),
    };
    match store::create(&write.txn, &draft, app.clock.now()).await? {
        Created::New(letter) => {
            write
                .finish(StatusCode::CREATED, &NewsletterView::of(&app, &letter))
                .await
        }
        Created::SlugTaken => Err(Problem::conflict("Another newsletter has this slug.")),
    }
}

/// The API's name of a field; both halves of the sender are in one.
fn api_name(field: &'static str) -> &'static str {
    match field {
        "from_name" | "from_address" => "from",
        other => other,
    }
}

impl NewNewsletter {
    fn typed(&self) -> Typed {
        let (from_name, from_address) = self.sender();
        let consent = if self.consent.trim().is_empty() {
            format!(
                "Send me {} by email. I can stop it at any time.",
                self.name.trim()
            )
        } else {
            self.consent.clone()
        };
        Typed {
            slug: self.slug.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            from_name,
            from_address,
            reply_to: self.reply_to.clone(),
            postal_address: self.postal_address.clone(),
            postal_address_can_wait: true,
            time_zone: if self.time_zone.is_empty() {
                "UTC".into()
            } else {
                self.time_zone.clone()
            },
            language: self.language.clone(),
            accent: self.accent.clone(),
            consent,
            archive: self.archive.unwrap_or(true),
        }
    }

    /// Name and address of the sender; the name defaults to the newsletter's.
    fn sender(&self) -> (String, String) {
        let bare = || (self.name.clone(), self.from.trim().to_owned());
        let Some((name, address)) = self
            .from
            .trim()
            .strip_suffix('>')
            .and_then(|from| from.rsplit_once('<'))
        else {
            return bare();
        };
        let name = name.trim().trim_matches('"').trim();
        let name = if name.is_empty() {
            self.name.as_str()
        } else {
            name
        };
        (name.to_owned(), address.trim().to_owned())
    }
}

impl NewsletterView {
    fn of(app: &App, letter: &Newsletter) -> Self {
        Self {
            slug: letter.slug.clone(),
            name: letter.name.clone(),
            from_name: letter.from_name.clone(),
            from_address: letter.from_address.clone(),
            time_zone: letter.time_zone.clone(),
            language: letter.language.clone(),
            consent_version: 1,
            url: format!("{}/subscribe/{}", app.config.origin(), letter.slug),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        let new = |from: &str| {
            let json = serde_json::json!({ "slug": "a", "name": "The Brief", "from": from });
            serde_json::from_value::<NewNewsletter>(json)
                .expect("the shape")
                .sender()
        };
        let pair = |name: &str, address: &str| (name.to_owned(), address.to_owned());
        assert_eq!(new("a@b.example"), pair("The Brief", "a@b.example"));
        assert_eq!(
            new("Linden Post <a@b.example>"),
            pair("Linden Post", "a@b.example")
        );
        assert_eq!(
            new("\"Post, Linden\" <a@b.example>"),
            pair("Post, Linden", "a@b.example")
        );
        assert_eq!(new("<a@b.example>"), pair("The Brief", "a@b.example"));
    }
}
