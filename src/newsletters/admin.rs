//! The settings: newsletters, editors, the editor's own account.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::language;
use super::model::{DEFAULT_ACCENT, Draft, FieldErrors, Newsletter, Typed};
use super::store::{self, Created};
use crate::admin::{self, Done, Editor, EditorForm, Frame, show};
use crate::app::App;
use crate::scheduler::Zone;
use crate::web::problems::in_order;
use crate::web::{Problem, RawForm};

/// Why an outdated form is not saved.
const CHANGED: &str = "Somebody else changed this newsletter while you were editing it, so your version was not saved.";

/// `GET /admin/settings`
pub async fn settings(
    State(app): State<App>,
    Query(query): Query<Done>,
    editor: Editor,
) -> Result<Response, Problem> {
    let notice = match query.done.as_str() {
        "created" => Some(
            "The newsletter has been created. Readers can subscribe to it on its sign-up page, linked below.",
        ),
        "saved" => Some("The newsletter is saved."),
        "password" => Some("Your password has been changed. You are signed out everywhere else."),
        _ => None,
    };
    let mut newsletters = Vec::new();
    for letter in store::all(app.db.read()).await? {
        let consent = store::current_consent(app.db.read(), letter.id).await?;
        newsletters.push(json!({
            "slug": letter.slug, "name": letter.name, "from_name": letter.from_name,
            "from_address": letter.from_address, "time_zone": letter.time_zone,
            "consent_version": consent.map(|text| text.version),
        }));
    }
    let editors = admin::list(app.db.read(), app.clock.now()).await?;
    let editors: Vec<Value> = editors.iter().map(editor_row).collect();
    let page = json!({ "frame": editor.frame_saying(notice), "newsletters": newsletters, "editors": editors });
    app.pages.render("newsletters/settings", &page)
}

fn editor_row(editor: &admin::Listed) -> Value {
    let (state, badge) = match editor {
        admin::Listed { disabled: true, .. } => ("Closed", "is-bad"),
        admin::Listed {
            has_password: false,
            ..
        } => ("Invited", "is-wait"),
        _ => ("Active", "is-good"),
    };
    json!({
        "name": editor.name, "email": editor.email, "state": state, "badge": badge,
        "sessions": show::count(editor.sessions),
    })
}

/// `GET /admin/newsletters/new`
pub async fn show_new(State(app): State<App>, editor: Editor) -> Result<Response, Problem> {
    let typed = Typed {
        time_zone: store::home_zone(app.db.read()).await?.name().to_owned(),
        language: "en".to_owned(),
        accent: DEFAULT_ACCENT.to_owned(),
        archive: true,
        ..Typed::default()
    };
    form_page(&app, editor.frame(), None, &typed, &FieldErrors::new()).await
}

/// `POST /admin/newsletters`
pub async fn create(
    State(app): State<App>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let typed = read(&form)?;
    let draft = match typed.check() {
        Ok(draft) => draft,
        Err(errors) => return form_page(&app, editor.frame(), None, &typed, &errors).await,
    };
    let txn = app.db.write_txn("create-newsletter").await?;
    match store::create(&txn, &draft, app.clock.now()).await? {
        Created::New(_) => {
            txn.commit().await?;
            Ok(Redirect::to("/admin/settings?done=created").into_response())
        }
        Created::SlugTaken => {
            drop(txn);
            if is_stored(&app, &draft).await? {
                // A second click on the button.
                return Ok(Redirect::to("/admin/settings?done=created").into_response());
            }
            let errors = FieldErrors::from([(
                "slug",
                "Another newsletter has this name in links.".to_owned(),
            )]);
            form_page(&app, editor.frame(), None, &typed, &errors).await
        }
    }
}

/// Whether the newsletter of this name is exactly as this draft.
async fn is_stored(app: &App, draft: &Draft) -> Result<bool, Problem> {
    let letter = found(app, draft.slug.as_str()).await?;
    // Dropped, and with it what it has changed.
    let txn = app.db.write_txn("create-newsletter").await?;
    Ok(store::save(&txn, letter.id, "", draft, app.clock.now()).await?)
}

/// `GET /admin/newsletters/{slug}`
pub async fn show_edit(
    State(app): State<App>,
    Path(slug): Path<String>,
    editor: Editor,
) -> Result<Response, Problem> {
    let letter = found(&app, &slug).await?;
    let consent = store::current_consent(app.db.read(), letter.id).await?;
    let typed = Typed::of(&letter, consent);
    form_page(
        &app,
        editor.frame(),
        Some((&letter, typed.revision().as_str())),
        &typed,
        &FieldErrors::new(),
    )
    .await
}

/// `POST /admin/newsletters/{slug}`
pub async fn save(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let letter = found(&app, &slug).await?;
    let revision = form.text("revision")?;
    let typed = Typed {
        slug: letter.slug.clone(),
        ..read(&form)?
    };
    let draft = match typed.check() {
        Ok(draft) => draft,
        Err(errors) => {
            let existing = Some((&letter, revision.as_str()));
            return form_page(&app, editor.frame(), existing, &typed, &errors).await;
        }
    };
    let txn = app.db.write_txn("save-newsletter").await?;
    if !store::save(&txn, letter.id, &revision, &draft, app.clock.now()).await? {
        return Err(Problem::conflict(CHANGED).keeping(&form));
    }
    txn.commit().await?;
    Ok(Redirect::to("/admin/settings?done=saved").into_response())
}

async fn found(app: &App, slug: &str) -> Result<Newsletter, Problem> {
    store::by_slug(app.db.read(), slug)
        .await?
        .ok_or_else(Problem::not_found)
}

fn read(form: &RawForm) -> Result<Typed, Problem> {
    Ok(Typed {
        slug: form.text("slug")?,
        name: form.text("name")?,
        description: form.text("description")?,
        from_name: form.text("from_name")?,
        from_address: form.text("from_address")?,
        reply_to: form.text("reply_to")?,
        postal_address: form.text("postal_address")?,
        postal_address_can_wait: false,
        time_zone: form.text("time_zone")?,
        language: form.text("language")?,
        accent: form.text("accent")?,
        consent: form.text("consent")?,
        archive: form.ticked("archive")?,
    })
}

/// The fields in the order of the form.
const FIELDS: &[&str] = &[
    "name",
    "slug",
    "description",
    "from_name",
    "from_address",
    "reply_to",
    "postal_address",
    "time_zone",
    "language",
    "accent",
    "consent",
];

/// `existing` is the stored newsletter, and the revision that what was typed is based on.
async fn form_page(
    app: &App,
    frame: Frame,
    existing: Option<(&Newsletter, &str)>,
    typed: &Typed,
    errors: &FieldErrors,
) -> Result<Response, Problem> {
    let mut page = json!({
        "frame": frame, "form": typed, "errors": errors, "zones": Zone::names(),
        "error_list": in_order(errors, FIELDS),
        "languages": language::OFFERED.iter().map(|(tag, name)| json!({ "tag": tag, "name": name })).collect::<Vec<_>>(),
        "heading": "New newsletter", "action": "/admin/newsletters", "submit": "Create the newsletter",
        "consent_hint": "The exact words beside the box readers tick. They are kept as evidence.",
    });
    if let Some((letter, revision)) = existing {
        let zone = Zone::parse(&letter.time_zone).unwrap_or_else(|_| Zone::utc());
        let versions = store::consent_versions(app.db.read(), letter.id).await?;
        let versions: Vec<Value> = versions
            .iter()
            .map(|(text, at)| json!({ "version": text.version, "elsewhere": text.version < 0, "body": text.body, "created": show::time(*at, &zone) }))
            .collect();
        page["existing"] = letter.slug.as_str().into();
        page["revision"] = revision.into();
        page["heading"] = letter.name.as_str().into();
        page["action"] = format!("/admin/newsletters/{}", letter.slug).into();
        page["submit"] = "Save the newsletter".into();
        page["consent_hint"] =
            "The exact words beside the box readers tick. Changing them creates a new version; \
            readers who agreed before keep the version they saw."
                .into();
        page["versions"] = versions.into();
    }
    let page = app.pages.render("newsletters/form", &page)?;
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok((status, page).into_response())
}
