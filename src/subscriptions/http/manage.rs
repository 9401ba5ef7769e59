//! `/manage/{token}`: what a reader receives, and how we call them.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::{page, unknown_link};
use crate::app::App;
use crate::scheduler::Zone;
use crate::subscriptions::data;
use crate::subscriptions::links;
use crate::subscriptions::preferences::{self, Change, Preferences};
use crate::subscriptions::reader_name::ReaderName;
use crate::types::ReaderId;
use crate::web::{Problem, RawForm, press};

const MAILED: &str = "Look into your inbox: a mail leads to all that we keep about you. Only a few such mails leave in a day; if none comes, ask again tomorrow.";
const TAKEN_BACK: &str =
    "Taken back. Your answer stays counted, and is not kept with your address any more.";
const BROKEN: &str = "It may be cut off. Nothing was changed.";

/// What stands in the form, and what is wrong with it.
#[derive(Default)]
struct Filled {
    name: String,
    time_zone: String,
    /// The newsletters whose box is empty.
    unticked: Vec<String>,
    /// The newsletters that were all left just now, which can be undone.
    left: Vec<String>,
    name_error: Option<String>,
    time_zone_error: Option<String>,
}

/// `GET`
pub async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    match links::open_manage(&app.keys, &token) {
        Some(reader) => as_stored(&app, &token, reader, None).await,
        None => unknown_link(&app, BROKEN),
    }
}

/// `POST`
pub async fn submit(
    State(app): State<App>,
    Path(token): Path<String>,
    form: RawForm,
) -> Result<Response, Problem> {
    let Some(reader) = links::open_manage(&app.keys, &token) else {
        return unknown_link(&app, BROKEN);
    };
    let Some(preferences) = preferences::look(&app, reader).await? else {
        return unknown_link(&app, BROKEN);
    };
    let back: Vec<String> = form.all("back").map(str::to_owned).collect();
    if !press::is_by_a_person(&form)? {
        let filled = Filled {
            left: back,
            ..Filled::of(&preferences)
        };
        return show_form(&app, &token, &preferences, &filled, Shown::ByAProgram);
    }
    if form.one("action")? == Some("undo-all") {
        let said = match preferences::undo_all(&app, reader, &back).await? {
            true => "Your mails keep coming.",
            false => "That was too long ago to be undone. Subscribe again, below.",
        };
        return as_stored(&app, &token, reader, Some(said)).await;
    }
    let stored = Filled::of(&preferences);
    let mut filled = Filled {
        // What a form does not send stays as it is: only an empty field empties anything.
        name: form.one("name")?.unwrap_or(&stored.name).to_owned(),
        time_zone: form
            .one("time_zone")?
            .unwrap_or(&stored.time_zone)
            .trim()
            .to_owned(),
        // Only what the form listed can be left by leaving its box empty: a subscription confirmed since then is not.
        unticked: form
            .all("listed")
            .filter(|slug| !form.all("keep").any(|kept| kept == *slug))
            .map(str::to_owned)
            .collect(),
        ..Filled::default()
    };
    // Buttons of other things in the same form: what was typed beside them stays.
    let done = if form.one("action")? == Some("leave-all") {
        filled.left = preferences::leave_all(&app, reader).await?;
        Some("All mails are stopped.")
    } else if form.one("action")? == Some("data") {
        data::mail_link(&app, reader).await?;
        Some(MAILED)
    } else if let Some(poll) = form.one("take_back")? {
        preferences::take_back(&app, reader, poll).await?;
        Some(TAKEN_BACK)
    } else {
        None
    };
    if let Some(said) = done {
        let Some(preferences) = preferences::look(&app, reader).await? else {
            return unknown_link(&app, BROKEN);
        };
        return show_form(&app, &token, &preferences, &filled, Shown::Saved(said));
    }
    let name = ReaderName::parse(&filled.name)
        .map_err(|refused| filled.name_error = Some(refused.to_string()));
    let time_zone = match filled.time_zone.as_str() {
        "" => Ok(None),
        text => Zone::parse(text).map(Some).map_err(|_| {
            filled.time_zone_error = Some(
                "This is no time zone. Use a name like Europe/Vienna or America/New_York."
                    .to_owned(),
            );
        }),
    };
    let (Ok(name), Ok(time_zone)) = (name, time_zone) else {
        return show_form(&app, &token, &preferences, &filled, Shown::AsItIs);
    };
    let leave = preferences
        .active
        .iter()
        .filter(|s| filled.unticked.contains(&s.slug))
        .map(|s| s.newsletter)
        .collect();
    preferences::change(
        &app,
        reader,
        &Change {
            name,
            time_zone,
            leave,
        },
    )
    .await?;
    as_stored(&app, &token, reader, Some("Your changes are saved.")).await
}

async fn as_stored(
    app: &App,
    token: &str,
    reader: ReaderId,
    saved: Option<&str>,
) -> Result<Response, Problem> {
    let Some(preferences) = preferences::look(app, reader).await? else {
        return unknown_link(app, BROKEN);
    };
    let filled = Filled::of(&preferences);
    let shown = saved.map_or(Shown::AsItIs, Shown::Saved);
    show_form(app, token, &preferences, &filled, shown)
}

impl Filled {
    fn of(preferences: &Preferences) -> Self {
        Self {
            name: preferences.reader.name.clone(),
            time_zone: preferences.reader.time_zone.clone().unwrap_or_default(),
            ..Self::default()
        }
    }
}

/// Why the form is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown<'s> {
    AsItIs,
    Saved(&'s str),
    /// A script sent it.
    ByAProgram,
}

fn show_form(
    app: &App,
    token: &str,
    preferences: &Preferences,
    filled: &Filled,
    shown: Shown<'_>,
) -> Result<Response, Problem> {
    let saved = match shown {
        Shown::Saved(words) => Some(words),
        _ => None,
    };
    let problems: Vec<Value> = [
        ("name", &filled.name_error),
        ("time_zone", &filled.time_zone_error),
    ]
    .into_iter()
    .filter_map(|(field, error)| {
        error
            .as_ref()
            .map(|message| json!({ "field": field, "message": message }))
    })
    .collect();
    let status = if shown == Shown::ByAProgram {
        StatusCode::CONFLICT
    } else if problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let entry = |slug: &str, name: &str| json!({ "slug": slug, "name": name });
    page(
        app,
        status,
        "manage",
        "What you receive",
        json!({
            "token": token,
            "accent_sheet": preferences.accent_sheet,
            "email": preferences.reader.email,
            "active": preferences.active.iter().map(|s| json!({ "slug": s.slug, "name": s.name, "keep": !filled.unticked.contains(&s.slug) })).collect::<Vec<_>>(),
            "others": preferences.others.iter().map(|n| entry(&n.slug, &n.name)).collect::<Vec<_>>(),
            // Not what was answered: this page can be reached from a mail that was forwarded.
            "linked": preferences.linked.iter().map(|l| json!({ "poll": l.slug, "question": l.question, "words": l.words })).collect::<Vec<_>>(),
            "name": filled.name,
            "name_error": filled.name_error,
            "time_zone": filled.time_zone,
            "time_zone_error": filled.time_zone_error,
            "zones": Zone::names(),
            "problems": problems,
            "summary": "Please look at this again",
            "saved": saved,
            "left": filled.left,
            "ask_person": shown == Shown::ByAProgram,
            "again": press::AGAIN,
        }),
    )
}
