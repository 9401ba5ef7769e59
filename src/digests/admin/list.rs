//! `GET /admin/issues`: what is being written, waits, goes out or went out. Filter, order and page
//! stand in the address, so a view can be kept as a bookmark.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use super::super::list_store::{self, Filter, PAGE, Row, STATES, Sort};
use crate::admin::{Editor, show};
use crate::app::App;
use crate::newsletters;
use crate::scheduler::Zone;
use crate::web::{Problem, RawForm};

#[derive(Serialize)]
struct Shown {
    href: String,
    subject: String,
    newsletter: String,
    state: &'static str,
    badge: &'static str,
    when: show::LocalTime,
    when_label: &'static str,
    audience: String,
    sent: String,
}

pub(super) async fn show(
    State(app): State<App>,
    editor: Editor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = RawForm::parse(query.unwrap_or_default().as_bytes())?;
    let filter = Filter {
        subject: query.line("q")?.chars().take(200).collect(),
        state: query.line("state")?,
        newsletter: query.line("newsletter")?,
    };
    let order = query.line("sort")?;
    let (sort, ascending) = read_order(&order);
    let page = query
        .line("page")?
        .parse::<i64>()
        .unwrap_or(1)
        .clamp(1, 1_000_000);
    let count = list_store::count(&app.db, &filter).await?;
    let offset = (page - 1) * PAGE;
    let rows = list_store::page(&app.db, &filter, sort, ascending, offset).await?;
    let newsletters = newsletters::all(app.db.read()).await?;
    let filtered =
        !(filter.subject.is_empty() && filter.state.is_empty() && filter.newsletter.is_empty());
    let address = |sort: &str, page: i64| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("q", &filter.subject),
            ("state", &filter.state),
            ("newsletter", &filter.newsletter),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if !sort.is_empty() {
            query.append_pair("sort", sort);
        }
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        format!("/admin/issues?{}", query.finish())
    };
    let column = |label: &str, name: &str, this: Option<Sort>, numeric: bool| {
        let current = this == Some(sort);
        // Times and counts are asked for from the top, words from A.
        let first = if name == "subject" {
            name.to_owned()
        } else {
            format!("-{name}")
        };
        let other = if name == "subject" {
            format!("-{name}")
        } else {
            name.to_owned()
        };
        let next = if current && (first.starts_with('-') != ascending) {
            other
        } else {
            first
        };
        json!({
            "label": label,
            "numeric": numeric,
            "href": this.map(|_| address(&next, 1)),
            "direction": current.then_some(if ascending { "ascending" } else { "descending" }),
        })
    };
    let last = offset + i64::try_from(rows.len()).unwrap_or(0);
    app.pages.render(
        "digests/list",
        &json!({
            "frame": editor.frame(),
            "any": count > 0 || filtered,
            "filtered": filtered,
            "shown": show::counted(count, "issue", "issues"),
            "filter": { "q": filter.subject, "sort": order },
            "states": STATES.iter().map(|(value, label, _)| json!({
                "value": value, "label": label, "chosen": *value == filter.state,
            })).collect::<Vec<_>>(),
            "newsletters": (newsletters.len() > 1).then(|| newsletters.iter().map(|n| json!({
                "slug": n.slug, "name": n.name, "chosen": n.slug == filter.newsletter,
            })).collect::<Vec<_>>()),
            "columns": [
                column("Subject", "subject", Some(Sort::Subject), false),
                column("Newsletter", "", None, false),
                column("State", "", None, false),
                column("When", "when", Some(Sort::When), false),
                column("Audience", "audience", Some(Sort::Audience), true),
                column("Handed over", "", None, true),
            ],
            "rows": rows.into_iter().map(Shown::from).collect::<Vec<_>>(),
            "range": if last > offset { format!("{}–{} of {}", offset + 1, last, show::count(count)) } else { String::new() },
            "previous": (page > 1).then(|| address(&order, page - 1)),
            "next": (last < count && last > offset).then(|| address(&order, page + 1)),
        }),
    )
}

/// `-when` (the default), `when`, `subject`, `-subject`, `audience`, `-audience`.
fn read_order(order: &str) -> (Sort, bool) {
    let (name, ascending) = order
        .strip_prefix('-')
        .map_or((order, true), |name| (name, false));
    match name {
        "subject" => (Sort::Subject, ascending),
        "audience" => (Sort::Audience, ascending),
        "when" => (Sort::When, ascending),
        _ => (Sort::When, false),
    }
}

impl From<Row> for Shown {
    fn from(row: Row) -> Self {
        let zone = Zone::parse(&row.time_zone).unwrap_or_else(|_| Zone::utc());
        let (state, badge) = row.state.shown();
        Self {
            href: format!("/admin/issues/{}", row.id.0),
            subject: if row.subject.is_empty() {
                "(no subject yet)".to_owned()
            } else {
                row.subject
            },
            newsletter: row.newsletter,
            state,
            badge,
            when: show::time(row.when, &zone),
            when_label: row.state.when(),
            audience: row.audience.map(show::count).unwrap_or_default(),
            sent: row
                .audience
                .map(|_| show::count(row.sent))
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_and_anything_else_is_the_newest_first() {
        assert_eq!(read_order("subject"), (Sort::Subject, true));
        assert_eq!(read_order("-audience"), (Sort::Audience, false));
        for other in ["", "-", "id; DROP TABLE issue", "-sent"] {
            assert_eq!(read_order(other), (Sort::When, false), "{other}");
        }
    }
}
