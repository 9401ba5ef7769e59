//! Gauges of the mail, for `/metrics`. Labels are relays, states, reasons and what lanes do, so their number is bounded by the
//! configuration; an issue, a domain or an address is never a label.

use std::time::Duration;

use sea_orm::FromQueryResult;

use super::{
    mailing::{self, DeliveryState, MailingState, REPORTED, Reason},
    outbox,
    status::{BreakerState, Doing, status},
};
use crate::{
    app::App,
    db::{self, DbErr},
};

/// The states of an unfinished mailing, in the order of their codes.
const MAILINGS: [&str; 4] = ["preparing", "sending", "paused", "cancelling"];

/// Why recipients failed.
const FAILED: [(&str, Reason); Reason::FAILURES.len()] = [
    ("refused", Reason::Refused),
    ("ours", Reason::Ours),
    ("expired", Reason::Expired),
    ("bad_address", Reason::BadAddress),
    ("internal", Reason::Internal),
];

/// What reports say about mails that had been handed over.
const CAME_BACK: [(&str, Reason); 4] = [
    ("ours", Reason::Ours),
    ("bad_address", Reason::BadAddress),
    ("complaint", Reason::Complained),
    ("unauthenticated", Reason::Unauthenticated),
];
/// Reports arrive for some days after an issue has ended.
const REPORTS: Duration = Duration::from_secs(3 * 24 * 3_600);

/// Single mails in the queue. Somebody is waiting for each of them.
pub(super) async fn outbox(app: &App) -> Result<(), DbErr> {
    let depth = outbox::depth(app).await?;
    let age = depth
        .oldest
        .map_or(0.0, |at| app.clock.now().since(at).as_secs_f64());
    metrics::gauge!("canvass_outbox_waiting").set(depth.waiting as f64);
    metrics::gauge!("canvass_outbox_oldest_seconds").set(age);
    Ok(())
}

/// The relays and lanes of this process.
pub(super) fn relays(app: &App) {
    let status = status(app);
    for relay in status.relays {
        let gauge = |name: &'static str, value: f64| {
            metrics::gauge!(name, "relay" => relay.name.clone()).set(value);
        };
        gauge("canvass_relay_connections", f64::from(relay.connections));
        // Half-open counts as open: otherwise a relay that hangs would look healthy half of the time.
        let open = relay.breaker != BreakerState::Closed;
        gauge("canvass_relay_breaker_open", f64::from(u8::from(open)));
        if let Some(today) = relay.today {
            gauge("canvass_relay_mails_today", today as f64);
        }
        if let Some(limit) = relay.per_day {
            gauge("canvass_relay_mails_per_day_limit", limit as f64);
        }
    }
    let doing = |doing: Doing| match doing {
        Doing::Idle => 0,
        Doing::SingleMail => 1,
        Doing::Issue { .. } => 2,
        Doing::WaitsForRelay => 3,
    };
    let mut lanes = [0u32; 4];
    for lane in &status.lanes {
        lanes[doing(lane.doing)] += 1;
    }
    for (name, n) in ["idle", "single_mail", "issue", "waits_for_relay"]
        .into_iter()
        .zip(lanes)
    {
        metrics::gauge!("canvass_mail_lanes", "doing" => name).set(f64::from(n));
    }
}

/// Unfinished issues and their recipients; the numbers are the same on every node.
pub(super) async fn mailings(app: &App) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Mailings {
        state: i16,
        mailings: i64,
        audience: i64,
    }
    #[derive(FromQueryResult)]
    struct Recipients {
        state: i16,
        reason: i16,
        n: i64,
    }
    let finished = MailingState::Finished.code();
    let (mut mailings, mut audience) = ([0i64; 4], 0i64);
    let rows: Vec<Mailings> = db::find_all(
        app.db.read(),
        "SELECT state, CAST(COUNT(*) AS BIGINT) AS mailings, CAST(SUM(audience) AS BIGINT) AS audience
         FROM mailing WHERE state < $1 GROUP BY state",
        [finished.into()],
    )
    .await?;
    for row in rows {
        let place = usize::try_from(row.state).ok();
        if let Some(n) = place.and_then(|place| mailings.get_mut(place)) {
            *n = row.mailings;
        }
        audience += row.audience;
    }
    let states = [
        ("sent", DeliveryState::Sent),
        ("deferred", DeliveryState::Deferred),
        ("failed", DeliveryState::Failed),
        ("unknown", DeliveryState::Unknown),
        ("skipped", DeliveryState::Skipped),
    ];
    let (mut recipients, mut failed) = ([0i64; 5], [0i64; FAILED.len()]);
    let rows: Vec<Recipients> = db::find_all(
        app.db.read(),
        "SELECT t.state, t.reason, CAST(SUM(t.n) AS BIGINT) AS n FROM mailing m JOIN issue_tally t ON t.issue_id = m.issue_id
         WHERE m.state < $1 GROUP BY t.state, t.reason",
        [finished.into()],
    )
    .await?;
    for row in rows {
        let state = DeliveryState::of(row.state);
        if let Some(at) = states.iter().position(|(_, known)| Some(*known) == state) {
            recipients[at] += row.n;
        }
        let reason = FAILED
            .iter()
            .position(|(_, known)| known.code() == row.reason);
        if let Some(at) = reason.filter(|_| state == Some(DeliveryState::Failed)) {
            failed[at] = row.n;
        }
    }
    for (name, n) in MAILINGS.into_iter().zip(mailings) {
        metrics::gauge!("canvass_mailings", "state" => name).set(n as f64);
    }
    let recipient = |state: &'static str, n: i64| {
        metrics::gauge!("canvass_recipients", "state" => state).set(n as f64);
    };
    for ((name, _), n) in states.into_iter().zip(recipients) {
        recipient(name, n);
    }
    recipient("queued", audience - recipients.iter().sum::<i64>());
    for ((reason, _), n) in FAILED.into_iter().zip(failed) {
        metrics::gauge!("canvass_recipients_failed", "reason" => reason).set(n as f64);
    }
    let now = app.clock.now();
    let due = mailing::oldest_due(&app.db).await?.filter(|at| *at < now);
    let age = due.map_or(0.0, |at| now.since(at).as_secs_f64());
    metrics::gauge!("canvass_mailings_oldest_due_seconds").set(age);
    for (reason, n) in came_back(app).await? {
        metrics::gauge!("canvass_mails_came_back", "reason" => reason).set(n as f64);
    }
    Ok(())
}

/// How many reports there are, by label, about the issues that are not finished or have ended recently. `canvass bounce`
/// is a process of its own, so they are read from the database.
///
/// # Errors
/// On a database error.
pub async fn came_back(app: &App) -> Result<[(&'static str, i64); CAME_BACK.len()], DbErr> {
    #[derive(FromQueryResult)]
    struct Reports {
        reason: i16,
        n: i64,
    }
    let since = app.clock.now() - REPORTS;
    let rows: Vec<Reports> = db::find_all(
        app.db.read(),
        "SELECT t.reason, CAST(SUM(t.n) AS BIGINT) AS n FROM mailing m JOIN issue_tally t ON t.issue_id = m.issue_id
         WHERE t.state = $1 AND (m.state < $2 OR m.finished_ms >= $3) GROUP BY t.reason",
        [REPORTED.into(), MailingState::Finished.code().into(), since.into()],
    )
    .await?;
    Ok(CAME_BACK.map(|(label, reason)| {
        let row = rows.iter().find(|row| row.reason == reason.code());
        (label, row.map_or(0, |row| row.n))
    }))
}
