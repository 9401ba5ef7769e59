//! oEmbed (<https://oembed.com>): a system that is given the URL of a poll asks here what to embed for it.

use std::fmt::Write as _;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::height::height;
use super::paste::iframe;
use crate::app::App;
use crate::polls::asking::public_poll;
use crate::polls::definition::is_slug;
use crate::web::Problem;
use crate::web::text::escaped;

/// The request of an oEmbed consumer.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    url: String,
    #[serde(default)]
    format: String,
    #[serde(default)]
    maxwidth: Option<u32>,
    #[serde(default)]
    maxheight: Option<u32>,
}

/// A response of type `rich` (section 2.3.4.4).
#[derive(Debug, Serialize)]
struct Rich {
    version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    provider_name: &'static str,
    provider_url: String,
    cache_age: u32,
    html: String,
    width: u32,
    height: u32,
}

const WIDTH: u32 = 600;

/// The oEmbed URL that the poll's pages advertise, for JSON. Appending `&format=xml` gives XML.
pub fn discovery(origin: &str, slug: &str) -> String {
    let url: String =
        form_urlencoded::byte_serialize(format!("{origin}/p/{slug}").as_bytes()).collect();
    format!("{origin}/oembed?url={url}")
}

/// `GET /oembed?url=`: JSON or XML for the URL of one of our polls.
///
/// # Errors
/// 404 for any other URL, 501 for an unsupported format.
pub async fn oembed(
    State(app): State<App>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let xml = match asked.format.as_str() {
        "" | "json" => false,
        "xml" => true,
        _ => {
            return Err(Problem::new(
                StatusCode::NOT_IMPLEMENTED,
                "unknown-format",
                "This format is not given here",
                "Ask with format=json or format=xml.",
            ));
        }
    };
    let origin = app.config.origin();
    let slug = asked
        .url
        .strip_prefix(&*origin)
        .and_then(|path| path.strip_prefix("/p/"))
        .and_then(|rest| rest.split(['?', '#']).next())
        .map(|rest| rest.trim_end_matches('/').trim_end_matches("/results"))
        .filter(|slug| is_slug(slug))
        .ok_or_else(Problem::not_found)?;
    let poll = public_poll(&app, slug).await?;
    let width = asked.maxwidth.map_or(WIDTH, |max| max.clamp(1, WIDTH));
    let height = asked
        .maxheight
        .map_or(height(&poll), |max| height(&poll).min(max.max(1)));
    let rich = Rich {
        version: "1.0",
        kind: "rich",
        title: poll.headline().to_owned(),
        provider_name: "Canvass",
        cache_age: 3_600,
        html: iframe(&origin, &poll, &width.to_string(), height),
        provider_url: origin.into_owned(),
        width,
        height,
    };
    let mut response = if xml {
        let mut response = rich.xml().into_response();
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/xml; charset=utf-8"),
        );
        response
    } else {
        axum::Json(rich).into_response()
    };
    let out = response.headers_mut();
    out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    out.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    Ok(response)
}

impl Rich {
    fn xml(&self) -> String {
        let mut out = String::from(
            "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n<oembed>\n",
        );
        for (name, value) in [
            ("version", self.version),
            ("type", self.kind),
            ("title", &self.title),
            ("provider_name", self.provider_name),
            ("provider_url", &self.provider_url),
            ("cache_age", &self.cache_age.to_string()),
            ("html", &self.html),
            ("width", &self.width.to_string()),
            ("height", &self.height.to_string()),
        ] {
            let _ = writeln!(out, "<{name}>{}</{name}>", escaped(value));
        }
        out.push_str("</oembed>\n");
        out
    }
}
