//! The pages about one poll, and the tabs between them.

use serde_json::{Value, json};

use crate::admin::Editor;
use crate::app::App;
use crate::polls::definition;
use crate::polls::model::{Poll, PollState};
use crate::web::Problem;

/// A page about a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Result,
    Turnout,
    Compare,
    Weigh,
    Sample,
    Linked,
    Export,
}

const TABS: [(Tab, &str, &str); 7] = [
    (Tab::Result, "", "Result"),
    (Tab::Turnout, "/turnout", "Turnout"),
    (Tab::Compare, "/compare", "Compare"),
    (Tab::Weigh, "/weigh", "Precision"),
    (Tab::Sample, "/sample", "Random sample"),
    (Tab::Linked, "/linked", "Linked answers"),
    (Tab::Export, "/export", "Export"),
];

/// The context that every page about `poll` starts from. `name` comes before the question in the page title.
pub fn page(editor: &Editor, poll: &Poll, current: Tab, name: &str) -> Value {
    json!({
        "frame": editor.frame(),
        "title": format!("{name}: {}", poll.headline()),
        "question": poll.headline(),
        "slug": poll.slug,
        "tabs": tabs(poll, current),
    })
}

/// The context of the partial `polls/admin_tabs`.
pub fn tabs(poll: &Poll, current: Tab) -> Vec<Value> {
    TABS.iter()
        .filter(|(tab, ..)| *tab != Tab::Linked || poll.linking.is_some())
        // A draft has no answers, so only its own page and the one about the sample are shown.
        .filter(|(tab, ..)| {
            poll.state != PollState::Draft
                || *tab == current
                || matches!(tab, Tab::Result | Tab::Sample)
        })
        .map(|(tab, path, label)| {
            json!({
                "href": format!("/admin/polls/{}{path}", poll.slug),
                "label": if *tab == Tab::Result && poll.state == PollState::Draft { "Draft" } else { *label },
                "current": *tab == current,
            })
        })
        .collect()
}

/// The poll that an editor asks for, drafts included.
///
/// # Errors
/// 404 for an unknown poll; 500 or 503 when the database fails.
pub async fn poll_of(app: &App, slug: &str) -> Result<Poll, Problem> {
    definition::by_slug(&app.db, slug)
        .await?
        .ok_or_else(Problem::not_found)
}

/// A share as text: `34.1%`. Editors see it whatever the number of answers.
pub fn per_cent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
