//! `GET /admin/polls`: the whole state of the list (filter, order, page) is in its URL.

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::badge;
use super::list_store::{Only, Order, PAGE, Row, Wanted, page};
use crate::admin::{Editor, show as shown};
use crate::app::App;
use crate::polls::model::{Phase, PollState, phase};
use crate::polls::trust;
use crate::scheduler::Zone;
use crate::types::UnixMillis;
use crate::web::Problem;

/// The query of the URL; invalid values are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    state: String,
    sort: String,
    page: String,
    done: String,
}

const STATES: [(&str, &str, Only); 4] = [
    ("draft", "Draft", Only::Draft),
    ("waiting", "Not yet open", Only::Waiting),
    ("open", "Open", Only::Open),
    ("closed", "Closed", Only::Closed),
];

const COLUMNS: [(&str, &str, Option<Order>); 5] = [
    ("question", "Question", Some(Order::Question)),
    ("", "State", None),
    ("answers", "Answers", Some(Order::Answers)),
    ("confirmed", "Confirmed readers", Some(Order::Confirmed)),
    ("closes", "Closes", Some(Order::Closes)),
];

pub async fn show(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    editor: Editor,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let wanted = asked.wanted();
    let (rows, total) = page(&app.db, &wanted, now).await?;
    let bursts = trust::waiting(&app.db).await?;
    let filtered = !wanted.text.is_empty() || wanted.state.is_some();
    let first = (wanted.page - 1) * PAGE;
    let last = first + rows.len() as i64;
    let turned = |page: i64| asked.address(&[("page", page.to_string())]);
    let states: Vec<Value> = STATES
        .iter()
        .map(|(value, label, only)| json!({ "value": value, "label": label, "chosen": wanted.state == Some(*only) }))
        .collect();
    let context = json!({
        "frame": editor.frame_saying((asked.done == "deleted").then_some("The draft is deleted.")),
        "any": filtered || total > 0 || wanted.page > 1,
        "filtered": filtered,
        "filter": { "q": wanted.text, "sort": asked.sort },
        "states": states,
        "columns": COLUMNS.iter().map(|column| asked.column(column, &wanted)).collect::<Vec<_>>(),
        "rows": rows.iter().map(|row| listed(row, &bursts, now)).collect::<Vec<_>>(),
        "shown": shown::counted(total, if filtered { "poll matches" } else { "poll" }, if filtered { "polls match" } else { "polls" }),
        "range": (total > PAGE).then(|| format!("{} to {} of {}", shown::count(first + 1), shown::count(last), shown::count(total))),
        "previous": (wanted.page > 1).then(|| turned(wanted.page - 1)),
        "next": (last < total).then(|| turned(wanted.page + 1)),
    });
    app.pages.render("polls/admin_list", &context)
}

fn listed(row: &Row, bursts: &[trust::Waiting], now: UnixMillis) -> Value {
    let zone = Zone::parse(&row.time_zone).unwrap_or_else(|_| Zone::utc());
    let at = phase(row.state(), row.opens, row.closes, now);
    let (state, badge) = badge(at);
    // For a poll that was closed by hand, this is the actual close, whatever was planned.
    let closes = match row.state() {
        PollState::Closed => row.closed.or(row.closes),
        _ => row.closes,
    };
    let burst = bursts.iter().find(|burst| burst.slug == row.slug);
    json!({
        "burst": burst.map(|burst| shown::count(burst.ballots)),
        "slug": row.slug, "question": row.question,
        "more": (row.questions > 1).then(|| shown::counted(row.questions - 1, "more question", "more questions")),
        "sample": row.sample, "state": state, "badge": badge,
        "answers": shown::count(row.answers), "confirmed": shown::count(row.confirmed),
        "closes": closes.map(|at| shown::time(at, &zone)), "open_end": !matches!(at, Phase::Hidden | Phase::Closed { .. }),
    })
}

impl Asked {
    fn wanted(&self) -> Wanted {
        let (descending, sort) = match self.sort.strip_prefix('-') {
            Some(sort) => (true, sort),
            None => (self.sort.is_empty(), self.sort.as_str()),
        };
        let order = COLUMNS
            .iter()
            .find(|(name, ..)| !name.is_empty() && *name == sort)
            .and_then(|(_, _, order)| *order);
        Wanted {
            text: self
                .q
                .trim()
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect(),
            state: STATES
                .iter()
                .find(|(value, ..)| *value == self.state)
                .map(|(_, _, only)| *only),
            descending: descending || order.is_none(),
            order: order.unwrap_or_default(),
            page: self.page.parse().unwrap_or(1).clamp(1, 1_000_000),
        }
    }

    /// A column heading: a link that sorts by this column, or reverses the order if the list is already sorted by it.
    fn column(&self, (name, label, order): &(&str, &str, Option<Order>), wanted: &Wanted) -> Value {
        let numeric = matches!(order, Some(Order::Answers | Order::Confirmed));
        let Some(order) = order else {
            return json!({ "label": label });
        };
        let current = wanted.order == *order;
        // Numbers sort in descending order first, words from A.
        let descend = if current { !wanted.descending } else { numeric };
        let sort = format!("{}{name}", if descend { "-" } else { "" });
        let direction = current.then_some(if wanted.descending {
            "descending"
        } else {
            "ascending"
        });
        json!({ "label": label, "numeric": numeric, "direction": direction, "href": self.address(&[("sort", sort), ("page", String::new())]) })
    }

    /// The URL of this list with some parameters changed; empty parameters are left out.
    fn address(&self, changes: &[(&str, String)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("q", &self.q),
            ("state", &self.state),
            ("sort", &self.sort),
            ("page", &self.page),
        ] {
            let value = changes
                .iter()
                .find(|(n, _)| *n == name)
                .map_or(value, |(_, v)| v);
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() {
            "/admin/polls".into()
        } else {
            format!("/admin/polls?{query}")
        }
    }
}
