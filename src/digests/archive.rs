//! `GET /archive/{newsletter}[/{issue}]`: past issues on the web, if the newsletter publishes them.
//!
//! An issue is public from its first mail on, because its mails link to this page. The page is made from the frozen
//! text; names are replaced by their fallback, polls by links to their pages, and pictures of other sites by links to
//! them. Mails to a sample or a segment are not published.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use url::Url;

use super::content::{Body, Personal, Piece, Pieces, with_links_to_foreign_pictures};
use super::store;
use crate::app::App;
use crate::newsletters::{self, Newsletter};
use crate::polls;
use crate::scheduler::{Zone, written};
use crate::types::UnixMillis;
use crate::web::text::escaped;
use crate::web::{Problem, RawForm, security};

/// Issues on one page of the list.
const PAGE: i64 = 30;

/// The archive's routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/archive/{newsletter}", get(list))
        .route("/archive/{newsletter}/{issue}", get(show))
}

async fn list(
    State(app): State<App>,
    Path(newsletter): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let newsletter = open(&app, &newsletter).await?;
    let query = RawForm::parse(query.unwrap_or_default().as_bytes())?;
    let page = query
        .line("page")?
        .parse::<i64>()
        .unwrap_or(1)
        .clamp(1, 100_000);
    let mut issues =
        store::archive(app.db.read(), newsletter.id, PAGE + 1, (page - 1) * PAGE).await?;
    let more = issues.len() as i64 > PAGE;
    issues.truncate(PAGE as usize);
    let zone = zone_of(&newsletter);
    let page = app.pages.render(
        "digests/archive",
        &json!({
            "title": newsletter.name,
            "description": newsletter.description,
            "words_lang": newsletter.language,
            "accent_sheet": newsletter.accent_sheet(),
            "newsletter": { "name": newsletter.name, "description": newsletter.description, "slug": newsletter.slug },
            "issues": issues.iter().map(|issue| json!({
                "href": format!("/archive/{}/{}", newsletter.slug, issue.slug),
                "subject": Pieces::of_line(&issue.subject).with_fallbacks(),
                "date": date(issue.handed, &zone),
                "iso": written::machine(issue.handed.timestamp()),
            })).collect::<Vec<_>>(),
            "newer": (page > 1).then(|| match (page, issues.is_empty()) {
                // Past the end, the page before may be empty as well.
                (2, _) | (_, true) => format!("/archive/{}", newsletter.slug),
                _ => format!("/archive/{}?page={}", newsletter.slug, page - 1),
            }),
            "older": more.then(|| format!("/archive/{}?page={}", newsletter.slug, page + 1)),
        }),
    )?;
    Ok(public(page))
}

async fn show(
    State(app): State<App>,
    Path((newsletter, issue)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let newsletter = open(&app, &newsletter).await?;
    let issue = store::find_archived(app.db.read(), newsletter.id, &issue)
        .await?
        .ok_or_else(not_on_the_web)?;
    let body = app.bodies.read(&issue.content.body).await?;
    let subject = Pieces::of_line(&issue.content.subject).with_fallbacks();
    let handed = match issue.state {
        super::model::IssueState::Handed(at) => at,
        _ => issue.updated,
    };
    let mut page = app.pages.render(
        "digests/archive_issue",
        &json!({
            "title": subject,
            "words_lang": newsletter.language,
            "accent_sheet": newsletter.accent_sheet(),
            "newsletter": { "name": newsletter.name, "slug": newsletter.slug },
            "subject": subject,
            "date": date(handed, &zone_of(&newsletter)),
            "iso": written::machine(handed.timestamp()),
            "content": on_the_web(&app, &body).await?,
        }),
    )?;
    let sites = app
        .config
        .http
        .embed_origins
        .iter()
        .filter(|site| *site != "*");
    let pictures = sites.fold("img-src 'self'".to_owned(), |from, site| {
        format!("{from} {site}")
    });
    let policy = security::POLICY.replace("img-src 'self'", &pictures);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(public(page))
}

/// Whether readers' browsers may load a picture: it is ours, or on a site that may embed our polls, so that its readers
/// are there already.
fn may_load(app: &App, address: &str) -> bool {
    let ours = app.config.origin();
    let at = Url::parse(&ours).and_then(|ours| ours.join(address));
    at.is_ok_and(|at| {
        let site = at.origin().ascii_serialization();
        site == ours || app.config.http.embed_origins.contains(&site)
    })
}

/// The same response for an issue that never existed and for a mail to a sample or a segment. Some of the latter
/// were sent with a link to this page.
fn not_on_the_web() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "There is nothing here",
        "The address may have been mistyped, or it belongs to an email that went to some readers only: such emails are not on the web.",
    )
}

/// The newsletter, if it publishes past issues.
async fn open(app: &App, slug: &str) -> Result<Newsletter, Problem> {
    let newsletter = newsletters::by_slug(app.db.read(), slug).await?;
    newsletter
        .filter(|newsletter| newsletter.archive)
        .ok_or_else(Problem::not_found)
}

async fn on_the_web(app: &App, body: &Body) -> Result<String, Problem> {
    let polls = polls::headlines(&app.db, &body.polls()).await?;
    let mut html = String::new();
    for piece in body.html().iter() {
        match piece {
            Piece::Literal(literal) => html.push_str(&on_our_page(literal)),
            Piece::Personal(Personal::Name { fallback }) => html.push_str(&escaped(fallback)),
            Piece::Poll(slug) => {
                let poll = polls.iter().find(|poll| poll.slug == *slug);
                let question = poll.map_or("The poll of this issue", |poll| &poll.text);
                html.push_str(&format!(
                    "<p><span lang=\"en\">Poll:</span> <a href=\"/p/{slug}\"><bdi>{}</bdi></a></p>",
                    escaped(question)
                ));
            }
        }
    }
    let html = with_links_to_foreign_pictures(&html, |address| may_load(app, address));
    Ok(below_the_title(&html))
}

/// Moves the headings one level down, because the page already has the subject as its title.
fn below_the_title(html: &str) -> String {
    if !html.contains("<h1") {
        return html.to_owned();
    }
    (1..6).rev().fold(html.to_owned(), |html, level| {
        let below = level + 1;
        html.replace(&format!("<h{level}"), &format!("<h{below}"))
            .replace(&format!("</h{level}>"), &format!("</h{below}>"))
    })
}

/// Adapts a body to our pages, which allow no inline style: column alignment is the only one that occurs, and
/// becomes a class. Tables wider than a phone get a scrollable box of their own.
fn on_our_page(html: &str) -> String {
    let classes = [
        ("left", ""),
        ("center", " class=\"middle\""),
        ("right", " class=\"num\""),
    ];
    let html = classes.iter().fold(html.to_owned(), |html, (side, class)| {
        html.replace(&format!(" style=\"text-align:{side}\""), class)
    });
    html.replace(
        "<table>",
        "<div class=\"table-wrap\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>",
    )
    .replace("</table>", "</table></div>")
}

fn zone_of(newsletter: &Newsletter) -> Zone {
    Zone::parse(&newsletter.time_zone).unwrap_or_else(|_| Zone::utc())
}

fn date(at: UnixMillis, zone: &Zone) -> String {
    written::date(at.timestamp(), zone)
}

/// Makes the response cacheable: nothing on these pages depends on who reads them.
fn public(mut page: Response) -> Response {
    page.headers_mut().insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    page.into_response()
}
