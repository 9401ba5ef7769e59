//! `/admin/readers/{id}`: one reader, stopping their mails, and erasing them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::state_words;
use crate::admin::{Done, Editor, EditorForm, Frame, show as shown, show::LocalTime};
use crate::app::App;
use crate::mailer::mailing::DeliveryState;
use crate::newsletters;
use crate::polls;
use crate::scheduler::{Zone, written};
use crate::subscriptions::data;
use crate::subscriptions::model::{self, Suppression};
use crate::subscriptions::stop_reader::{Wish, hash_of, stop_reader};
use crate::subscriptions::store::one_reader::{self as store, Consent, Reader, Subscription};
use crate::types::{EmailAddress, ReaderId, UnixMillis};
use crate::web::Problem;
use crate::web::problems::in_order;

type Errors = BTreeMap<&'static str, &'static str>;

/// The fields in the order of the page.
const FIELDS: &[&str] = &["what", "reason", "address"];

/// The input in the forms of the page.
#[derive(Debug, Default)]
struct Typed {
    what: String,
    reason: String,
    /// The address, typed again to confirm an erasure.
    address: String,
}

/// How many mails of a reader's history are shown.
const MAILS: i64 = 30;

/// The source of a consent and the reason of a subscription from an import.
const IMPORT: &str = "import";

/// A consent this shortly before the import of its reader is taken to have the time of the import itself.
const LONGEST_IMPORT: Duration = Duration::from_secs(3_600);

/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

pub async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<Done>,
    editor: Editor,
) -> Result<Response, Problem> {
    let notice = match query.done.as_str() {
        "removed" => Some("Removed. This reader gets no more issues of that newsletter."),
        "suppressed" => Some("This address is never mailed again."),
        "erased" => Some(
            "Erased. All that is left is this row without a name, and a code that keeps the address from being mailed.",
        ),
        "allowed" => Some("This address can be mailed again, once its owner subscribes."),
        _ => None,
    };
    let reader = found(&app, &id).await?;
    reader_page(
        &app,
        editor.frame_saying(notice),
        &reader,
        &Typed::default(),
        &Errors::new(),
    )
    .await
}

/// `POST /admin/readers/{id}/stop`
pub async fn stop(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let reader = found(&app, &id).await?;
    let typed = Typed {
        what: form.text("what")?,
        reason: form.text("reason")?,
        ..Typed::default()
    };
    let reason = &typed.reason;
    let subscriptions = store::subscriptions(&app.db, reader.id).await?;
    let wish = wished(&typed.what, &subscriptions);
    let mut errors = Errors::new();
    if wish.is_none() || reader.erased {
        errors.insert("what", "Choose what to do.");
    }
    if reason.is_empty()
        || reason.chars().any(char::is_control)
        || reason.chars().count() > LONGEST_REASON
    {
        errors.insert(
            "reason",
            "Give a reason, in one line of at most 200 characters.",
        );
    }
    let (Some(wish), true) = (wish, errors.is_empty()) else {
        return reader_page(&app, editor.frame(), &reader, &typed, &errors).await;
    };
    stop_reader(&app, &reader, wish, reason, editor.id).await?;
    let done = match wish {
        Wish::Remove(_) => "removed",
        Wish::Suppress => "suppressed",
        Wish::Allow => "allowed",
    };
    Ok(Redirect::to(&format!("/admin/readers/{}?done={done}", reader.id.0)).into_response())
}

/// `POST /admin/readers/{id}/erase`, confirmed by typing the address again. No reason is asked for, because after the
/// erasure there is no one to keep it with.
pub async fn erase(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let reader = found(&app, &id).await?;
    let typed = Typed {
        address: form.text("address")?,
        ..Typed::default()
    };
    let key = |text: &str| {
        let address = EmailAddress::from_typed(text).ok();
        address.map(|address| address.key().to_owned())
    };
    // An erased reader has no address any more, so a second press succeeds without one.
    if !reader.erased && (typed.address.is_empty() || key(&typed.address) != key(&reader.email)) {
        let wrong = "Type the address of this reader. Nothing was erased.";
        let errors = Errors::from([("address", wrong)]);
        return reader_page(&app, editor.frame(), &reader, &typed, &errors).await;
    }
    data::erase(&app, reader.id).await?;
    Ok(Redirect::to(&format!("/admin/readers/{}?done=erased", reader.id.0)).into_response())
}

/// The choice in the form.
fn wished(what: &str, subscriptions: &[Subscription]) -> Option<Wish> {
    match what {
        "!suppress" => Some(Wish::Suppress),
        "!allow" => Some(Wish::Allow),
        slug => subscriptions
            .iter()
            .find(|s| s.slug == slug)
            .map(|s| Wish::Remove(s.newsletter_id)),
    }
}

async fn found(app: &App, id: &str) -> Result<Reader, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    store::reader(&app.db, ReaderId(id))
        .await?
        .ok_or_else(Problem::not_found)
}

async fn reader_page(
    app: &App,
    frame: Frame,
    reader: &Reader,
    typed: &Typed,
    errors: &Errors,
) -> Result<Response, Problem> {
    let zone = newsletters::home_zone(app.db.read()).await?;
    let at = |instant| shown::time(instant, &zone);
    let subscriptions = store::subscriptions(&app.db, reader.id).await?;
    let suppressed = match hash_of(&app.keys, reader) {
        Some(hash) => store::suppressed(&app.db, &hash).await?,
        None => None,
    };
    let suppressed = suppressed
        .map(|s| json!({ "reason": suppression_words(s.reason), "note": s.note, "at": at(s.at) }));
    let active = model::State::Active.code();
    let stoppable: Vec<Value> = subscriptions
        .iter()
        .filter(|s| s.state == active)
        .map(|s| json!({ "slug": s.slug, "name": s.newsletter, "chosen": s.slug == typed.what }))
        .collect();
    let entered: Vec<(String, UnixMillis)> = subscriptions
        .iter()
        .filter(|s| s.reason == IMPORT)
        .map(|s| (s.newsletter.clone(), s.changed))
        .collect();
    let allows = suppressed.is_some() && stoppable.is_empty();
    let given = store::consents(&app.db, reader.id).await?;
    let subscriptions: Vec<Value> = subscriptions
        .iter()
        .map(|s| {
            let (state, badge) = state_words(s.state);
            let consent = given.iter().find(|c| c.newsletter == s.newsletter && c.withdrawn.is_none());
            let undated = consent.is_some_and(|c| undated(c, reader, &entered));
            let imported = consent.is_some_and(|c| c.source == IMPORT);
            let confirmed = if imported { as_a_file_says(s.confirmed, &zone) } else { at(s.confirmed) };
            json!({ "newsletter": s.newsletter, "state": state, "badge": badge, "undated": undated, "confirmed": confirmed, "changed": at(s.changed), "reason": s.reason })
        })
        .collect();
    let consents: Vec<Value> = given
        .iter()
        .map(|c| {
            let confirmed = if c.source == IMPORT { as_a_file_says(c.confirmed, &zone) } else { at(c.confirmed) };
            json!({
                "newsletter": c.newsletter, "version": c.version, "elsewhere": c.version < 0, "body": c.body, "page": c.page,
                "source": c.source, "imported": c.source == IMPORT, "undated": undated(c, reader, &entered),
                "requested": at(c.requested), "confirmed": confirmed, "withdrawn": c.withdrawn.map(at),
            })
        })
        .collect();
    let linked: Vec<Value> = polls::linked_answers(app, reader.id)
        .await?
        .iter()
        .map(|l| json!({ "slug": l.slug, "answers": l.answers, "words": l.words, "version": l.version, "agreed": at(l.agreed), "linked": at(l.linked) }))
        .collect();
    let mails: Vec<Value> = store::mails(&app.db, reader.id, MAILS)
        .await?
        .iter()
        .map(|m| {
            let (state, badge) = delivery_words(m.state);
            json!({ "subject": m.subject, "state": state, "badge": badge, "at": at(m.at), "attempt": m.attempt })
        })
        .collect();
    let page = json!({
        "frame": frame, "errors": errors, "error_list": in_order(errors, FIELDS), "id": reader.id, "email": reader.email, "name": reader.name, "since": at(reader.since),
        "erased": reader.erased, "suppressed": suppressed, "subscriptions": subscriptions, "stoppable": stoppable,
        "allows": allows, "suppress_chosen": typed.what == "!suppress", "allow_chosen": typed.what == "!allow",
        "form": { "reason": typed.reason, "address": typed.address },
        "consents": consents, "linked": linked, "mails": mails, "mails_shown": MAILS,
    });
    let page = app.pages.render("readers/reader", &page)?;
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok((status, page).into_response())
}

/// Shows a time from an import. A date without a time is stored as midnight UTC, and is shown as a date.
fn as_a_file_says(at: UnixMillis, zone: &Zone) -> LocalTime {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    if at.0 % DAY_MS != 0 {
        return shown::time(at, zone);
    }
    let date = written::date(at.timestamp(), &Zone::utc());
    let iso = written::machine(at.timestamp());
    LocalTime {
        text: date.clone(),
        iso: iso.split('T').next().unwrap_or_default().to_owned(),
        full: date,
    }
}

/// Whether the time of a consent is only that of the import, because the file had none.
fn undated(consent: &Consent, reader: &Reader, entered: &[(String, UnixMillis)]) -> bool {
    // The consent has the time at which the import began; its readers were written while it ran.
    let ran =
        |at: UnixMillis| at >= consent.confirmed && at.since(consent.confirmed) <= LONGEST_IMPORT;
    consent.source == IMPORT
        && (consent.confirmed == consent.kept
            || ran(reader.since)
            || entered
                .iter()
                .any(|(newsletter, at)| *newsletter == consent.newsletter && ran(*at)))
}

pub(super) fn suppression_words(code: i16) -> &'static str {
    const BOUNCE: i16 = Suppression::HardBounce.code();
    const COMPLAINT: i16 = Suppression::Complaint.code();
    const EDITOR: i16 = Suppression::Editor.code();
    match code {
        BOUNCE => "The address no longer exists",
        COMPLAINT => "Its owner reported one of our mails as spam",
        EDITOR => "An editor stopped it",
        _ => "Its owner had everything erased",
    }
}

/// A delivery's state in a word. Nothing is called handed over before the relay has accepted it.
fn delivery_words(code: i16) -> (&'static str, &'static str) {
    match DeliveryState::of(code) {
        Some(DeliveryState::Intent) => ("Being sent", "is-live"),
        Some(DeliveryState::Sent) => ("Handed over", "is-good"),
        Some(DeliveryState::Deferred) => ("Deferred", "is-wait"),
        Some(DeliveryState::Failed) => ("Failed", "is-bad"),
        Some(DeliveryState::Unknown) => ("In doubt", "is-bad"),
        Some(DeliveryState::Skipped) => ("Skipped", "is-neutral"),
        None => ("Unknown", "is-bad"),
    }
}
