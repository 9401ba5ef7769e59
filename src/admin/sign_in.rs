//! Signing in and out.
//!
//! A wrong password and an unknown address get the same page after the same work. Attempts are limited by network,
//! by account from one network, and, far more loosely, by account alone, whether or not the account exists. An
//! account is identified by its address's key, whatever the spelling.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::editor::{from_our_page, safe_next};
use super::password::Password;
use super::password_hash::HashError;
use super::{EditorForm, session, store};
use crate::app::App;
use crate::types::{EditorId, EmailAddress};
use crate::web::{Client, Problem, RawForm};

/// Where to go after signing in, and what was just done.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct SignInQuery {
    next: String,
    done: String,
}

/// `GET /admin/sign-in`
pub async fn show(
    State(app): State<App>,
    Query(query): Query<SignInQuery>,
) -> Result<Response, Problem> {
    let notice = match query.done.as_str() {
        "out" => Some("You are signed out."),
        _ => None,
    };
    let page = json!({ "next": safe_next(&query.next), "notice": notice });
    app.pages.render("admin/sign_in", &page)
}

/// `POST /admin/sign-in`
pub async fn sign_in(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    form: RawForm,
) -> Result<Response, Problem> {
    from_our_page(&app, &headers)?;
    let (email, next) = (form.line("email")?, form.line("next")?);
    let typed = form.one("password")?.unwrap_or_default();
    app.limits.sign_ins_of_network.check(&client.network())?;
    // A text that is not an address cannot be anybody's account, so there is nothing to guess.
    let account = match EmailAddress::from_typed(&email) {
        Ok(address) => {
            app.limits
                .sign_ins_of_account
                .check(address.key(), &client.network())?;
            store::by_email_key(app.db.read(), address.key()).await?
        }
        Err(_) => None,
    };
    let id = account.as_ref().map(|account| account.id);
    let hash = account.and_then(|account| account.password_hash);
    let right = match Password::typed(typed) {
        Some(password) => app.passwords.verify(password, hash.clone()).await?,
        None => false,
    };
    let token = match id.zip(hash) {
        Some((id, hash)) if right => start(&app, &headers, id, &hash).await?,
        _ => None,
    };
    let Some(token) = token else {
        failed(&app, id);
        let page = json!({ "next": safe_next(&next), "email": email, "failed": true });
        let page = app.pages.render("admin/sign_in", &page)?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    metrics::counter!("canvass_sign_ins_total", "outcome" => "signed_in").increment(1);
    go_with(&app, &token, safe_next(&next))
}

/// Makes guessing visible: counted in the metrics, and logged without what was typed or who typed it. `editor` is
/// the account, if it exists.
fn failed(app: &App, editor: Option<EditorId>) {
    metrics::counter!("canvass_sign_ins_total", "outcome" => "failed").increment(1);
    if let Some(unsaid) = app.limits.told_of_sign_ins.now() {
        let editor = editor.map(|id| id.0);
        tracing::warn!(
            editor,
            unsaid,
            "a sign-in failed: wrong password or unknown account"
        );
    }
}

/// `POST /admin/sign-out`
pub async fn sign_out(
    State(app): State<App>,
    EditorForm { editor, .. }: EditorForm,
) -> Result<Response, Problem> {
    let txn = app.db.write_txn("sign-out").await?;
    store::end_session(&txn, editor.session()).await?;
    txn.commit().await?;
    let mut response = Redirect::to("/admin/sign-in?done=out").into_response();
    if let Some(cookie) = session::no_cookie(&app) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Replaces the browser's session with a new one and returns its token. `None`: the password, whose hash was `hash`, has
/// changed while it was checked, or the account was closed; that has ended all sessions, and this would be one more.
async fn start(
    app: &App,
    headers: &HeaderMap,
    editor: EditorId,
    hash: &str,
) -> Result<Option<String>, Problem> {
    let now = app.clock.now();
    let txn = app.db.write_txn("sign-in").await?;
    if !store::lock_if_unchanged(&app.db, &txn, editor, hash).await? {
        return Ok(None);
    }
    if let Some(before) = session::of_request(app, headers) {
        store::end_session(&txn, &before).await?;
    }
    let token = session::start(app, &txn, editor, now).await?;
    txn.commit().await?;
    Ok(Some(token))
}

/// A response that sets the session cookie and redirects to `next`.
pub(super) fn go_with(app: &App, token: &str, next: &str) -> Result<Response, Problem> {
    let mut response = Redirect::to(next).into_response();
    response
        .headers_mut()
        .insert(SET_COOKIE, session::cookie(app, token)?);
    Ok(response)
}

impl From<HashError> for Problem {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::busy(),
            HashError::Broken(_) => Self::internal(&error),
        }
    }
}
