//! The extractors for handlers of editors' pages: [`Editor`], a signed-in person, and [`EditorForm`], a form that
//! this editor's own browser sent from our own page.

use std::borrow::Cow;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::{session, store};
use crate::app::App;
use crate::config::Transport;
use crate::db::DbErr;
use crate::types::EditorId;
use crate::web::{Problem, RawForm, origin, uploads};

/// A signed-in editor.
#[derive(Clone, Debug)]
pub struct Editor {
    pub id: EditorId,
    pub email: String,
    pub name: String,
    csrf: String,
    session: Vec<u8>,
    /// Whether mails stay in the built-in mailbox.
    mailbox: bool,
}

/// The data of the frame around every editors' page; passed as `frame` in a page's data.
#[derive(Clone, Debug, Serialize)]
pub struct Frame {
    editor: String,
    csrf: String,
    notice: Option<Cow<'static, str>>,
    /// Whether mails stay in the built-in mailbox, to which the navigation then links.
    mailbox: bool,
}

/// A submitted form whose sender is signed in, that came from our own page, and that carries the CSRF token of this
/// session.
#[derive(Clone, Debug)]
pub struct EditorForm {
    pub editor: Editor,
    pub form: RawForm,
}

impl Editor {
    /// The frame's data.
    #[must_use]
    pub fn frame(&self) -> Frame {
        Frame {
            editor: self.email.clone(),
            csrf: self.csrf.clone(),
            notice: None,
            mailbox: self.mailbox,
        }
    }

    /// The frame's data, with a notice of what was just done.
    #[must_use]
    pub fn frame_saying(&self, notice: Option<impl Into<Cow<'static, str>>>) -> Frame {
        Frame {
            notice: notice.map(Into::into),
            ..self.frame()
        }
    }

    /// Whether this session still lasts: for responses that go on after the request.
    ///
    /// # Errors
    /// The database failed.
    pub async fn is_still_signed_in(&self, app: &App) -> Result<bool, DbErr> {
        let account = store::of_session(app.db.read(), &self.session, app.clock.now());
        Ok(account.await?.is_some())
    }

    /// The hash of this session's token.
    pub(super) fn session(&self) -> &[u8] {
        &self.session
    }
}

impl FromRequestParts<App> for Editor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let editor = signed_in(app, &parts.headers).await;
        editor
            .map_err(Problem::into_response)?
            .ok_or_else(|| not_signed_in(&parts.method, &parts.uri))
    }
}

/// The editor whose session the request carries, if it has not ended.
async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Option<Editor>, Problem> {
    let Some(session) = session::of_request(app, headers) else {
        return Ok(None);
    };
    let account = store::of_session(app.db.read(), &session, app.clock.now()).await?;
    Ok(account.map(|account| Editor {
        id: account.id,
        email: account.email,
        name: account.name,
        csrf: session::csrf(&app.keys, &session),
        mailbox: app.config.mail.transport == Transport::Mailbox,
        session,
    }))
}

/// The query parameter with which the redirect after a form says what was just done, for the notice on the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    pub done: String,
}

impl FromRequest<App> for EditorForm {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        from_our_page(app, &parts.headers).map_err(Problem::into_response)?;
        let editor = signed_in(app, &parts.headers)
            .await
            .map_err(Problem::into_response)?;
        let form = RawForm::from_request(Request::from_parts(parts, body), app).await;
        let Some(editor) = editor else {
            // The session may have ended while they wrote, so they get their text back.
            let form = form.unwrap_or_default();
            return Err(signed_out().keeping(&form).into_response());
        };
        let form = form.map_err(Problem::into_response)?;
        of_this_session(app, &editor, &form).map_err(Problem::into_response)?;
        Ok(Self { editor, form })
    }
}

/// Like [`EditorForm`], with files: see [`uploads`].
#[derive(Clone, Debug)]
pub struct EditorUpload {
    pub editor: Editor,
    pub form: RawForm,
    pub files: Vec<uploads::File>,
}

impl FromRequest<App> for EditorUpload {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        from_our_page(app, &parts.headers).map_err(Problem::into_response)?;
        let editor = Editor::from_request_parts(&mut parts, app).await?;
        let (form, files) = uploads::read(Request::from_parts(parts, body), app)
            .await
            .map_err(Problem::into_response)?;
        of_this_session(app, &editor, &form).map_err(Problem::into_response)?;
        Ok(Self {
            editor,
            form,
            files,
        })
    }
}

/// Refuses a form that did not come from our own page. Browsers always send the origin of a POST, so a request
/// without one is refused too.
///
/// # Errors
/// A 403.
pub fn from_our_page(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    match origin::of(headers, &app.config.origin(), &[]) {
        origin::From::Ours => Ok(()),
        _ => Err(Problem::wrong_origin()),
    }
}

/// Refuses a form without the CSRF token of its sender's session.
fn of_this_session(app: &App, editor: &Editor, form: &RawForm) -> Result<(), Problem> {
    let token = form.one("csrf")?.unwrap_or_default();
    if session::csrf_matches(&app.keys, &editor.session, token) {
        Ok(())
    } else {
        Err(stale_form().keeping(form))
    }
}

/// For `GET`, redirects to the sign-in page and back afterwards. A submitted form gets an error that says nothing
/// was saved.
fn not_signed_in(method: &Method, uri: &Uri) -> Response {
    if matches!(*method, Method::GET | Method::HEAD) {
        let back = uri.path_and_query().map_or("/admin", |p| p.as_str());
        let back = utf8_percent_encode(back, NON_ALPHANUMERIC);
        return Redirect::to(&format!("/admin/sign-in?next={back}")).into_response();
    }
    signed_out().into_response()
}

fn signed_out() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "signed-out",
        "You are signed out",
        "Nothing was saved. Sign in again to go on.",
    )
}

fn stale_form() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "stale-form",
        "This form is from an earlier sign-in",
        "Nothing was saved. Open the page again to go on.",
    )
}

/// The address to go to after signing in: `next` if it is an editors' page of ours, otherwise the overview.
#[must_use]
pub fn safe_next(next: &str) -> &str {
    let inside = next == "/admin" || next.starts_with("/admin/") || next.starts_with("/admin?");
    let plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let loops = next.starts_with("/admin/sign-");
    if inside && plain && !loops {
        next
    } else {
        "/admin"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_our_own_pages_only() {
        for good in ["/admin", "/admin/polls?state=open", "/admin?done=1"] {
            assert_eq!(safe_next(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "https://evil.example/admin/",
            "/\\evil.example",
            "/adminx",
            "/admin/\r\nx: y",
            "/admin/sign-in?next=/admin",
            "/p/trust",
        ] {
            assert_eq!(safe_next(bad), "/admin", "{bad}");
        }
    }
}
