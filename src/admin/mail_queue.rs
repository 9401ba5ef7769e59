//! `/admin/mail`: relays and lanes, what is waiting and why, what failed, and what can be done about it.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::mail_queue_store::{self as store, Mail, Mailing, Single};
use super::{Editor, EditorForm, mail_relays, show};
use crate::app::App;
use crate::config::Transport;
use crate::mailer;
use crate::mailer::mailing::{self, MailingState};
use crate::mailer::outbox::{self, MailState, Order};
use crate::scheduler::Zone;
use crate::types::{OutboxId, UnixMillis};
use crate::web::Problem;

/// A single mail that waits longer than this needs attention: normally they leave within a second.
const LONG: Duration = Duration::from_secs(5 * 60);

pub async fn show(State(app): State<App>, editor: Editor) -> Result<Response, Problem> {
    let single = store::single(&app.db).await?;
    let mails = store::mails(&app.db).await?;
    let mailings = store::mailings(&app.db).await?;
    let all_mailings = store::all_mailings(&app.db).await?;
    let zone = store::time_zone(&app.db).await?;
    let zone = zone.and_then(|name| Zone::parse(&name).ok());
    let zone = zone.unwrap_or_else(Zone::utc);
    let now = app.clock.now();
    let status = mailer::status(&app);
    let due = mailing::oldest_due(&app.db).await?.filter(|at| *at < now);
    let number = |label: &str, value: String| json!({ "label": label, "value": value });
    let when = |label: &str, at: Option<UnixMillis>| json!({ "label": label, "value": at.map_or("\u{2013}".to_owned(), |at| show::time(at, &zone).text), "when": at.is_some() });
    let page = json!({
        "frame": editor.frame(),
        "zone": zone.name(),
        "by_day": status.relays.iter().any(|r| r.today.is_some()),
        "relay": relay(app.config.mail.transport, &single, now),
        "numbers": [
            number("Single mails waiting", show::count(single.waiting)),
            when("Oldest waits since", single.oldest),
            number("Single mails failed", show::count(single.failed)),
            number("Single mails in doubt", show::count(single.unknown)),
            when("Oldest mail of an issue due since", due),
        ],
        "relays": status.relays.iter().map(|r| mail_relays::relay(r, &zone)).collect::<Vec<_>>(),
        "domains": status.domains.iter().map(|d| mail_relays::domain(d, &zone)).collect::<Vec<_>>(),
        "lanes": mail_relays::lanes(&status.lanes, &zone),
        "more_mailings": more(&[(all_mailings - count(&mailings), "issue", "issues")]),
        "more_mails": more_mails(&single, &mails),
        "mailings": mailings.iter().map(mailing).collect::<Vec<_>>(),
        "outbox": mails.iter().map(|mail| single_mail(mail, now, &zone)).collect::<Vec<_>>(),
    });
    app.pages.render("admin/mail_queue", &page)
}

/// `POST /admin/mail`: retries a single mail now, or settles one in doubt.
pub async fn order(
    State(app): State<App>,
    EditorForm { form, .. }: EditorForm,
) -> Result<Response, Problem> {
    let mail = form.text("mail")?.parse().map(OutboxId);
    let order = match form.text("what")?.as_str() {
        "now" => Order::TryNow,
        "resend" => Order::Resend,
        "accept" => Order::Accept,
        _ => return Err(Problem::bad_request("Choose what to do with it.")),
    };
    let mail = mail.map_err(|_| Problem::not_found())?;
    let txn = app.db.write_txn("outbox_order").await?;
    outbox::order(&txn, mail, order, app.clock.now()).await?;
    txn.commit().await?;
    // The page shows the current state: it is no error if somebody else was faster.
    Ok(Redirect::to("/admin/mail").into_response())
}

/// The state of the relay as seen from here: nothing is known about it except how it treats our mail.
fn relay(transport: Transport, single: &Single, now: UnixMillis) -> Value {
    let say = |tone: &str, heading: &str, text: &str| json!({ "tone": tone, "heading": heading, "text": text });
    match transport {
        Transport::Mailbox => {
            let mut said = say(
                "",
                "Nothing leaves this machine.",
                "Mails stay in the built-in mailbox.",
            );
            said["mailbox"] = true.into();
            return said;
        }
        Transport::File => {
            return say(
                "",
                "Nothing leaves this machine.",
                "Mails are written to files below the data directory.",
            );
        }
        Transport::Smtp => {}
    }
    let late = single.oldest.is_some_and(|at| now.since(at) > LONG);
    match (late, single.tried > 0) {
        (true, true) => say(
            "is-bad",
            "Mail is not getting through.",
            "The oldest single mail has been waiting for more than five minutes, despite attempts. The reason is shown beside it below.",
        ),
        (true, false) => say(
            "is-bad",
            "Mail is not being sent.",
            "The oldest single mail has been waiting for more than five minutes without an attempt. Is the server running with its background tasks?",
        ),
        (false, true) => say(
            "is-wait",
            "Some mail is deferred.",
            "It is retried automatically; the relay’s reply is shown below.",
        ),
        (false, false) => say(
            "is-good",
            "No single mail is late.",
            "How the relays and the issues are doing is shown below.",
        ),
    }
}

fn count<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// What the list of single mails leaves out: of those that did not go out the older ones, of those that wait the newer
/// ones.
fn more_mails(single: &Single, mails: &[Mail]) -> Option<String> {
    let waits = |mail: &&Mail| {
        MailState::of(mail.state).is_some_and(|state| MailState::WAITING.contains(&state))
    };
    let waiting = mails.iter().filter(waits).count() as i64;
    let ended = count(mails) - waiting;
    more(&[
        (
            single.failed + single.unknown - ended,
            "older mail that did not go out",
            "older mails that did not go out",
        ),
        (
            single.waiting - waiting,
            "newer mail that is waiting",
            "newer mails that are waiting",
        ),
    ])
}

/// What a list leaves out, in words: number, its noun for one, its noun for several. Rows may come and go between two
/// queries.
fn more(left_out: &[(i64, &str, &str)]) -> Option<String> {
    let words: Vec<String> = left_out
        .iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, many)| show::counted(*n, one, many))
        .collect();
    (!words.is_empty()).then(|| format!("Not shown: {}.", words.join(", ")))
}

fn mailing(m: &Mailing) -> Value {
    let (state, badge) = show::mailing(MailingState::of(m.state), m.failed + m.unknown);
    let waiting = m.audience - m.sent - m.deferred - m.failed - m.unknown - m.skipped;
    json!({
        "id": m.issue, "subject": m.subject, "state": state, "badge": badge,
        "audience": show::count(m.audience), "sent": show::count(m.sent),
        "to_go": some(&[(waiting, "waiting"), (m.deferred, "deferred")]),
        "not_sent": some(&[(m.failed, "failed"), (m.unknown, "in doubt"), (m.skipped, "skipped")]),
    })
}

/// The numbers that are not zero: `18 failed, 10 skipped`. A line may break after a comma, but not between a number
/// and its word.
fn some(numbers: &[(i64, &str)]) -> String {
    let some = numbers.iter().filter(|(n, _)| *n != 0);
    let words: Vec<String> = some
        .map(|(n, what)| format!("{} {what}", show::count(*n)).replace(' ', "\u{a0}"))
        .collect();
    words.join(", ")
}

fn single_mail(mail: &Mail, now: UnixMillis, zone: &Zone) -> Value {
    use MailState::{Expired, Failed, Intent, Unknown, Waiting};
    let stands = MailState::of(mail.state);
    let (state, badge) = match (stands, mail.attempt) {
        (Some(Waiting), 0) => ("Waiting", "is-neutral"),
        (Some(Waiting), _) => ("Deferred", "is-wait"),
        (Some(Intent), _) => ("Being sent", "is-live"),
        (Some(Unknown), _) => ("In doubt", "is-bad"),
        (Some(Expired), _) => ("Expired", "is-bad"),
        _ => ("Failed", "is-bad"),
    };
    let waits = matches!(stands, Some(Waiting | Intent));
    let in_doubt = stands == Some(Unknown);
    json!({
        "kind": kind(&mail.template), "state": state, "badge": badge, "since": show::time(mail.since, zone),
        "next": waits.then(|| show::time(mail.next, zone)), "attempt": show::count(mail.attempt), "reply": mail.reply,
        "id": mail.id.0,
        "try_now": stands == Some(Waiting) && mail.next > now,
        "in_doubt": in_doubt,
        "resend": in_doubt && mail.expires > now,
        "gone": matches!(stands, Some(Failed | Expired)),
    })
}

/// A template's name in words: `confirm-subscription` is “Confirm subscription”.
fn kind(template: &str) -> String {
    show::capital(&template.replace(['-', '_', '/'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_the_relay_follows_from_what_waits() {
        let now = UnixMillis(10_000_000);
        let tone = |single: Single| relay(Transport::Smtp, &single, now)["tone"].clone();
        assert_eq!(tone(Single::default()), "is-good");
        assert_eq!(
            tone(Single {
                tried: 1,
                oldest: Some(now),
                ..Single::default()
            }),
            "is-wait"
        );
        assert_eq!(
            tone(Single {
                oldest: Some(UnixMillis(0)),
                ..Single::default()
            }),
            "is-bad"
        );
        assert_eq!(
            relay(Transport::Mailbox, &Single::default(), now)["tone"],
            ""
        );
        assert_eq!(kind("confirm-subscription"), "Confirm subscription");
        assert_eq!(kind(""), "");
    }

    #[test]
    fn numbers_of_nothing_are_left_out() {
        assert_eq!(
            some(&[(1_800, "failed"), (0, "in doubt"), (10, "skipped")]),
            "1,800\u{a0}failed, 10\u{a0}skipped"
        );
        assert_eq!(some(&[(0, "waiting")]), "");
    }
}
