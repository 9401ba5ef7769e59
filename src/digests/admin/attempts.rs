//! The attempts for one recipient, as editors read them. The ledger records what servers replied; attempts without such
//! a reply, and decisions, are added here.

use serde_json::{Value, json};

use super::standing;
use crate::admin::show;
use crate::app::App;
use crate::db::DbErr;
use crate::mailer::mailing::{self, Attempt, DeliveryState, Reason, Recipient, Standing};
use crate::scheduler::Zone;
use crate::types::IssueId;

/// Every attempt, oldest first, and the decision about a recipient in doubt.
pub(super) async fn rows(
    app: &App,
    issue: IssueId,
    one: &Recipient,
    tried: &[Attempt],
    zone: &Zone,
) -> Result<Vec<Value>, DbErr> {
    let mut rows: Vec<Value> = tried.iter().map(|tried| row(tried, zone)).collect();
    let Some(at) = one.at else {
        return Ok(rows);
    };
    let mut add = |state: &str, badge: &str, reply: &str| {
        rows.push(json!({
            "at": show::time(at, zone), "state": state, "badge": badge, "reply": reply,
        }));
    };
    if let Some(reply) = unrecorded(one, tried) {
        let (state, badge) = standing::words(one.standing);
        add(state, badge, reply);
    }
    if is_accepted(one) {
        let who = mailing::accepted_by(app.db.read(), issue, at).await?;
        let who = who.map_or_else(String::new, |who| format!("by {who}"));
        add("Taken as handed over", "is-good", &who);
    }
    Ok(rows)
}

/// The words of the last attempt that has no reply in the ledger; `None` if it has one.
fn unrecorded(one: &Recipient, tried: &[Attempt]) -> Option<&'static str> {
    let Standing::Is(state) = one.standing else {
        return None;
    };
    match (state, one.reason) {
        (DeliveryState::Sent, Reason::Accepted) => None,
        (DeliveryState::Sent, _) => Some(""),
        (DeliveryState::Unknown, Reason::Interrupted | Reason::Crashed) => {
            let recorded = tried.last().and_then(|last| last.state);
            (recorded != Some(state)).then_some("Canvass ended before the relay’s reply.")
        }
        _ => None,
    }
}

fn is_accepted(one: &Recipient) -> bool {
    one.standing == Standing::Is(DeliveryState::Sent) && one.reason == Reason::Accepted
}

/// The number of attempts. A decision is none.
pub(super) fn count(one: &Recipient, tried: &[Attempt]) -> usize {
    let n = tried.len() + usize::from(unrecorded(one, tried).is_some());
    // Nobody is in doubt without an attempt.
    n.max(usize::from(is_accepted(one)))
}

/// The server's reply to the last attempt; `None` if there is none.
pub(super) fn last_words(one: &Recipient, tried: &[Attempt]) -> Option<String> {
    match unrecorded(one, tried) {
        Some(words) if !words.is_empty() => None,
        _ => tried.last().map(standing::said),
    }
}

fn row(tried: &Attempt, zone: &Zone) -> Value {
    let standing = tried.state.map_or(Standing::Waiting, Standing::Is);
    let (state, badge) = standing::words(standing);
    json!({
        "at": show::time(tried.at, zone), "state": state, "badge": badge,
        "code": (tried.code != 0).then_some(tried.code), "enhanced": tried.enhanced, "reply": tried.reply,
    })
}
