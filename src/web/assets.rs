//! Style sheets, scripts and images, all embedded in the binary; pages load nothing from elsewhere.
//!
//! [`url()`] gives an asset an address with a hash of its content, which may be cached for ever. The bare address
//! (`/assets/reader.css`) works too and is cached for five minutes: pages that others have cached for a month refer
//! to it.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Problem;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    body: &'static str,
    hash: String,
}

const FILES: &[(&str, &str, &str)] = &[
    (
        "reader.css",
        "text/css; charset=utf-8",
        include_str!("assets/reader.css"),
    ),
    (
        "mailbox.css",
        "text/css; charset=utf-8",
        include_str!("assets/mailbox.css"),
    ),
    (
        "admin.css",
        "text/css; charset=utf-8",
        include_str!("assets/admin.css"),
    ),
    (
        "admin.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/admin.js"),
    ),
    (
        "composer.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/composer.js"),
    ),
    (
        "live.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/live.js"),
    ),
    (
        "progress.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/progress.js"),
    ),
    (
        "proof.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/proof.js"),
    ),
    // ALTCHA 3.2.2 (MIT), as published: its web worker for SHA-256.
    (
        "altcha-3.2.2-sha.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/altcha-3.2.2/sha.js"),
    ),
    (
        "altcha-3.2.2-license.txt",
        "text/plain; charset=utf-8",
        include_str!("assets/altcha-3.2.2/LICENSE.txt"),
    ),
    (
        "gesture.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/gesture.js"),
    ),
    (
        "specimen.css",
        "text/css; charset=utf-8",
        include_str!("assets/specimen.css"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, media_type, body)| {
            let hash = digest::digest(&digest::SHA256, body.as_bytes());
            Asset {
                name,
                media_type,
                body,
                hash: hash.as_ref()[..6]
                    .iter()
                    .map(|b| format!("{b:02x}"))
                    .collect(),
            }
        })
        .collect()
});

/// The address of an asset, with its hash; `None` if there is no such asset.
#[must_use]
pub fn url(name: &str) -> Option<String> {
    let asset = ASSETS.iter().find(|a| a.name == name)?;
    Some(format!("/assets/{name}?v={}", asset.hash))
}

/// `GET /assets/{name}`
///
/// # Errors
/// 404 if there is no such asset.
pub async fn serve(
    Path(name): Path<String>,
    RawQuery(version): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asset = ASSETS
        .iter()
        .find(|a| a.name == name)
        .ok_or_else(Problem::not_found)?;
    let named_by_hash = version.is_some_and(|v| v.strip_prefix("v=") == Some(&asset.hash));
    let cache = if named_by_hash {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=300"
    };
    let tag = format!("\"{}\"", asset.hash);
    let fresh = headers
        .get(IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|given| {
            given
                .split(',')
                .any(|t| t.trim().trim_start_matches("W/") == tag)
        });
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        asset.body.into_response()
    };
    let out = response.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    out.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    // Embeds on other sites load the module and the style sheet.
    out.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
    out.insert(
        http::header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(ETAG, tag);
    }
    Ok(response)
}
