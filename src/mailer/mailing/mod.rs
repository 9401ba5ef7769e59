//! The sending half of an issue: a frozen audience, leased batches, and a ledger of each recipient's outcome.
//!
//! A `mailing` row is written in the transaction that freezes the issue, and belongs to the mailer from then on:
//! *preparing* (the audience is frozen from one snapshot into `mail_batch` rows of packed reader ids) → *sending* (from
//! `not_before_ms`; the time to undo lies before the hand-over) ⇄ *paused* → *finished*, or *cancelling* → *cancelled*.
//!
//! `delivery` has a row for each recipient that was attempted or skipped; no row means: still to be sent. Deferred
//! recipients go into a new batch, with its own `not_before_ms`, in the commit that closes the old one.
//! `issue_tally` counts (state, reason) in the same commit as the rows, so that at every instant
//! audience = queued + sent + deferred + failed + unknown + skipped; reports that come back later are counted beside
//! them, under a state of their own. Server replies other than 250 are kept in `delivery_attempt`.
//!
//! An editor can order a resend to the recipients that failed or are in doubt. They go into new batches too, and a
//! finished mailing is *sending* again. `mailing_order` records who ordered what and when.
//!
//! The flow, step by step, with the names of the crash points at which tests end the process ([`crash_point`]):
//!
//! 1. *prepare*: claim (`prepare_begun`), chunks of batches (`prepare_chunk`), the last of them with the size of the
//!    audience (`prepare_end`, before its commit);
//! 2. *lease*: a batch is leased, and its fence rises (`lease_taken`, after the commit);
//! 3. MAIL, RCPT and DATA up to the relay's `354` (`before_intent`); pipelined with step 5 of the previous mail if
//!    possible;
//! 4. the intent's commit, which carries the previous outcome (`in_ledger_commit`, `after_ledger_commit`, and
//!    `after_intent` when the lane knows that it is done);
//! 5. the message (`in_body`) and the final dot (`after_dot`: the reply is not read yet);
//! 6. the reply (`after_reply`: its outcome is not on disk yet), and its commit (`after_outcome`); if the relay closed
//!    the session instead of accepting the mail, that commit takes the intent back, and the recipient is as before step
//!    4;
//! 7. the end of the batch, with the retry batches (`in_batch_end`, before the commit; `after_batch_end`);
//! 8. the end of the mailing, in the commit that ends the last batch (`in_finish`).
//!
//! A crash between the intent's commit (4) and the outcome's (6) leaves the recipient in doubt; anywhere else it costs
//! nothing. During a stop, the relay has 7 s to reply to a mail that is being sent; after that the mail is in doubt as
//! well.
//!
//! If a lane cannot write an outcome because the database is unavailable, it keeps the outcome in memory and retries,
//! for ten minutes at most.
//!
//! [`crash_point`]: crate::config::crash_point
//!
//! Promises: every write of a batch's holder is refused once another lane holds it (the fence); an intent is on disk
//! before a final dot is sent; nothing is sent while the mailing is not in *sending*, checked in the intent's commit;
//! a crash leaves at most one recipient per connection in doubt.
//!
//! Files, in the order of the flow:
//! - `prepare`, `readers`: freezing the audience, in batches. `fair_queue`, `lease`: which batch is next, and what
//!   is still to do in it. `run`: a lane works through it. `ledger`: writes intents and outcomes. `rest`: the
//!   batches of what is left.
//! - `bounces`, `refusals`: what pauses an issue by itself. `control`, `cancel`: pausing, cancelling, finishing.
//! - `settle`, `allow_again`, `orders`: orders of editors and operators, and their record.
//! - `states`, `progress`, `watch`, `deferred`, `waiting`, `recipients`, `attempts`, `preview`: what is shown.

mod allow_again;
mod attempts;
mod bounces;
mod cancel;
mod control;
mod deferred;
mod fair_queue;
mod lease;
mod ledger;
mod orders;
mod prepare;
mod preview;
mod progress;
mod readers;
mod recipients;
mod refusals;
mod rest;
mod run;
mod settle;
mod states;
mod waiting;
mod watch;

pub use allow_again::{AllowedAgain, allow_again};
pub use attempts::{Attempt, attempts, forget_reader, message_id_of};
pub use bounces::{CameBack, NO_SUCH_ADDRESS, Noted, Weak, came_back, enough, note};
pub use control::{Change, Handover, Steer, hand_over, pause, pause_all, steer};
pub use deferred::{Deferrals, DeferredDomain, deferrals};
pub use orders::{By, Order, OrderKind, accepted_by, orders};
pub use preview::{Size, frozen, measure, preview, send_test};
pub use progress::{
    Counts, DeliveryStateName, Progress, Trouble, audience, oldest_due, progress, progress_in,
    to_be_frozen, troubles,
};
pub use recipients::{
    After, Listed, Recipient, Standing, Wanted, readers_named, recipient, recipients,
};
pub use settle::{
    Ordered, Verdict, Which, bounced_and_back, resend_failed, settle_unknown, tallied,
};
pub use states::{BatchState, DeliveryState, MailingState, Reason};

pub use watch::{Pace, Snapshot, watch};

pub(super) use bounces::{Bounced, REPORTED};
pub(super) use fair_queue::{FairQueue, look};
pub(super) use lease::lease;
pub(super) use ledger::{Ledger, start as start_ledger};
pub(super) use refusals::Refusals;
pub(super) use run::{Ended, run};
pub(super) use watch::Watches;

use crate::{app::App, db::Unfinished};

/// Does the background work: freezes audiences, writes off cancelled issues, finishes mailings that are done.
///
/// # Errors
/// Something failed; the next tick tries again.
pub async fn tick(app: &App) -> Result<(), Unfinished> {
    // All of them run, even if one fails.
    let prepared = prepare::prepare_due(app).await;
    let cancelled = cancel::sweep(app).await;
    // First an error that nobody has logged yet.
    control::finish_done(app).await?;
    Unfinished::both(prepared, cancelled).map(drop)
}
