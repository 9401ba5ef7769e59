//! `GET /admin/issues`: the list of all issues. Filter, order and page are in the address, so that a view can be
//! bookmarked.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

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

/// The view that the address asks for.
struct View {
    filter: Filter,
    /// As given, for the links to other pages.
    order: String,
    sort: Sort,
    ascending: bool,
    /// Counted from 1.
    page: i64,
}

impl View {
    fn read(query: &RawForm) -> Result<Self, Problem> {
        let order = query.line("sort")?;
        let (sort, ascending) = read_order(&order);
        let page = query.line("page")?.parse::<i64>().unwrap_or(1);
        Ok(Self {
            filter: Filter {
                subject: query.line("q")?.chars().take(200).collect(),
                state: query.line("state")?,
                newsletter: query.line("newsletter")?,
            },
            order,
            sort,
            ascending,
            page: page.clamp(1, 1_000_000),
        })
    }

    /// The address of the same view in another order or on another page.
    fn address(&self, order: &str, page: i64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let Filter {
            subject,
            state,
            newsletter,
        } = &self.filter;
        let page = match page {
            ..=1 => String::new(),
            page => page.to_string(),
        };
        for (name, value) in [
            ("q", &**subject),
            ("state", state),
            ("newsletter", newsletter),
            ("sort", order),
            ("page", &page),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("/admin/issues?{}", query.finish())
    }

    fn filtered(&self) -> bool {
        let Filter {
            subject,
            state,
            newsletter,
        } = &self.filter;
        !(subject.is_empty() && state.is_empty() && newsletter.is_empty())
    }

    /// The header of a column, which links to the list sorted by it.
    fn column(&self, label: &str, name: &str, sort: Sort, numeric: bool) -> Value {
        let current = sort == self.sort;
        // Times and numbers are sorted in descending order first, words in ascending order.
        let from_a = sort == Sort::Subject;
        let ascending = if current { !self.ascending } else { from_a };
        let order = format!("{}{name}", if ascending { "" } else { "-" });
        let direction = if self.ascending {
            "ascending"
        } else {
            "descending"
        };
        json!({
            "label": label,
            "numeric": numeric,
            "href": self.address(&order, 1),
            "direction": current.then_some(direction),
        })
    }
}

pub(super) async fn show(
    State(app): State<App>,
    editor: Editor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let view = View::read(&RawForm::parse(query.unwrap_or_default().as_bytes())?)?;
    let count = list_store::count(&app.db, &view.filter).await?;
    let offset = (view.page - 1) * PAGE;
    let rows = list_store::page(&app.db, &view.filter, view.sort, view.ascending, offset).await?;
    let newsletters = newsletters::all(app.db.read()).await?;
    let last = offset + i64::try_from(rows.len()).unwrap_or(0);
    // A column that says the same in each line takes the subjects' room.
    let several = newsletters.len() > 1;
    let unordered = |label: &str, numeric| json!({ "label": label, "numeric": numeric, "href": null, "direction": null });
    let columns = [
        Some(view.column("Subject", "subject", Sort::Subject, false)),
        several.then(|| unordered("Newsletter", false)),
        Some(unordered("State", false)),
        Some(view.column("When", "when", Sort::When, false)),
        Some(view.column("Audience", "audience", Sort::Audience, true)),
        Some(unordered("Handed over", true)),
    ];
    let columns: Vec<_> = columns.into_iter().flatten().collect();
    app.pages.render(
        "digests/list",
        &json!({
            "frame": editor.frame(),
            "any": count > 0 || view.filtered(),
            "filtered": view.filtered(),
            "shown": show::counted(count, "issue", "issues"),
            "filter": { "q": view.filter.subject, "sort": view.order },
            "states": STATES.iter().map(|state| json!({
                "value": state.name, "label": state.words, "chosen": state.name == view.filter.state,
            })).collect::<Vec<_>>(),
            "newsletters": several.then(|| newsletters.iter().map(|n| json!({
                "slug": n.slug, "name": n.name, "chosen": n.slug == view.filter.newsletter,
            })).collect::<Vec<_>>()),
            "columns": columns,
            "rows": rows.into_iter().map(Shown::from).collect::<Vec<_>>(),
            "range": if last > offset && count > PAGE { format!("{} to {} of {}", show::count(offset + 1), show::count(last), show::count(count)) } else { String::new() },
            "previous": (view.page > 1).then(|| view.address(&view.order, view.page - 1)),
            "next": (last < count && last > offset).then(|| view.address(&view.order, view.page + 1)),
        }),
    )
}

/// Parses `-when` (the default), `when`, `subject`, `-subject`, `audience`, `-audience`.
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
        let (state, badge) = row.state.shown(row.trouble);
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
