//! Readers' own words: none of them appear in a result before an editor approves them.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use data_encoding::HEXLOWER;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::{Editor, EditorForm, show as shown};
use crate::app::App;
use crate::polls::ballots::RulingLog;
use crate::polls::definition;
use crate::polls::model::{Poll, Role};
use crate::polls::words::{self, MAX_WORDS_CHARS, PAGE, Ruling, Wording, cleaned};
use crate::types::OptionId;
use crate::web::{Problem, RawForm};

/// The value in the URL, the label, and the text of an empty tab.
const TABS: [(&str, Ruling, &str, &str); 3] = [
    (
        "waiting",
        Ruling::Waiting,
        "Waiting",
        "Nothing is waiting. What readers write beside this poll appears here first.",
    ),
    (
        "shown",
        Ruling::Shown,
        "Shown",
        "Nothing is shown beside the result yet.",
    ),
    ("hidden", Ruling::Hidden, "Hidden", "Nothing is hidden."),
];

/// The query of the URL; invalid values are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    show: String,
    page: String,
    done: String,
}

/// `GET /admin/polls/{slug}/words`
pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = found(&app, &slug).await?;
    page(&app, &poll, &editor, &asked, None).await
}

/// `POST /admin/polls/{slug}/words`: shows or hides words, or puts them back into the queue.
pub async fn decide(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let poll = found(&app, &slug).await?;
    let (ruling, done) = match form.one("act")? {
        Some("show") => (Ruling::Shown, "shown"),
        Some("hide") => (Ruling::Hidden, "hidden"),
        Some("wait") => (Ruling::Waiting, "waiting"),
        _ => return Err(Problem::bad_request("Choose what to do with the words.")),
    };
    let tab = form.text("show")?;
    let asked = Asked {
        show: tab.clone(),
        ..Asked::default()
    };
    let chosen = match chosen(&poll, &form) {
        Ok(chosen) if !chosen.is_empty() => chosen,
        Ok(_) => {
            let error = Some("Choose at least one line first.");
            return page(&app, &poll, &editor, &asked, error).await;
        }
        Err(problem) => return Err(problem),
    };
    let text = match cleaned(form.one("shown")?.unwrap_or_default()) {
        Ok(text) => text,
        Err(_) => {
            let error = Some("Write at most 120 characters in one line.");
            return page(&app, &poll, &editor, &asked, error).await;
        }
    };
    let text = (!text.is_empty()).then_some(text.as_str());
    let txn = app.db.write_txn("rule-words").await?;
    let log = RulingLog::open(&app.db, &txn, app.slot, poll.id).await?;
    let now = app.clock.now();
    let mut ruled = Vec::with_capacity(chosen.len());
    for (option, key) in chosen {
        let words = (option, key.as_slice());
        let shown = words::rule(&txn, now, editor.id, poll.id, words, ruling, text).await?;
        ruled.push((option, key, shown.ok_or_else(Problem::not_found)?));
    }
    log.close(&app.db, &txn, now, &ruled).await?;
    txn.commit().await?;
    app.polls.live.touch(std::iter::once(poll.id));
    let tab = if TABS.iter().any(|(name, ..)| *name == tab) {
        tab
    } else {
        "waiting".to_owned()
    };
    Ok(Redirect::to(&format!("/admin/polls/{slug}/words?show={tab}&done={done}")).into_response())
}

/// The ticked words: `KEY.HASH`, the key of an option of this poll and the hash of the words.
fn chosen(poll: &Poll, form: &RawForm) -> Result<Vec<(OptionId, Vec<u8>)>, Problem> {
    form.all("words")
        .map(|raw| {
            let (key, hash) = raw.split_once('.')?;
            let option = poll
                .option(key.parse().ok()?)
                .filter(|o| o.role == Role::Words)?;
            let hash = HEXLOWER
                .decode(hash.as_bytes())
                .ok()
                .filter(|h| h.len() == 16)?;
            Some((option.id, hash))
        })
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Problem::bad_request("These are not answers to this poll."))
}

async fn found(app: &App, slug: &str) -> Result<Poll, Problem> {
    definition::by_slug(&app.db, slug)
        .await?
        .filter(|poll| poll.options().any(|option| option.role == Role::Words))
        .ok_or_else(Problem::not_found)
}

async fn page(
    app: &App,
    poll: &Poll,
    editor: &Editor,
    asked: &Asked,
    error: Option<&str>,
) -> Result<Response, Problem> {
    let tab = TABS.iter().find(|(name, ..)| *name == asked.show);
    let (name, ruling, _, empty) = *tab.unwrap_or(&TABS[0]);
    let at = asked.page.parse::<i64>().unwrap_or(1).clamp(1, 1_000_000);
    let words = words::list(&app.db, poll.id, ruling, at).await?;
    let first = (at - 1) * PAGE + 1;
    let numbers = words::numbers(&app.db, poll.id).await?;
    let total = numbers[match ruling {
        Ruling::Waiting => 0,
        Ruling::Shown => 1,
        Ruling::Hidden => 2,
    }];
    let here = format!("/admin/polls/{}/words", poll.slug);
    let notice = match asked.done.as_str() {
        "shown" => Some("They are now shown in the result."),
        "hidden" => Some("They are hidden. The ballots count as before."),
        "waiting" => Some("They are waiting again and are not shown."),
        _ => None,
    };
    let tabs: Vec<Value> = TABS
        .iter()
        .zip(numbers)
        .map(|((value, _, label, _), n)| {
            json!({ "href": format!("{here}?show={value}"), "label": label, "count": shown::count(n), "current": *value == name })
        })
        .collect();
    let several = poll.options().filter(|o| o.role == Role::Words).count() > 1;
    let context = json!({
        "frame": editor.frame_saying(notice),
        "slug": poll.slug, "question": poll.headline(), "here": here, "tab": name, "tabs": tabs, "empty": empty, "error": error,
        "rows": words.iter().map(|words| row(poll, words, several)).collect::<Vec<_>>(),
        "known": words::shown_texts(&app.db, poll.id).await?,
        "most": MAX_WORDS_CHARS,
        "can_show": ruling != Ruling::Shown, "can_rename": ruling == Ruling::Shown,
        "can_hide": ruling != Ruling::Hidden, "can_wait": ruling != Ruling::Waiting,
        "range": (total > PAGE).then(|| format!("{first} to {} of {}", first - 1 + words.len() as i64, shown::count(total))),
        "previous": (at > 1).then(|| format!("{here}?show={name}&page={}", at - 1)),
        "next": (at * PAGE < total).then(|| format!("{here}?show={name}&page={}", at + 1)),
    });
    let page = app.pages.render("polls/admin_words", &context)?;
    let status = if error.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    Ok((status, page).into_response())
}

fn row(poll: &Poll, words: &Wording, several: bool) -> Value {
    let key = poll.keys(&[words.option]).first().copied().unwrap_or(0);
    let hash = HEXLOWER.encode(&words.key);
    json!({
        "value": format!("{key}.{hash}"), "id": format!("w{key}-{hash}"),
        "written": words.written, "count": shown::count(words.n),
        "shown": (words.shown != words.written && !words.shown.is_empty()).then_some(&words.shown),
        "option": several.then(|| poll.labels(&[words.option]).concat()),
    })
}
