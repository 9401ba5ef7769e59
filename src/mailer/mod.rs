//! Mail: from "this has to be sent" to "the relay accepted it", or to a row that says why not.
//!
//! - [`outbox`]: single mails, enqueued in the transaction of their cause and sent before issues;
//! - [`mailing`]: issues: a frozen audience in leased batches, and a ledger of every recipient;
//! - [`relays`]: which relay gets a mail, and which relays are paused;
//! - [`smtp`]: SMTP transactions, one after another over a long-lived connection;
//! - `domains`: how many mails the recipients' providers accept at a time;
//! - [`reply`]: what a server's reply means;
//! - [`mime`]: messages as bytes, and editions that are compiled once and filled in per recipient;
//! - [`dkim`]: a signature on every mail by the domain of its sender;
//! - [`verp`]: a return path for each mail;
//! - [`templates`]: what mails look like;
//! - [`transport`]: relays, the built-in mailbox, or files;
//! - [`status()`]: what relays, providers and lanes do now, for the queue page and the metrics.
//!
//! [`start`] starts the lanes: tasks with at most one connection to each relay. One lane is reserved for single mails;
//! the others work through batches and check the outbox between two mails.
//!
//! The mailer knows no feature: its callers say what a mail contains and who gets it. It does know three tables of
//! `subscriptions`: before each mail it reads who is subscribed, and if a relay says that an address does not exist, it
//! ends the subscriptions and writes the suppression in the commit of that outcome.
//!
//! How a lane works:
//! - `lanes`: its loop. `leases`, `held`: what it may work on. `urgent`: when single mails overtake. `editions`:
//!   compiled issues, cached.
//! - `tries`: when a mail goes through another relay. `fate`: what became of it; `retry`, `patience`: when again,
//!   and how often. `breaker`, `pace`: when a relay is left alone.
//! - `remember`, `stop`: outcomes while the database is away, and mails that are being sent during a stop.
//!
//! Beside it: `measure`: gauges; `nesting`: how deep HTML may be for the CSS inliner; `dns`: look-ups that check keys.

mod breaker;
pub mod dkim;
pub mod dns;
mod domains;
mod editions;
mod fate;
mod held;
mod lanes;
mod leases;
pub mod mailing;
mod measure;
pub mod mime;
pub mod nesting;
pub mod outbox;
mod pace;
mod patience;
pub mod relays;
mod remember;
pub mod reply;
mod retry;
pub mod smtp;
mod status;
mod stop;
pub mod templates;
pub mod transport;
mod tries;
mod urgent;
pub mod verp;

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use self::dkim::Keyring;
use self::domains::Domains;
use self::editions::Editions;
use self::held::HeldLeases;
use self::mailing::FairQueue;
use self::mime::Edition;
use self::patience::Patience;
use self::status::Board;
use self::urgent::Urgent;
use crate::{
    app::App,
    config,
    db::{Db, DbErr, group_commit::Pulse},
    types::{IssueId, Keys, UnixMillis},
};

pub use lanes::start;
pub use measure::came_back;
pub use status::{BreakerState, Doing, DomainStatus, LaneStatus, RelayStatus, Status, status};

/// The state that the lanes of this process share.
#[derive(Debug)]
pub struct Mailer {
    board: Board,
    batches: HeldLeases,
    mails: HeldLeases,
    editions: Editions,
    domains: Domains,
    fair_queue: Arc<FairQueue>,
    urgent: Urgent,
    unspent: Patience,
    faults: Patience,
    refusals: mailing::Refusals,
    bounced: mailing::Bounced,
    keyring: Keyring,
    watches: mailing::Watches,
    /// The pulses of the ledger's writers, once those are started.
    ledger: OnceLock<Vec<Pulse>>,
}

impl Mailer {
    /// Takes the limits for recipients' providers from the configuration. `stopping` ends the watching of issues.
    #[must_use]
    pub fn new(settings: &config::Mail, stopping: &CancellationToken) -> Self {
        Self {
            board: Board::default(),
            batches: HeldLeases::default(),
            mails: HeldLeases::default(),
            editions: Editions::default(),
            domains: Domains::new(&settings.domains),
            fair_queue: Arc::default(),
            urgent: Urgent::default(),
            unspent: Patience::with_relays(),
            faults: Patience::with_faults(),
            refusals: mailing::Refusals::default(),
            bounced: mailing::Bounced::default(),
            keyring: Keyring::default(),
            watches: mailing::Watches::until(stopping),
            ledger: OnceLock::new(),
        }
    }

    /// Whether a writer of the ledger has ended, so that the relays' replies are no longer recorded.
    #[must_use]
    pub fn has_stopped_writing(&self) -> bool {
        let ledger = self.ledger.get().into_iter().flatten();
        ledger.into_iter().any(Pulse::has_stopped)
    }

    /// Records what a lane does now.
    fn report(&self, app: &App, lane: usize, doing: Doing) {
        self.board.set(lane, doing, app.clock.now());
    }

    /// Reads the signing keys when a server starts, and seals them again under the newest secret key.
    pub async fn load_signing_keys(&self, db: &Db, keys: &Keys) -> Result<(), DbErr> {
        self.keyring.seal_anew(db, keys).await?;
        self.keyring.load(db, keys).await
    }

    /// Signs a finished message for the domain of its sender. Without a key for the domain the message stays as it is.
    fn sign(&self, domain: &str, now: UnixMillis, message: &mut Vec<u8>) {
        self.keyring.sign(domain, now, message);
    }

    fn edition(&self, issue: IssueId) -> Option<Arc<Edition>> {
        self.editions.get(issue)
    }

    fn keep_edition(&self, issue: IssueId, edition: Arc<Edition>) -> Arc<Edition> {
        self.editions.keep(issue, edition)
    }

    fn held_batches(&self) -> &HeldLeases {
        &self.batches
    }

    fn held_mails(&self) -> &HeldLeases {
        &self.mails
    }
}

/// Checks whether a command or another node has changed the signing keys.
pub async fn refresh_signing_keys(app: &App) {
    if let Err(error) = app.mailer.keyring.load(&app.db, &app.keys).await {
        tracing::warn!(%error, "the DKIM keys could not be read; those in memory stay in use");
    }
}
