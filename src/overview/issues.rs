//! The issues of the overview, in words.

use serde_json::{Value, json};

use crate::admin::show;
use crate::app::App;
use crate::db::DbErr;
use crate::digests::{Line, What, desk};
use crate::scheduler::Zone;

/// What needs somebody, what is on its way, what comes next.
pub(super) struct Shown {
    pub needs: Vec<Value>,
    pub on_way: Vec<Value>,
    pub next: Vec<Value>,
}

pub(super) async fn shown(app: &App) -> Result<Shown, DbErr> {
    let desk = desk(app).await?;
    let needs = desk.needs.iter().map(|need| {
        let (text, page, words) = said(need.what);
        json!({
            "subject": need.subject, "text": text, "link": words,
            "href": format!("/admin/issues/{}{page}", need.issue.0),
        })
    });
    Ok(Shown {
        needs: needs.collect(),
        on_way: desk.on_way.iter().map(row).collect(),
        next: desk.next.iter().map(row).collect(),
    })
}

/// What is said of an issue after its subject, the page where that is decided, and the words of the link.
fn said(what: What) -> (String, &'static str, &'static str) {
    let readers = |n: i64| show::counted(n, "reader", "readers");
    match what {
        What::Held => (
            "is held: its time came, and it was not sent.".to_owned(),
            "",
            "Look at it and decide",
        ),
        What::Paused => (
            "is paused: nothing of it goes out until somebody resumes it.".to_owned(),
            "",
            "Look at it and decide",
        ),
        What::InDoubt(n) => (
            format!(
                "is in doubt for {}: they may or may not have got it.",
                readers(n)
            ),
            "/settle",
            "Decide what to do",
        ),
        What::Failed(n) => (
            format!(
                "could not be handed over for {} who can be sent to again.",
                readers(n)
            ),
            "/resend",
            "See why, and choose",
        ),
    }
}

fn row(line: &Line) -> Value {
    let zone = Zone::parse(&line.time_zone).unwrap_or_else(|_| Zone::utc());
    let (state, badge) = line.state;
    json!({
        "href": format!("/admin/issues/{}", line.issue.0), "subject": line.subject,
        "state": state, "badge": badge,
        "when_label": line.when_label, "when": show::time(line.when, &zone),
        "handed": line.audience.map(|audience| {
            format!("{} of {}", show::count(line.sent), show::counted(audience, "reader", "readers"))
        }),
    })
}
