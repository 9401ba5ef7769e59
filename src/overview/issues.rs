//! The issues of the overview, in words.

use serde_json::{Value, json};

use crate::admin::show;
use crate::app::App;
use crate::db::DbErr;
use crate::digests::{Last, Line, Need, Stopped, desk};
use crate::scheduler::Zone;

/// The issues that need an editor, are being sent, were sent last, and come next.
pub(super) struct Shown {
    pub needs: Vec<Value>,
    pub on_way: Vec<Value>,
    pub last: Option<Value>,
    pub next: Vec<Value>,
}

pub(super) async fn shown(app: &App) -> Result<Shown, DbErr> {
    let desk = desk(app).await?;
    Ok(Shown {
        needs: desk.needs.iter().map(needed).collect(),
        on_way: desk.on_way.iter().map(row).collect(),
        last: desk.last.as_ref().map(last),
        next: desk.next.iter().map(row).collect(),
    })
}

/// One line of an issue: what is to be decided, and the page where that is done. Only an issue that is held up has a
/// badge.
fn needed(need: &Need) -> Value {
    let (in_doubt, failed) = (need.line.in_doubt, need.failed);
    let mut words = Vec::new();
    match need.stopped {
        Some(Stopped::Held) => words.push("it was held, and not sent".to_owned()),
        Some(Stopped::Paused) => {
            let so_far = need.line.audience.map(|all| handed(need.line.sent, all));
            // Of the rest some may have failed.
            words.push(so_far.map_or("it stopped".to_owned(), |n| {
                format!("{n} handed over before it stopped")
            }));
        }
        None => {}
    }
    for (n, what) in [(in_doubt, "in doubt"), (failed, "failed")] {
        if n > 0 {
            // Non-breaking spaces: a line may break between the two phrases, but not within one.
            words.push(format!("{} {what}", show::count(n)).replace(' ', "\u{a0}"));
        }
    }
    let page = match (need.stopped, in_doubt > 0, failed > 0) {
        (None, true, false) => "/settle",
        (None, false, true) => "/resend",
        _ => "",
    };
    let mut shown = row(&need.line);
    shown["stopped"] = need.stopped.is_some().into();
    shown["words"] = words.join(", ").into();
    shown["decide"] = format!("/admin/issues/{}{page}", need.line.issue.0).into();
    shown
}

/// `120 of 400 readers`
fn handed(sent: i64, audience: i64) -> String {
    format!(
        "{} of {}",
        show::count(sent),
        show::counted(audience, "reader", "readers")
    )
}

fn last(last: &Last) -> Value {
    let mut shown = row(&last.line);
    shown["answers"] = last.answers.map(show::count).into();
    shown
}

fn row(line: &Line) -> Value {
    let zone = Zone::parse(&line.time_zone).unwrap_or_else(|_| Zone::utc());
    let (state, badge) = line.state;
    json!({
        "href": format!("/admin/issues/{}", line.issue.0), "subject": line.subject,
        "state": state, "badge": badge, "in_doubt": (line.in_doubt > 0).then(|| show::count(line.in_doubt)),
        "when_label": line.when_label, "when": show::time(line.when, &zone),
        "handed": line.audience.map(|audience| handed(line.sent, audience)),
    })
}
