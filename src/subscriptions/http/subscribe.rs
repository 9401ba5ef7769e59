//! `/subscribe/{newsletter}`: one field, one box, one button.

use axum::extract::{Path, State};
use axum::response::Response;
use http::header::REFERER;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{page, span};
use crate::app::App;
use crate::newsletters::{self, ConsentText, Newsletter};
use crate::subscriptions::model::FASTEST_FORM;
use crate::subscriptions::request::{self, Source, Wish};
use crate::subscriptions::store::consent_texts;
use crate::types::varint::{pack, unpack};
use crate::types::{EmailAddress, Purpose, UnixMillis};
use crate::web::origin::{self, From};
use crate::web::problems::of_those_wrong;
use crate::web::{Client, Problem, RawForm};

/// The input and its errors.
#[derive(Default)]
struct Filled {
    email: String,
    consent_ticked: bool,
    email_error: Option<String>,
    consent_error: Option<String>,
    form_error: Option<String>,
}

/// `GET`
pub async fn show(State(app): State<App>, Path(slug): Path<String>) -> Result<Response, Problem> {
    let (newsletter, consent) = find(&app, &slug).await?;
    form_page(
        &app,
        StatusCode::OK,
        &newsletter,
        &consent,
        &Filled::default(),
    )
}

/// `POST`
pub async fn submit(
    State(app): State<App>,
    client: Client,
    Path(slug): Path<String>,
    headers: HeaderMap,
    form: RawForm,
) -> Result<Response, Problem> {
    if origin::of(
        &headers,
        &app.config.origin(),
        &app.config.http.embed_origins,
    ) == From::Stranger
    {
        return Err(Problem::wrong_origin());
    }
    let (newsletter, current) = find(&app, &slug).await?;
    let (address, consent) = match judge(&app, &newsletter, &current, &form).await? {
        Ok(given) => given,
        Err(filled) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return form_page(&app, status, &newsletter, &current, &filled);
        }
    };

    // A honeypot field that no person sees. A bot that fills it in gets the same page, and nothing happens.
    let trapped = form.one("website")?.is_some_and(|text| !text.is_empty());
    if !trapped {
        let wish = Wish {
            answer: None,
            newsletter: newsletter.clone(),
            address: address.clone(),
            name: None,
            consent,
            page: page_of(&app, &headers, &slug),
            source: Source::Form,
            poll: None,
        };
        request::request(&app, &client, &wish).await?;
    }
    page(
        &app,
        StatusCode::OK,
        "subscribe_sent",
        "Now check your inbox",
        json!({
            "newsletter": newsletter.name,
            "slug": newsletter.slug,
            "accent_sheet": newsletter.accent_sheet(),
            "email": address.typed(),
            "pause": span(app.config.subscriptions.confirm_pause_minutes, "minute"),
        }),
    )
}

/// The address and the consent text agreed to, or the form to show again.
async fn judge(
    app: &App,
    newsletter: &Newsletter,
    current: &ConsentText,
    form: &RawForm,
) -> Result<Result<(EmailAddress, ConsentText), Filled>, Problem> {
    let typed = form.one("email")?.unwrap_or_default().to_owned();
    let agreed = match form.one("consent")? {
        Some(given) => agreed(app, newsletter, current, given).await?,
        None => None,
    };
    // Never show the box ticked beside a consent text that this reader has not seen: a cached page may show an older
    // one.
    let outdated = agreed.as_ref().is_some_and(|text| text.id != current.id);
    let mut filled = Filled {
        email: typed,
        consent_ticked: agreed.is_some() && !outdated,
        ..Filled::default()
    };

    let address = EmailAddress::from_typed(&filled.email);
    if let Err(refused) = &address {
        filled.email_error = Some(refused.to_string());
    }
    if agreed.is_none() {
        filled.consent_error = Some("Tick the box to agree.".to_owned());
    } else if outdated && address.is_err() {
        // Agreeing to an older text is valid as long as nothing else is wrong; if the form is shown again, it asks for
        // agreement to the present text.
        filled.consent_error =
            Some("The wording has changed. Please read it and tick the box again.".to_owned());
    }
    // Only if nothing else is wrong: however fast it was sent, an incomplete form has to be completed first.
    let complete = address.is_ok() && agreed.is_some();
    if complete && !form_time_is_human(app, form.one("form_time")?) {
        filled.form_error = Some("That was very fast. Press the button once more.".to_owned());
    }
    Ok(match (address, agreed, &filled.form_error) {
        (Ok(address), Some(consent), None) => Ok((address, consent)),
        _ => Err(filled),
    })
}

/// A newsletter and the consent text that its form shows.
async fn find(app: &App, slug: &str) -> Result<(Newsletter, ConsentText), Problem> {
    let db = app.db.read();
    let newsletter = newsletters::by_slug(db, slug)
        .await?
        .ok_or_else(Problem::not_found)?;
    let consent = newsletters::current_consent(db, newsletter.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok((newsletter, consent))
}

/// The consent text that was agreed to: the version that the form was rendered with, which may not be the present one,
/// or the present one if a publisher's own form says only yes. `None` if the box was not ticked.
pub async fn agreed(
    app: &App,
    newsletter: &Newsletter,
    current: &ConsentText,
    given: &str,
) -> Result<Option<ConsentText>, Problem> {
    if is_current(given, current.version) {
        return Ok(Some(current.clone()));
    }
    let Ok(version) = given.trim().parse() else {
        return Ok(None);
    };
    Ok(consent_texts::by_version(app.db.read(), newsletter.id, version).await?)
}

/// Whether a form's value for the box agrees to the present consent text, which is that of `version`.
#[must_use]
pub fn is_current(given: &str, version: i64) -> bool {
    let given = given.trim();
    given == version.to_string() || matches!(given, "on" | "yes" | "true")
}

/// Whether a person can have filled the form in that fast. A form without a time is accepted: it is embedded or cached
/// by a site.
fn form_time_is_human(app: &App, given: Option<&str>) -> bool {
    let Some(given) = given.filter(|text| !text.is_empty()) else {
        return true;
    };
    let shown = app
        .keys
        .open(Purpose::FormTime, given)
        .ok()
        .and_then(|bytes| unpack(&bytes));
    shown.is_some_and(|[shown]| app.clock.now().since(UnixMillis(shown)) >= FASTEST_FORM)
}

/// The page that contained the form, without its query, which may be personal.
fn page_of(app: &App, headers: &HeaderMap, slug: &str) -> String {
    let referer = headers
        .get(REFERER)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let referer = referer.split(['?', '#']).next().unwrap_or_default();
    if referer.starts_with("https://") || referer.starts_with("http://") {
        referer.to_owned()
    } else {
        format!("{}/subscribe/{slug}", app.config.origin())
    }
}

fn form_page(
    app: &App,
    status: StatusCode,
    newsletter: &Newsletter,
    consent: &ConsentText,
    filled: &Filled,
) -> Result<Response, Problem> {
    let problems = of_those_wrong([
        ("email", &filled.email_error),
        ("consent", &filled.consent_error),
        ("send", &filled.form_error),
    ]);
    let summary = match problems.len() {
        1 => "One thing needs your attention".to_owned(),
        n => format!("{n} things need your attention"),
    };
    let title = format!("Subscribe to {}", newsletter.name);
    page(
        app,
        status,
        "subscribe",
        &title,
        json!({
            "newsletter": newsletter.name,
            "description": newsletter.description,
            "words_lang": newsletter.language,
            "slug": newsletter.slug,
            "accent_sheet": newsletter.accent_sheet(),
            "consent": consent.body,
            "consent_version": consent.version,
            "consent_ticked": filled.consent_ticked,
            "consent_error": filled.consent_error,
            "email": filled.email,
            "email_error": filled.email_error,
            "problems": problems,
            "summary": summary,
            "form_time": app.keys.seal(Purpose::FormTime, &pack(&[app.clock.now().0])),
        }),
    )
}
