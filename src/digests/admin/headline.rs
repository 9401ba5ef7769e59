//! The headline on the page of an issue that is being sent: its state and the next thing to do. Pure.

use serde_json::{Value, json};

use super::compose::address;
use crate::admin::show;
use crate::mailer::mailing::{MailingState, Order, OrderKind, Progress};
use crate::scheduler::{Zone, written};
use crate::types::IssueId;

/// The headline; `None` while the issue is being sent without trouble.
pub(super) fn of(
    progress: &Progress,
    orders: &[Order],
    issue: IssueId,
    zone: &Zone,
) -> Option<Value> {
    let counts = &progress.counts;
    let failed = format!("{}/recipients?state=failed", address(issue));
    match progress.state {
        MailingState::Preparing => Some(say(
            "is-live",
            "The list of readers is being prepared.",
            "No mail has gone out yet. Sending starts by itself in a moment.".to_owned(),
            None,
        )),
        MailingState::Sending => (counts.failed > 0 && counts.sent == 0).then(|| {
            say(
                "is-bad",
                "Nothing has been accepted so far.",
                "Every attempt failed, and no mail was handed over.".to_owned(),
                Some((failed, "See what the relay says")),
            )
        }),
        MailingState::Paused => Some(paused(progress, orders, failed, zone)),
        MailingState::Cancelling => Some(say(
            "is-wait",
            "It is being cancelled.",
            "Readers who have not got it will not get it.".to_owned(),
            None,
        )),
        MailingState::Cancelled => Some(cancelled(progress, orders, zone)),
        MailingState::Finished => Some(finished(progress)),
    }
}

/// `failed`: the page with the recipients that failed.
fn paused(progress: &Progress, orders: &[Order], failed: String, zone: &Zone) -> Value {
    let stopped = orders
        .iter()
        .find(|order| matches!(order.kind, OrderKind::Pause | OrderKind::PausedItself));
    // Happens only in a restored or copied database, if the copy was made while the issue was being prepared.
    let uncounted = (progress.counts.audience == 0).then_some(
        "Its readers have not been counted yet. Resuming counts those who were subscribed when it was sent, and continues with them.",
    );
    if stopped.is_some_and(|order| order.kind == OrderKind::PausedItself) {
        let reason = progress.reason.trim_end_matches('.');
        let (then, link) = if progress.counts.failed > 0 {
            let then =
                "Resume once that is settled; those that failed can be sent to again afterwards.";
            (then, Some((failed, "What the relay said")))
        } else {
            ("Resume once that is settled.", None)
        };
        let uncounted = uncounted.map_or_else(String::new, |words| format!(" {words}"));
        return say(
            "is-bad",
            "Canvass paused this issue automatically.",
            format!("The reason: {reason}. {then}{uncounted}"),
            link,
        );
    }
    let text = uncounted.map_or_else(
        || {
            let by = stopped.map_or_else(String::new, |order| {
                let at = written::short(order.at.timestamp(), zone);
                format!("It was paused by {} on {at}. ", order.who)
            });
            format!("{by}Resuming sends to exactly those who are waiting.")
        },
        str::to_owned,
    );
    say(
        "is-wait",
        "Nothing goes out until somebody resumes it.",
        text,
        None,
    )
}

fn finished(progress: &Progress) -> Value {
    let counts = &progress.counts;
    let readers = |n: i64| show::counted(n, "reader", "readers");
    if counts.unknown > 0 {
        return say(
            "is-wait",
            &format!("Finished, with {} in doubt.", readers(counts.unknown)),
            "A connection broke or Canvass ended at the last moment, so nobody knows whether they got it. They are mailed again only if somebody says so.".to_owned(),
            // The button below leads there.
            None,
        );
    }
    if counts.failed > 0 {
        return say(
            "is-wait",
            &format!("Finished; {} could not be mailed.", readers(counts.failed)),
            "The reasons are below. Those who may still be mailed can be sent to again.".to_owned(),
            None,
        );
    }
    let sent = readers(counts.sent);
    say(
        "is-good",
        "Finished.",
        format!("The relay has accepted the mail for everybody who could be mailed: {sent}."),
        None,
    )
}

fn cancelled(progress: &Progress, orders: &[Order], zone: &Zone) -> Value {
    let counts = &progress.counts;
    let by = orders.iter().find(|order| order.kind == OrderKind::Cancel);
    let by = by.map_or_else(
        || "It was cancelled.".to_owned(),
        |order| {
            let at = written::short(order.at.timestamp(), zone);
            format!("It was cancelled by {} on {at}.", order.who)
        },
    );
    let readers = |n: i64| show::counted(n, "reader", "readers");
    let in_doubt = match counts.unknown {
        0 => String::new(),
        1 => " 1 reader is in doubt and may have got it.".to_owned(),
        n => format!(" {} are in doubt and may have got it.", readers(n)),
    };
    let text = match (counts.sent, counts.unknown) {
        (0, 0) => format!("{by} Nobody had received it by then."),
        (0, _) => format!("{by}{in_doubt} Nobody else gets it."),
        (sent, _) => format!(
            "{by} {} had been handed over by then; a mail cannot be recalled.{in_doubt} The others do not get it; a new issue would go to everybody.",
            readers(sent)
        ),
    };
    say("is-bad", "Cancelled.", text, None)
}

fn say(tone: &str, heading: &str, text: String, link: Option<(String, &str)>) -> Value {
    json!({
        "tone": tone, "heading": heading, "text": text, "alert": tone == "is-bad",
        "link": link.map(|(href, words)| json!({ "href": href, "words": words })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailer::mailing::Counts;
    use crate::types::UnixMillis;

    fn heading(state: MailingState, counts: Counts, kind: Option<OrderKind>) -> String {
        let progress = Progress {
            state,
            reason: "the relay refuses our mail".to_owned(),
            counts,
            reasons: Vec::new(),
            doubts: Vec::new(),
            came_back: Vec::new(),
            not_before: UnixMillis(0),
            started: None,
            finished: None,
        };
        let orders: Vec<Order> = kind
            .map(|kind| Order {
                kind,
                who: "Mara".to_owned(),
                recipients: 0,
                detail: String::new(),
                at: UnixMillis(1_795_000_000_000),
            })
            .into_iter()
            .collect();
        of(&progress, &orders, IssueId(7), &Zone::utc())
            .map(|said| format!("{} {}", said["heading"], said["text"]).replace('"', ""))
            .unwrap_or_default()
    }

    #[test]
    fn every_state_says_how_it_stands() {
        let counts = |sent, queued, failed, unknown| Counts {
            audience: sent + queued + failed + unknown,
            sent,
            queued,
            failed,
            unknown,
            ..Counts::default()
        };
        let one = counts(1_200, 300, 0, 0);
        let said = heading(MailingState::Paused, one.clone(), Some(OrderKind::Pause));
        assert!(
            said.contains("resumes it. It was paused by Mara on 18 Nov 2026"),
            "{said}"
        );
        let said = heading(
            MailingState::Paused,
            one.clone(),
            Some(OrderKind::PausedItself),
        );
        assert!(
            said.starts_with("Canvass paused this issue automatically."),
            "{said}"
        );
        assert!(said.contains("the relay refuses our mail"), "{said}");
        assert_eq!(heading(MailingState::Sending, one.clone(), None), "");
        let said = heading(MailingState::Paused, counts(0, 0, 0, 0), None);
        assert!(said.contains("not been counted yet"), "{said}");
        let said = heading(MailingState::Cancelled, one, Some(OrderKind::Cancel));
        assert!(
            said.contains("1,200 readers had been handed over"),
            "{said}"
        );
        let nobody = counts(0, 0, 0, 0);
        let said = heading(MailingState::Cancelled, nobody, Some(OrderKind::Cancel));
        assert!(said.contains("Nobody had received it"), "{said}");
        let doubts = counts(0, 0, 0, 3);
        let said = heading(MailingState::Cancelled, doubts, Some(OrderKind::Cancel));
        assert!(said.contains("3 readers are in doubt"), "{said}");
        assert!(!said.contains("Nobody had received it"), "{said}");
        let said = heading(MailingState::Finished, counts(5, 0, 3, 2), None);
        assert!(
            said.starts_with("Finished, with 2 readers in doubt."),
            "{said}"
        );
        let said = heading(MailingState::Finished, counts(5, 0, 1, 0), None);
        assert!(
            said.starts_with("Finished; 1 reader could not be mailed."),
            "{said}"
        );
        let said = heading(MailingState::Finished, counts(5, 0, 0, 0), None);
        assert!(
            said.starts_with("Finished. The relay has accepted"),
            "{said}"
        );
    }
}
