//! The results of the polls in an issue's mails: three numbers for each.

use serde_json::{Value, json};

use super::super::model::Issue;
use crate::admin::show;
use crate::app::App;
use crate::polls;
use crate::web::Problem;

/// A row for each poll that the issue asks, in order.
pub(super) async fn rows(app: &App, issue: &Issue) -> Result<Vec<Value>, Problem> {
    let mut rows = Vec::new();
    let body = app.bodies.read(&issue.content.body).await?;
    let slugs = body.polls();
    if slugs.is_empty() {
        return Ok(rows);
    }
    let numbers = polls::mail_numbers(&app.db, issue.id).await?;
    let polls = polls::headlines(&app.db, &slugs).await?;
    for slug in slugs {
        let Some(poll) = polls.iter().find(|poll| poll.slug == slug) else {
            continue;
        };
        let known = numbers.iter().find(|(id, _)| *id == poll.id);
        let numbers = known.map(|(_, numbers)| *numbers).unwrap_or_default();
        rows.push(json!({
            "question": poll.text,
            "href": format!("/admin/polls/{}", poll.slug),
            "counted": show::count(numbers.counted),
            "seen": show::count(numbers.seen),
            "scanner": show::count(numbers.scanner),
        }));
    }
    Ok(rows)
}
