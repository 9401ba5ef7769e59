//! `GET /admin/issues/{id}/preview`: the mail itself, filled in by the code that sends it and parsed like in a mail
//! client, as it is at the time at which it goes out. Once the issue was handed over, it is the mail as it was frozen
//! then, whatever has changed since.
//!
//! It is shown in a sandboxed frame and has a content policy of its own: inline styles, as mails need them, but no
//! script, no form and no frame.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};

use super::super::model::IssueState;
use super::super::prepare::prepare;
use super::views::view_of;
use crate::admin::Editor;
use crate::app::App;
use crate::mailer::mailing;
use crate::web::{Problem, RawForm};

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

pub(super) async fn show(
    State(app): State<App>,
    editor: Editor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    let query = RawForm::parse(query.unwrap_or_default().as_bytes())?;
    let view = view_of(&query.line("view")?);
    let (to, name) = (&editor.email, Some(editor.name.as_str()));
    let frozen = match issue.state {
        IssueState::Handed(_) => mailing::frozen(&app, issue.id).await?,
        _ => None,
    };
    let mail = match frozen {
        Some(edition) => mailing::preview(&app, &edition, to, name),
        None => {
            let at = issue.goes_out(app.clock.now());
            let prepared = super::prepared(prepare(&app, &issue, at).await)?;
            mailing::preview(&app, &prepared.compiled.edition, to, name)
        }
    };
    let (kind, body) = match view {
        "text" => ("text/plain; charset=utf-8", mail.text),
        "dark" => ("text/html; charset=utf-8", in_scheme(&mail.html, true)),
        _ => ("text/html; charset=utf-8", in_scheme(&mail.html, false)),
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    Ok(response)
}

/// The mail as a client in light or dark mode would show it, whatever this browser prefers.
fn in_scheme(html: &str, dark: bool) -> String {
    let query = "(prefers-color-scheme: dark)";
    if dark {
        html.replace(query, "all")
            .replace("content=\"light dark\"", "content=\"dark\"")
    } else {
        html.replace(query, "not all")
            .replace("content=\"light dark\"", "content=\"light\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_shown_whatever_the_browser_prefers() {
        let html = "<meta name=\"color-scheme\" content=\"light dark\"><style>@media (prefers-color-scheme: dark) { a {} }</style>";
        assert!(
            in_scheme(html, true).contains("@media all {")
                && in_scheme(html, true).contains("content=\"dark\"")
        );
        assert!(in_scheme(html, false).contains("@media not all {"));
    }
}
