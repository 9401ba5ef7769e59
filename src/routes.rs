//! The one list of URLs.
//!
//! Three groups, which differ in what a person or script gets when something goes wrong: pages (readers and
//! editors), the JSON API, and the probes. Each feature exports its own routes; this file merges them and adds the
//! layers.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use http::StatusCode;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::app::App;
use crate::web::guard::Guard;
use crate::web::problems::Readers;
use crate::web::{Problem, assets, security};
use crate::{
    admin, api, articles, digests, mailbox, newsletters, overview, polls, probes, subscriptions,
};

/// Every URL of Canvass.
pub fn router(app: &App) -> Router {
    let bytes = app.config.http.max_body_bytes;
    let headers = security::Headers::new(app.config.is_https());
    let compressed = SizeAbove::new(1_024)
        .and(NotForContentType::const_new("text/event-stream"))
        .and(NotForContentType::const_new("image/png"))
        .and(NotForContentType::const_new("image/jpeg"));
    // One layer for each group, not one inside the other: axum allocates for each, and clones everything below it for
    // each request.
    let around = |readers, most_bytes: u64| {
        let (headers, patience) = (headers.clone(), app.config.timeout());
        ServiceBuilder::new()
            .map_response(move |response| headers.add(response))
            .layer(CompressionLayer::new().compress_when(compressed.clone()))
            .layer(DefaultBodyLimit::max(
                usize::try_from(most_bytes).unwrap_or(usize::MAX),
            ))
            .layer(Guard {
                readers,
                most_bytes,
                patience,
            })
    };
    let people = Readers::People(app.pages.clone());
    let pages = pages(app)
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .layer(around(people.clone(), bytes));
    let uploads = polls::upload_routes()
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .layer(around(people.clone(), polls::UPLOAD_BYTES as u64));
    let composer = digests::composer_routes()
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .layer(around(people, bytes.max(digests::COMPOSER_BYTES as u64)));
    Router::new()
        .merge(probes::routes().layer(around(Readers::Nobody, bytes)))
        .nest("/api/v1", scripts().layer(around(Readers::Scripts, bytes)))
        .merge(pages)
        .merge(uploads)
        .merge(composer)
        .with_state(app.clone())
}

/// The pages that people open.
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

/// The OpenAPI document of the whole API for scripts.
#[must_use]
pub fn openapi() -> OpenApi {
    api::openapi::document([
        newsletters::ApiDocument::openapi(),
        polls::ApiDocument::openapi(),
        subscriptions::ApiDocument::openapi(),
        digests::ApiDocument::openapi(),
    ])
}

/// The API for scripts, below `/api/v1`.
fn scripts() -> Router<App> {
    Router::new()
        .merge(api::routes(openapi))
        .merge(newsletters::api_routes())
        .merge(polls::api_routes())
        .merge(subscriptions::api_routes())
        .merge(digests::api_routes())
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
}
