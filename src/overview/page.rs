//! `GET /admin`

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::steps::steps;
use super::{counted, issues, store};
use crate::admin::{Editor, show};
use crate::app::App;
use crate::polls;
use crate::web::Problem;

/// The most polls with words awaiting review that are listed.
const WORDS: i64 = 5;

pub async fn show(State(app): State<App>, editor: Editor) -> Result<Response, Problem> {
    let so_far = store::progress(app.db.read(), app.clock.now()).await?;
    let audiences = counted::audiences(&app).await?;
    let bursts: Vec<Value> = polls::bursts_waiting(&app.db)
        .await?
        .iter()
        .map(|burst| json!({ "slug": burst.slug, "question": burst.title, "ballots": show::counted(burst.ballots, "answer", "answers") }))
        .collect();
    let mut differing = Vec::new();
    for poll in app.polls.audits.wrong() {
        if let Some(poll) = polls::by_id(&app.db, poll).await? {
            differing.push(json!({ "slug": poll.slug, "question": poll.headline() }));
        }
    }
    let mut words = Vec::new();
    for poll in polls::words_waiting(&app.db, WORDS).await? {
        if let Some(poll) = polls::by_id(&app.db, poll).await? {
            words.push(json!({ "slug": poll.slug, "question": poll.headline() }));
        }
    }
    let issues = issues::shown(&app).await?;
    let steps = steps(&so_far, app.config.mail.transport);
    let left = steps.iter().filter(|step| step.is_left()).count();
    let newsletters: Vec<Value> = audiences
        .iter()
        .map(|a| json!({ "slug": a.slug, "name": a.name, "active": show::count(a.active), "gone": show::count(a.gone) }))
        .collect();
    let number = |label: &str, n: i64| json!({ "label": label, "value": show::count(n) });
    let page = json!({
        "frame": editor.frame(),
        "needs_you": !(differing.is_empty() && bursts.is_empty() && words.is_empty() && issues.needs.is_empty()),
        "needs": issues.needs,
        "on_way": issues.on_way,
        "last": issues.last,
        "next": issues.next,
        "words": words,
        "can_write": so_far.newsletters > 0,
        "differing": differing,
        "bursts": bursts,
        "steps": steps,
        "left": show::counted(left as i64, "step is left", "steps are left"),
        "none_sent": so_far.sent_issues == 0,
        "finished": left == 0,
        "numbers": [
            number("Open polls", so_far.open_polls),
            number("Answers so far", so_far.answers),
            number("Confirmed subscriptions", audiences.iter().map(|a| a.active).sum()),
            number("Single mails waiting", so_far.waiting),
        ],
        "newsletters": newsletters,
    });
    app.pages.render("overview", &page)
}
