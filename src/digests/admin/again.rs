//! What the pages to send again ([`resend`](super::resend)) and to settle recipients in doubt
//! ([`settle`](super::settle)) have in common: an order for as many recipients as the page showed, and what is said
//! after it.

use axum::response::{IntoResponse, Redirect, Response};

use super::super::model::Issue;
use super::compose::address;
use crate::admin::show as shown;
use crate::mailer::mailing::{MailingState, Ordered};
use crate::web::{Problem, RawForm};

/// A number in a field that the page filled in; `None` if the field holds none.
pub(super) fn number(form: &RawForm, field: &str) -> Result<Option<i64>, Problem> {
    Ok(form.text(field)?.parse().ok())
}

/// Whether an order would affect another number of recipients than the page showed: while an issue is being sent, more
/// of them may come in between. An order without any effect is no such case, because somebody else was faster.
pub(super) fn is_other(ordered: Ordered, shown: Option<i64>) -> bool {
    matches!(ordered, Ordered::Done(n) if n > 0 && shown != Some(n))
}

/// Redirects to the issue or one of its pages, which shows what was done. It is no error if somebody else was
/// faster.
pub(super) fn after(
    issue: &Issue,
    ordered: Ordered,
    did: &str,
    page: &str,
) -> Result<Response, Problem> {
    match ordered {
        Ordered::Done(n) => {
            let next = format!("{}{page}?done={did}.{n}", address(issue.id));
            Ok(Redirect::to(&next).into_response())
        }
        Ordered::NotNow(MailingState::Cancelled | MailingState::Cancelling) => Err(
            Problem::conflict("This issue was cancelled, so none of its mails is sent any more."),
        ),
        Ordered::NotNow(_) | Ordered::Unknown => Err(Problem::conflict(
            "The issue’s present state does not allow this.",
        )),
    }
}

/// The notice for `settled.2`, `again.9` and the like. `left` is the number of readers who are still in doubt.
pub(super) fn said(done: &str, left: i64) -> Option<String> {
    let (did, n) = done.split_once('.')?;
    let n: i64 = n.parse().ok()?;
    let readers = shown::counted(n, "reader is", "readers are");
    let still = match (did, left) {
        ("settled", 1) => " 1 is still in doubt.".to_owned(),
        ("settled", 2..) => format!(" {} are still in doubt.", shown::count(left)),
        _ => String::new(),
    };
    match (did, n) {
        ("settled" | "again", 0) => {
            Some("Nothing was changed: somebody else was faster.".to_owned())
        }
        ("settled", _) => Some(format!("{readers} taken as handed over.{still}")),
        ("again", _) => Some(format!("{readers} sent to again.")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_with_an_effect_needs_the_number_that_was_shown() {
        for (ordered, shown, other) in [
            (Ordered::Done(3), Some(3), false),
            (Ordered::Done(40), Some(3), true),
            (Ordered::Done(2), Some(3), true),
            (Ordered::Done(3), None, true),
            (Ordered::Done(0), Some(3), false),
            (Ordered::NotNow(MailingState::Cancelled), Some(3), false),
        ] {
            assert_eq!(is_other(ordered, shown), other, "{ordered:?} {shown:?}");
        }
    }

    #[test]
    fn what_was_done_is_said_with_its_numbers() {
        let said = |done: &str, left| said(done, left).unwrap_or_default();
        assert_eq!(
            said("settled.2", 7),
            "2 readers are taken as handed over. 7 are still in doubt."
        );
        assert_eq!(said("settled.1", 0), "1 reader is taken as handed over.");
        assert_eq!(said("again.9", 9), "9 readers are sent to again.");
        assert_eq!(
            said("again.0", 0),
            "Nothing was changed: somebody else was faster."
        );
        for other in ["", "settled", "settled.x", "saved.1"] {
            assert_eq!(said(other, 1), "", "{other}");
        }
    }
}
