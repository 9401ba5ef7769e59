//! `GET /admin/readers`, and `POST` for a suppressed address that has no reader.

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::list_store::{After, PAGE, Row, Total, Wanted, page, subscriptions, total};
use super::reader::suppression_words;
use super::{STATES, state_words};
use crate::admin::{Editor, EditorForm, show as shown};
use crate::app::App;
use crate::newsletters::{self, Newsletter};
use crate::scheduler::Zone;
use crate::subscriptions::stop_reader::allow_address;
use crate::subscriptions::store::one_reader;

use crate::types::{EmailAddress, Keys, Purpose, ReaderId};
use crate::web::Problem;

/// The query string of the list. Invalid parts are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    newsletter: String,
    state: String,
    after: String,
    done: String,
}

pub async fn show(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    editor: Editor,
) -> Result<Response, Problem> {
    let letters = newsletters::all(app.db.read()).await?;
    let zone = newsletters::home_zone(app.db.read()).await?;
    let wanted = asked.wanted(&letters, &app.keys);
    let mut rows = page(&app.db, &wanted).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let of_readers = subscriptions(&app.db, &rows).await?;
    let total = total(&app.db, &wanted).await?;
    let filtered = asked.is_filtered();
    let listed: Vec<Value> = rows
        .iter()
        .map(|row| {
            let subscriptions = of_readers.get(&row.id).map_or(&[][..], Vec::as_slice);
            json!({
                "id": row.id, "email": row.email, "name": row.name, "since": shown::time(row.since, &zone),
                "subscriptions": subscriptions.iter().map(|(name, code)| {
                    let (state, badge) = state_words(*code);
                    json!({ "newsletter": name, "state": state, "badge": badge })
                }).collect::<Vec<_>>(),
            })
        })
        .collect();
    let never = never_mailed(&app, &asked, &rows, &zone).await?;
    let notice = (asked.done == "allowed")
        .then_some("This address can be mailed again, once its owner subscribes.");
    let next = rows
        .last()
        .filter(|_| more)
        .map(|last| asked.turned(&cursor(&app.keys, &wanted, last)));
    let context = json!({
        "frame": editor.frame_saying(notice),
        "never": never,
        "total": total_words(total, filtered),
        "filter": { "q": asked.q.trim() },
        "filtered": filtered,
        "newsletters": letters.iter().map(|letter| json!({
            "slug": letter.slug, "name": letter.name, "chosen": letter.slug == asked.newsletter,
        })).collect::<Vec<_>>(),
        "states": STATES.iter().map(|(value, _, label, _)| json!({
            "value": value, "label": label, "chosen": *value == asked.state,
        })).collect::<Vec<_>>(),
        "rows": listed,
        "shown": shown::counted(rows.len() as i64, "reader on this page", "readers on this page"),
        "first": wanted.after.is_some().then(|| asked.turned("")),
        "next": next,
    });
    app.pages.render("readers/list", &context)
}

/// `POST /admin/readers`: lifts the suppression of an address without a reader.
pub async fn allow(
    State(app): State<App>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let Ok(address) = EmailAddress::from_typed(&form.text("allow")?) else {
        return Ok(Redirect::to("/admin/readers").into_response());
    };
    allow_address(&app, &address, editor.id).await?;
    Ok(Redirect::to("/admin/readers?done=allowed").into_response())
}

/// Why the address that was searched for is not mailed, if there is no reader's page to say so: the owner of an address
/// who reports a confirmation as spam never became a reader.
async fn never_mailed(
    app: &App,
    asked: &Asked,
    rows: &[Row],
    zone: &Zone,
) -> Result<Option<Value>, Problem> {
    let Ok(address) = EmailAddress::from_typed(&asked.q) else {
        return Ok(None);
    };
    if rows.iter().any(|row| row.key == address.key()) {
        return Ok(None);
    }
    let hash = app.keys.address_hash(address.key());
    let found = one_reader::suppressed(&app.db, &hash).await?;
    Ok(found.map(|s| {
        json!({ "address": address.typed(), "reason": suppression_words(s.reason), "note": s.note, "at": shown::time(s.at, zone) })
    }))
}

/// The total in words: exact, or a lower bound if counting stopped.
fn total_words(total: Total, filtered: bool) -> String {
    match (filtered, total) {
        (true, Total::MoreThan(n)) => format!("More than {} readers match.", shown::count(n)),
        (true, Total::Exactly(n)) => {
            format!("{}.", shown::counted(n, "reader matches", "readers match"))
        }
        (false, Total::MoreThan(n)) => format!("More than {} readers.", shown::count(n)),
        (false, Total::Exactly(n)) => format!("{}.", shown::counted(n, "reader", "readers")),
    }
}

/// The cursor after `last`. It is encrypted, because an address in a URL would end up in logs.
fn cursor(keys: &Keys, wanted: &Wanted, last: &Row) -> String {
    let place = if wanted.prefix.is_empty() {
        format!("i{}", last.id.0)
    } else {
        format!("k{}", last.key)
    };
    keys.seal(Purpose::Cursor, place.as_bytes())
}

impl Asked {
    fn wanted(&self, letters: &[Newsletter], keys: &Keys) -> Wanted {
        let state = STATES
            .iter()
            .find(|(value, ..)| *value == self.state)
            .map(|(_, state, ..)| *state);
        let chosen = letters
            .iter()
            .filter(|letter| letter.slug == self.newsletter);
        let mut newsletters: Vec<_> = chosen.map(|letter| letter.id).collect();
        if newsletters.is_empty() && state.is_some() {
            newsletters = letters.iter().map(|letter| letter.id).collect();
        }
        let place = keys
            .open(Purpose::Cursor, &self.after)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let after = place.and_then(|place| match place.split_at_checked(1) {
            Some(("i", id)) => id.parse().ok().map(|id| After::Id(ReaderId(id))),
            Some(("k", key)) => Some(After::Key(key.to_owned())),
            _ => None,
        });
        let prefix = self.q.trim().to_lowercase();
        // Keys are ASCII: a search for anything else finds nobody, as it should.
        let prefix: String = prefix
            .chars()
            .filter(|c| !c.is_control())
            .take(254)
            .collect();
        Wanted {
            prefix,
            newsletters,
            state,
            after,
        }
    }

    fn is_filtered(&self) -> bool {
        !(self.q.trim().is_empty() && self.newsletter.is_empty() && self.state.is_empty())
    }

    /// The URL of this list at the page after `after`.
    fn turned(&self, after: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("q", self.q.trim()),
            ("newsletter", &self.newsletter),
            ("state", &self.state),
            ("after", after),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() {
            "/admin/readers".into()
        } else {
            format!("/admin/readers?{query}")
        }
    }
}
