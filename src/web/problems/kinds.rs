//! The kinds of problems: their status, name and words.

use std::panic::Location;
use std::time::Duration;

use http::StatusCode;

use super::{FieldProblem, Problem};

impl Problem {
    /// 400: the request is malformed in a way no form of ours produces.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "We could not read this request",
            detail,
        )
    }

    /// 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing here",
            "The address may have been mistyped, or the page has been taken down.",
        )
    }

    /// 403: another site made the browser send this request.
    #[must_use]
    pub fn wrong_origin() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "wrong-origin",
            "This form came from another site",
            "Nothing has been done. Please open the page here and send the form again.",
        )
    }

    /// 409: the current state does not allow it.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "conflict",
            "This is not possible right now",
            detail,
        )
    }

    /// 413.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "This is too large",
            "You sent more than any form here accepts.",
        )
    }

    /// 415: this endpoint does not accept such a body.
    #[must_use]
    pub fn unsupported(title: &str, detail: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            title,
            detail,
        )
    }

    /// 422 for one field.
    #[must_use]
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldProblem {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// 422 for several fields.
    #[must_use]
    pub fn invalid_fields(errors: Vec<FieldProblem>) -> Self {
        let detail = errors
            .first()
            .map_or_else(String::new, |e| format!("{}: {}", e.field, e.message));
        Self {
            errors,
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                "Something needs your attention",
                detail,
            )
        }
    }

    /// 429 with the time to wait.
    #[must_use]
    pub fn too_many(wait: Duration) -> Self {
        // Rounded up, so that a client that waits as long as it was told is accepted.
        let seconds = wait.as_millis().div_ceil(1_000).clamp(1, 86_400) as u32;
        let words = match seconds {
            1 => "one second".to_string(),
            2..=90 => format!("{seconds} seconds"),
            _ => format!("{} minutes", seconds.div_ceil(60)),
        };
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests from your network",
                format!("Please wait {words} and try again."),
            )
        }
    }

    /// 503: overloaded.
    #[must_use]
    pub fn busy() -> Self {
        Self {
            retry_after: Some(2),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "This site is very busy right now",
                "Nothing was saved. Please try again in a few seconds.",
            )
        }
    }

    /// 503: the database cannot be written or reached, and the outcome of the write in progress is unknown.
    #[must_use]
    pub fn unwritable() -> Self {
        Self {
            retry_after: Some(5),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unwritable",
                "Our storage is not available right now",
                "This is our fault, not yours. What you sent may or may not have been saved. Please check again in a few minutes.",
            )
        }
    }

    /// 503: the handler took too long and was dropped.
    #[must_use]
    pub fn late() -> Self {
        Self {
            retry_after: Some(10),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "late",
                "This took too long",
                "What you sent may or may not have been saved. Please check again in a moment.",
            )
        }
    }

    /// 500; `error` is logged with the place that gave up, never shown.
    #[must_use]
    #[track_caller]
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        let at = Location::caller();
        tracing::error!(%error, %at, "a request failed");
        Self::logged()
    }

    /// 500, for an error that is in the log already.
    pub(super) fn logged() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong here",
            "This is our fault, not yours. Please try again in a moment.",
        )
    }

    /// The problem for a bare status that did not come from our handlers.
    pub(super) fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            StatusCode::SERVICE_UNAVAILABLE => Self::busy(),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                status,
                "method-not-allowed",
                "This cannot be done here",
                "The address exists, but not for this kind of request.",
            ),
            s if s.is_server_error() => Self {
                status: s,
                ..Self::logged()
            },
            s => Self {
                status: s,
                ..Self::bad_request("Part of the request is malformed.")
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http::header::RETRY_AFTER;

    use super::*;
    use crate::db::DbErr;

    #[test]
    fn every_kind_has_its_status() {
        for (problem, status) in [
            (Problem::bad_request("x"), 400),
            (Problem::wrong_origin(), 403),
            (Problem::not_found(), 404),
            (Problem::conflict("x"), 409),
            (Problem::too_large(), 413),
            (Problem::invalid("email", "x"), 422),
            (Problem::too_many(Duration::from_millis(10)), 429),
            (Problem::internal(&"secret"), 500),
            (Problem::busy(), 503),
            (Problem::late(), 503),
            (Problem::unwritable(), 503),
            (
                DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout).into(),
                503,
            ),
        ] {
            assert_eq!(problem.status.as_u16(), status);
            assert!(!problem.detail.contains("secret"));
        }
    }

    #[test]
    fn waiting_times_are_said_in_words_and_in_the_header() {
        let problem = Problem::too_many(Duration::from_millis(6_001));
        assert!(problem.detail.contains("7 seconds"));
        let problem = Problem::too_many(Duration::from_secs(150));
        assert!(problem.detail.contains("3 minutes"));
        assert_eq!(problem.into_response().headers()[RETRY_AFTER], "150");
    }
}
