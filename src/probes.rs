//! Endpoints for machines: `/healthz` (liveness), `/readyz` (readiness), `/metrics` (Prometheus).

use std::sync::OnceLock;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::app::App;
use crate::db::Trouble;
use crate::db::group_commit::Pulse;

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
}

/// Installs the metrics recorder once per process; further calls do nothing.
pub fn collect() {
    METRICS.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // Only fails when another recorder is installed, and this is the only place that does.
        let _ = metrics::set_global_recorder(recorder);
        handle
    });
}

/// Discards old samples of the histograms; called once a minute.
pub fn tidy() {
    if let Some(handle) = METRICS.get() {
        handle.run_upkeep();
    }
}

/// Ready means: not stopping, the writers are running, and the database answers and accepts writes.
async fn ready(State(app): State<App>) -> Response {
    if app.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    if let Some(trouble) = app.db.trouble() {
        let words = match trouble {
            Trouble::Unwritable => "the database cannot be written\n",
            Trouble::Moved => "the database file is not in its place\n",
        };
        return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    }
    let ballots = app.polls.queue.pulses();
    if ballots.iter().any(Pulse::has_stopped) || app.mailer.has_stopped_writing() {
        let words = "a writer has stopped: see the log\n";
        return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    }
    match app.db.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready: the database does not answer");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
                .into_response()
        }
    }
}

async fn numbers() -> Response {
    let text = METRICS
        .get()
        .map(PrometheusHandle::render)
        .unwrap_or_default();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
