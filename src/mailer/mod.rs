//! Mail: from "this has to be sent" to "the relay took it", or a row that says why not.
//!
//! - [`outbox`]: single mails, enqueued in the transaction of their cause; they go first;
//! - [`mailing`]: issues: a frozen audience in leased batches, and a ledger of every recipient;
//! - [`relays`]: which relay takes a mail, and which ones rest;
//! - [`smtp`]: one conversation after another over a long-lived connection;
//! - `domains`: what the recipients' providers take at a time;
//! - [`reply`]: what a server's answer means;
//! - [`mime`]: messages as bytes, and editions that are compiled once and filled per recipient;
//! - [`dkim`]: every mail leaves signed by the domain of its sender;
//! - [`verp`]: a return path for each mail;
//! - [`templates`]: what mails look like;
//! - [`transport`]: relays, the built-in mailbox, or files;
//! - [`status()`]: what relays, providers and lanes do now, for those who look.
//!
//! [`start`] starts the lanes: tasks with one connection each. One is reserved for single mails, the others work
//! through batches and look into the outbox between two mails.
//!
//! The mailer knows no feature: what a mail says, and who should get it, is handed to it. It knows three tables of
//! `subscriptions`, though: it reads who is subscribed before each mail, and where a relay says that an address does not
//! exist, it ends the subscriptions and writes the suppression in the commit of that outcome.

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
mod urgent;
pub mod verp;

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use self::dkim::Keyring;
use self::domains::Domains;
use self::editions::Editions;
use self::held::HeldLeases;
use self::mailing::Turns;
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
pub use status::{BreakerState, Doing, DomainStatus, LaneStatus, RelayStatus, Status, status};

/// What the lanes of this process share.
#[derive(Debug)]
pub struct Mailer {
    board: Board,
    batches: HeldLeases,
    mails: HeldLeases,
    editions: Editions,
    domains: Domains,
    turns: Arc<Turns>,
    urgent: Urgent,
    unspent: Patience,
    faults: Patience,
    refusals: mailing::Refusals,
    bounced: mailing::Bounced,
    keyring: Keyring,
    watches: mailing::Watches,
    /// Of the ledger's writers, once they are started.
    ledger: OnceLock<Vec<Pulse>>,
}

impl Mailer {
    /// With the limits that the configuration sets for recipients' providers. `stopping` ends what is watched.
    #[must_use]
    pub fn new(settings: &config::Mail, stopping: &CancellationToken) -> Self {
        Self {
            board: Board::default(),
            batches: HeldLeases::default(),
            mails: HeldLeases::default(),
            editions: Editions::default(),
            domains: Domains::new(&settings.domains),
            turns: Arc::default(),
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

    /// Whether a writer of the ledger is gone: nothing of what relays say is written down.
    #[must_use]
    pub fn has_stopped_writing(&self) -> bool {
        let ledger = self.ledger.get().into_iter().flatten();
        ledger.into_iter().any(Pulse::has_stopped)
    }

    /// A lane says what it does.
    fn report(&self, app: &App, lane: usize, doing: Doing) {
        self.board.set(lane, doing, app.clock.now());
    }

    /// Reads the signing keys, at the start of a server; they are sealed anew under the newest secret key.
    pub async fn load_signing_keys(&self, db: &Db, keys: &Keys) -> Result<(), DbErr> {
        self.keyring.seal_anew(db, keys).await?;
        self.keyring.load(db, keys).await
    }

    /// Signs a finished message for the domain of its sender; without a key for it the message stays as it is.
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

/// Looks whether the signing keys have changed: a command, or another node, may have done it.
pub async fn refresh_signing_keys(app: &App) {
    if let Err(error) = app.mailer.keyring.load(&app.db, &app.keys).await {
        tracing::warn!(%error, "the DKIM keys could not be looked at; those in memory go on signing");
    }
}
