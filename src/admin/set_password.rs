//! Choosing a password by a set-up link, and changing it later.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::editor::from_our_page;
use super::password::Password;
use super::sign_in::go_with;
use super::store::InviteRow;
use super::{Editor, EditorForm, session, store};
use crate::app::App;
use crate::types::UnixMillis;
use crate::types::token::token_hash;
use crate::web::{Client, Problem, RawForm};

type Errors = BTreeMap<&'static str, String>;

/// `GET /admin/set-password/{token}`
pub async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    match usable(
        store::invite(app.db.read(), &token_hash(&token)).await?,
        app.clock.now(),
    ) {
        Ok(invite) => form_page(&app, &invite.email, &Errors::new()),
        Err(gone) => gone_page(&app, gone),
    }
}

/// `POST /admin/set-password/{token}`
pub async fn set(
    State(app): State<App>,
    Path(token): Path<String>,
    client: Client,
    headers: HeaderMap,
    form: RawForm,
) -> Result<Response, Problem> {
    from_our_page(&app, &headers)?;
    app.limits.sign_ins_of_network.check(&client.network())?;
    let token = token_hash(&token);
    let now = app.clock.now();
    let invite = match usable(store::invite(app.db.read(), &token).await?, now) {
        Ok(invite) => invite,
        Err(gone) => return gone_page(&app, gone),
    };
    let password = match chosen(&form, &invite.email)? {
        Ok(password) => password,
        Err(errors) => return form_page(&app, &invite.email, &errors),
    };
    let hash = app.passwords.hash(password, &app.random).await?;
    let txn = app.db.write_txn("set-password").await?;
    if !store::use_invite(&txn, &token, now).await? {
        return gone_page(&app, Gone::Used);
    }
    store::set_password(&txn, invite.editor, &hash, now).await?;
    let session = session::start(&app, &txn, invite.editor, now).await?;
    txn.commit().await?;
    go_with(&app, &session, "/admin")
}

/// `GET /admin/password`
pub async fn show_change(State(app): State<App>, editor: Editor) -> Result<Response, Problem> {
    app.pages
        .render("admin/change_password", &json!({ "frame": editor.frame() }))
}

/// `POST /admin/password`
pub async fn change(
    State(app): State<App>,
    client: Client,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    app.limits.sign_ins_of_account.check(
        // We stored this address ourselves, so its key is simply its lower case.
        &editor.email.to_ascii_lowercase(),
        &client.network(),
    )?;
    let account = store::by_id(app.db.read(), editor.id).await?;
    let typed = Password::typed(form.one("current")?.unwrap_or_default());
    let current = account.and_then(|account| account.password_hash);
    let right = match (typed, &current) {
        (Some(typed), Some(hash)) => app.passwords.verify(typed, Some(hash.clone())).await?,
        _ => false,
    };
    let (password, current) = match (chosen(&form, &editor.email)?, current) {
        (Ok(password), Some(current)) if right => (password, current),
        (result, _) => {
            return change_again(&app, &editor, right, result.err().unwrap_or_default());
        }
    };
    let hash = app.passwords.hash(password, &app.random).await?;
    let now = app.clock.now();
    let txn = app.db.write_txn("change-password").await?;
    if !store::lock_if_unchanged(&app.db, &txn, editor.id, &current).await? {
        // Another change came first, and it has ended this session.
        return change_again(&app, &editor, false, Errors::new());
    }
    store::set_password(&txn, editor.id, &hash, now).await?;
    let session = session::start(&app, &txn, editor.id, now).await?;
    txn.commit().await?;
    go_with(&app, &session, "/admin/settings?done=password")
}

fn change_again(
    app: &App,
    editor: &Editor,
    right: bool,
    mut errors: Errors,
) -> Result<Response, Problem> {
    if !right {
        errors.insert("current", "That is not your current password.".into());
    }
    let page = json!({ "frame": editor.frame(), "errors": errors });
    let page = app.pages.render("admin/change_password", &page)?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// The new password, which was typed twice, or the errors by field.
fn chosen(form: &RawForm, email: &str) -> Result<Result<Password, Errors>, Problem> {
    let (typed, again) = (
        form.one("password")?.unwrap_or_default(),
        form.one("again")?.unwrap_or_default(),
    );
    let mut errors = Errors::new();
    let password = Password::choose(typed, email);
    if let Err(refused) = &password {
        errors.insert("password", refused.to_string());
    } else if typed != again {
        errors.insert("again", "The two passwords are not the same.".into());
    }
    Ok(match password {
        Ok(password) if errors.is_empty() => Ok(password),
        _ => Err(errors),
    })
}

/// Why a link cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    Used,
    Expired,
}

/// An unknown link gets the same answer as an expired one.
fn usable(invite: Option<InviteRow>, now: UnixMillis) -> Result<InviteRow, Gone> {
    match invite {
        Some(InviteRow { used: Some(_), .. }) => Err(Gone::Used),
        Some(invite) if invite.expires > now => Ok(invite),
        _ => Err(Gone::Expired),
    }
}

fn form_page(app: &App, email: &str, errors: &Errors) -> Result<Response, Problem> {
    let page = app.pages.render(
        "admin/set_password",
        &json!({ "email": email, "errors": errors }),
    )?;
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok((status, page).into_response())
}

fn gone_page(app: &App, gone: Gone) -> Result<Response, Problem> {
    let (heading, text) = match gone {
        Gone::Used => (
            "This link has already been used",
            "It has set a password, and it works only once. If it was you, sign in with the password you chose.",
        ),
        Gone::Expired => (
            "This link no longer works",
            "Set-up links work for three days, and a newer one replaces an older one.",
        ),
    };
    let page = app.pages.render(
        "admin/invite_gone",
        &json!({ "heading": heading, "text": text }),
    )?;
    Ok((StatusCode::GONE, page).into_response())
}
