//! The one list of URLs.
//!
//! Three groups, told apart by what a person or script gets when something goes wrong: pages
//! (readers and editors), the JSON API, and what machines probe. Each feature exports its own routes;
//! this file joins them and puts the layers round them.

use std::any::Any;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::timeout::TimeoutLayer;

use crate::app::App;
use crate::web::forms::refuse_declared;
use crate::web::{Problem, assets, problems, security};
use crate::{
    admin, api, articles, digests, mailbox, newsletters, overview, polls, probes, subscriptions,
};

/// Every URL of Canvass.
pub fn router(app: &App) -> Router {
    let limit = usize::try_from(app.config.http.max_body_bytes).unwrap_or(usize::MAX);
    let bytes = app.config.http.max_body_bytes;
    let pages = pages(app)
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .layer(middleware::from_fn_with_state(bytes, refuse_declared))
        .layer(middleware::from_fn_with_state(
            app.pages.clone(),
            problems::as_pages,
        ));
    let uploads = polls::UPLOAD_BYTES;
    let uploads = polls::upload_routes()
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .layer(DefaultBodyLimit::max(uploads))
        .layer(middleware::from_fn_with_state(
            uploads as u64,
            refuse_declared,
        ))
        .layer(middleware::from_fn_with_state(
            app.pages.clone(),
            problems::as_pages,
        ));
    let scripts = scripts()
        .layer(middleware::from_fn_with_state(bytes, refuse_declared))
        .layer(middleware::from_fn(problems::as_json));
    Router::new()
        .merge(probes::routes())
        .nest("/api/v1", scripts)
        .merge(pages)
        .merge(uploads)
        .layer(DefaultBodyLimit::max(limit))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            app.config.timeout(),
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(CompressionLayer::new().compress_when(
            SizeAbove::new(1_024).and(NotForContentType::const_new("text/event-stream")),
        ))
        .layer(middleware::from_fn_with_state(
            security::Headers {
                https: app.config.is_https(),
            },
            security::headers,
        ))
        .with_state(app.clone())
}

/// What people open.
fn pages(app: &App) -> Router<App> {
    Router::new()
        .route("/assets/{name}", get(assets::serve))
        .merge(admin::routes())
        .merge(articles::routes())
        .merge(mailbox::routes(app.config.mail.transport))
        .merge(newsletters::routes())
        .merge(digests::routes())
        .merge(overview::routes())
        .merge(polls::routes())
        .merge(polls::admin_routes())
        .merge(subscriptions::admin_routes())
        .merge(subscriptions::routes())
}

/// What scripts call, below `/api/v1`.
fn scripts() -> Router<App> {
    Router::new()
        .merge(api::routes())
        .merge(newsletters::api_routes())
        .merge(polls::api_routes())
        .merge(subscriptions::api_routes())
        .merge(digests::api_routes())
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
}

/// A panic is a bug: it is logged, the reader gets a page, the process goes on.
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    Problem::internal(&format!("a handler panicked: {what}")).into_response()
}
