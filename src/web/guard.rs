//! The layer around every handler: limits on the body and the response time, panics, and the error page. It is a
//! single layer, because axum allocates for each one and clones everything below it for each request.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::timeout;
use tower::{Layer, Service};

use super::Problem;
use super::forms::refusal;
use super::problems::{Asked, Readers};
use crate::db::Sparing;
use crate::panics;

/// The layer. Clones share their data.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The audience for error responses.
    pub readers: Readers,
    /// A request that declares a longer body is refused before it is read.
    pub most_bytes: u64,
    /// A handler that takes longer is dropped: 503.
    pub patience: Duration,
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            guard: self.clone(),
            inner,
        }
    }
}

/// A service wrapped in the guard.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let refused = refusal(&request, self.guard.most_bytes);
        let patience = self.guard.patience;
        let readers = self.guard.readers.clone();
        let asked = Asked::of(&request);
        let answering = refused.is_none().then(|| self.inner.call(request));
        Box::pin(async move {
            let response = match (answering, refused) {
                (Some(answering), _) => {
                    match timeout(patience, AssertUnwindSafe(answering).catch_unwind()).await {
                        Ok(Ok(answered)) => answered?,
                        // A panic is a bug: it is logged, the reader gets a page, the process goes on.
                        Ok(Err(_)) => {
                            let place = panics::place();
                            Problem::internal(&format!("a handler panicked at {place}"))
                                .into_response()
                        }
                        Err(_) => late(patience).into_response(),
                    }
                }
                (None, problem) => problem.unwrap_or_else(Problem::busy).into_response(),
            };
            Ok(readers.write_out(response, asked))
        })
    }
}

/// A handler was dropped, which is counted, and logged once a minute.
fn late(patience: Duration) -> Problem {
    static TOLD: Sparing = Sparing::new();
    metrics::counter!("canvass_requests_late_total").increment(1);
    if let Some(unsaid) = TOLD.now() {
        let seconds = patience.as_secs();
        tracing::warn!(seconds, unsaid, "requests took too long and were cut off");
    }
    Problem::late()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::body::Body;
    use axum::routing::{get, post};
    use http::StatusCode;
    use http::header::{CONTENT_TYPE, RETRY_AFTER};
    use tower::ServiceExt as _;

    use super::*;

    fn router() -> Router {
        async fn panics() -> StatusCode {
            panic!("a bug at anna@example.org")
        }
        Router::new()
            .route("/", get(|| async { "well" }).post(|| async { "taken" }))
            .route("/panics", post(panics))
            .route("/hangs", get(std::future::pending::<StatusCode>))
            .layer(Guard {
                readers: Readers::Scripts,
                most_bytes: 10,
                patience: Duration::from_millis(50),
            })
    }

    async fn answered(method: &str, path: &str, header: (&str, &str)) -> Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header.0, header.1)
            .body(Body::empty())
            .expect("a request");
        router().oneshot(request).await.expect("an answer")
    }

    #[tokio::test]
    async fn whatever_happens_is_answered_so_that_it_can_be_read() {
        let empty = ("content-length", "0");
        for (method, path, header, status) in [
            ("GET", "/", empty, 200),
            ("POST", "/", ("content-length", "10"), 200),
            ("POST", "/", ("content-length", "11"), 413),
            ("POST", "/", ("content-encoding", "gzip"), 415),
            ("POST", "/", ("content-encoding", "Identity"), 200),
            ("GET", "/%00", empty, 404),
            ("POST", "/panics", empty, 500),
            ("GET", "/hangs", empty, 503),
        ] {
            let response = answered(method, path, header).await;
            assert_eq!(response.status().as_u16(), status, "{method} {path}");
            let kind = response.headers().get(CONTENT_TYPE).map(|v| v.as_bytes());
            let readable = kind.is_some_and(|kind| kind == b"application/problem+json");
            assert_eq!(readable, status != 200, "{method} {path}");
            let later = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(later, status == 503, "{method} {path}");
        }
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody broke").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_log_says_where_a_handler_broke_and_not_what_it_held() {
        panics::watch();
        let written = Written::default();
        // Two dispatchers, of which one is used: with only one in the process, another thread may cache that nobody
        // is interested in the callsite.
        let [lines, _other] = [(); 2].map(|()| {
            let written = written.clone();
            let lines = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(move || written.clone());
            tracing::Dispatch::new(lines.finish())
        });
        let watching = tracing::dispatcher::set_default(&lines);
        let empty = ("content-length", "0");
        assert_eq!(answered("POST", "/panics", empty).await.status(), 500);
        drop(watching);
        let log = written.0.lock().expect("nobody broke").clone();
        let log = String::from_utf8_lossy(&log);
        assert!(
            log.contains("a handler panicked at src/web/guard.rs:"),
            "{log}"
        );
        assert!(!log.contains("example.org"), "{log}");
    }
}
