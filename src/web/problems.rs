//! The only error response.
//!
//! A handler returns a [`Problem`]; the [`guard`](super::guard) around it converts it for its [`Readers`]: a page
//! for people, `application/problem+json` (RFC 9457) for scripts. Errors of axum itself (404, 405, extractor
//! rejections) are converted too.
//!
//! Unexpected errors are logged here, once, without any user input; the page does not show them.
//!
//! `kinds`: the problems that there are; `readers`: page or JSON; `json`: the latter; `fields`: errors of single fields;
//! `kept`: what was typed.

mod fields;
mod json;
mod kept;
mod kinds;
mod readers;

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

pub use self::fields::{in_order, of_those_wrong};
pub use self::json::KIND;
use self::kept::Kept;
pub(in crate::web) use self::readers::Asked;
pub use self::readers::Readers;
use crate::db::group_commit::Refused;
use crate::db::{DbErr, Sparing, is_unwritable};
use crate::panics::Broke;

/// Why a request failed (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The status of the response.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// A stable name for the kind of error, such as `canvass:too-large`.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of error in a few words.
    title: String,
    /// What to do, in a sentence for people.
    detail: String,
    /// The errors of single fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
    /// What was typed into the form: see [`keeping`](Self::keeping).
    #[serde(skip)]
    kept: Option<Box<Kept>>,
    /// In seconds.
    #[serde(skip)]
    retry_after: Option<u32>,
    /// Asks the client to authenticate with a bearer token.
    #[serde(skip)]
    wants_token: bool,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The field's name in the form or JSON.
    pub field: String,
    /// A sentence for the person who filled in the field.
    pub message: String,
}

fn as_number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem of any status. `kind` is a stable slug, `title` a few words, `detail` a sentence that says what to
    /// do.
    #[must_use]
    pub fn new(
        status: StatusCode,
        kind: &str,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind: format!("canvass:{kind}"),
            title: title.into(),
            detail: detail.into(),
            errors: Vec::new(),
            kept: None,
            retry_after: None,
            wants_token: false,
        }
    }

    /// The same, with a challenge that asks for a bearer token (RFC 9110, 11.6.1; RFC 6750).
    #[must_use]
    pub fn wanting_token(self) -> Self {
        Self {
            wants_token: true,
            ..self
        }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The errors of single fields.
    #[must_use]
    pub fn errors(&self) -> &[FieldProblem] {
        &self.errors
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, wait.into());
        }
        if self.wants_token {
            let value = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<DbErr> for Problem {
    #[track_caller]
    fn from(error: DbErr) -> Self {
        // Without a connection nothing was begun.
        let unconnected = matches!(error, DbErr::ConnectionAcquire(_));
        if unconnected || is_unwritable(&error) {
            static TOLD: Sparing = Sparing::new();
            if let Some(unsaid) = TOLD.now() {
                tracing::warn!(%error, unsaid, "the database is not available; clients are asked to retry");
            }
            return match unconnected {
                true => Self::busy(),
                false => Self::unwritable(),
            };
        }
        Self::internal(&error)
    }
}

impl From<Broke> for Problem {
    fn from(_: Broke) -> Self {
        Self::logged()
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy => Self::busy(),
            Refused::Unwritable => Self::unwritable(),
            Refused::Unknown => Self::late(),
            // The queue's writer has logged it.
            Refused::Failed(_) => Self::logged(),
        }
    }
}
