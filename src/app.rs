//! The assembled parts, built once at start; the same in production and in tests.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use tokio_util::sync::CancellationToken;

use crate::admin::PasswordHasher;
use crate::config::Config;
use crate::db::group_commit::Bounds;
use crate::db::lock::FileLock;
use crate::db::{self, AccessError, Backend, Db, DbErr, PepperError};
use crate::digests::{self, Bodies};
use crate::mailer::Mailer;
use crate::mailer::mailing;
use crate::mailer::templates::Templates;
use crate::mailer::transport::{Transport, TransportError};
use crate::overview::Counted;
use crate::polls::{self, Station};
use crate::types::{Clock, Keys, Random, UnixMillis};
use crate::web::Pages;
use crate::web::limits::Limits;
use crate::web::pages::Parsed;

pub use crate::db::Role;

/// A handle to all parts. Cheap to clone; the state of the router.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// The parts.
#[derive(Debug)]
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The source of the current time.
    pub clock: Clock,
    /// The source of random bytes.
    pub random: Random,
    /// The keys derived from the secret key.
    pub keys: Keys,
    /// The templates of pages.
    pub pages: Pages,
    /// Parsed texts of issues, cached.
    pub bodies: Bodies,
    /// The number of readers of each newsletter, as the overview shows it.
    pub counted: Counted,
    /// Where editors' passwords are hashed, a few at a time.
    pub passwords: PasswordHasher,
    /// The templates of mails.
    pub mail_templates: Templates,
    /// The state that the mail lanes share.
    pub mailer: Mailer,
    /// How mails leave: SMTP, built-in mailbox or files.
    pub transport: Transport,
    /// Rate limits.
    pub limits: Limits,
    /// What polls keep in memory: definitions, live results, the queue of the ballot writers.
    pub polls: Station,
    /// The name of this node, for leases and logs.
    pub node: String,
    /// The stripe that this node uses of counters shared with other nodes.
    pub slot: i64,
    /// Cancelled when the process begins to stop: streams end, loops finish the work they have begun.
    pub stopping: CancellationToken,
    _lock: Option<FileLock>,
}

/// Why Canvass does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The secret key is missing or weak.
    #[error("secret_key: {0}")]
    SecretKey(String),
    /// The database or its schema cannot be used.
    #[error("database.url: {0}")]
    Access(#[from] AccessError),
    /// The database failed during start.
    #[error("database.url: {0}")]
    Db(#[from] DbErr),
    /// A template is broken.
    #[error("{0}")]
    Template(String),
    /// The mail transport cannot be used.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl From<PepperError> for StartError {
    fn from(error: PepperError) -> Self {
        match error {
            PepperError::OtherKey => Self::SecretKey(error.to_string()),
            PepperError::Db(error) => Self::Db(error),
        }
    }
}

/// How many stripes counters have on PostgreSQL.
const SLOTS: u64 = 16;

impl App {
    /// Locks the database (SQLite), opens and migrates it, and checks every template.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn build(
        config: Config,
        role: Role,
        clock: Clock,
        random: Random,
    ) -> Result<Self, StartError> {
        Self::build_within(config, role, clock, random, Bounds::default()).await
    }

    /// Like [`build`](Self::build), but with the writers of ballots limited by `bounds`.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn build_within(
        config: Config,
        role: Role,
        clock: Clock,
        random: Random,
        bounds: Bounds,
    ) -> Result<Self, StartError> {
        let keys = Keys::new(&config.secret_key).map_err(StartError::SecretKey)?;
        let (db, lock) = db::access(&config, role).await?;
        let keys = db::with_pepper(keys, &db, &random, role).await?;
        let parsed = PARSED.clone().map_err(StartError::Template)?;
        let pages = Pages::new(parsed, &config.site);
        let overrides = Some(config.mail.templates_dir.as_str()).filter(|dir| !dir.is_empty());
        let mail_templates = Templates::load(overrides.map(std::path::Path::new))
            .map_err(|e| StartError::Template(e.to_string()))?;
        let transport = match role {
            Role::Server => Transport::of(&config)?,
            Role::Tool => Transport::Nowhere,
        };
        let limits = Limits::new(&config.limits, &clock);
        let slot = match db.backend() {
            Backend::Sqlite => 0,
            Backend::Postgres => random.below(SLOTS) as i64,
        };
        if role == Role::Server {
            // The log may still hold rows that were erased just before an earlier server was killed.
            db.cut_log_soon();
            polls::adopt_ballots(&db, clock.now()).await?;
            hold_if_copied(&db, clock.now()).await?;
        }
        let stopping = CancellationToken::new();
        let mailer = Mailer::new(&config.mail, &stopping);
        if role == Role::Server {
            mailer.load_signing_keys(&db, &keys).await?;
        }
        let writers = (0..polls::ballot_writers(db.backend()))
            .map(|writer| slot_of(db.backend(), slot, writer))
            .collect();
        let capacity = config.polls.queue;
        let polls = Station::open(&db, &clock, &random, writers, capacity, bounds, &stopping);
        Ok(Self(Arc::new(Parts {
            node: crate::types::token::random_token(&random),
            slot,
            stopping,
            config,
            db,
            clock,
            random,
            keys,
            pages,
            mail_templates,
            mailer,
            transport,
            limits,
            bodies: Bodies::default(),
            counted: Counted::default(),
            passwords: PasswordHasher::default(),
            polls,
            _lock: lock,
        })))
    }

    /// The counter stripe of one of several writers in this process.
    pub(crate) fn slot_of(&self, writer: usize) -> i64 {
        slot_of(self.db.backend(), self.slot, writer)
    }
}

/// Holds back every issue of a database that is not where it was at the last start: if it is a copy, the original may
/// have sent them since. The cost of an honest move is one press on the page of each.
async fn hold_if_copied(db: &Db, now: UnixMillis) -> Result<(), DbErr> {
    const PAUSED: &str = "this database was copied or moved, and the original may send it to those who are waiting here";
    const HELD: &str = "This database was copied or moved, and the original may send it.";
    let Some(place) = db.place().await? else {
        return Ok(());
    };
    let txn = db.write_txn("place").await?;
    if !db::note_place(&txn, &place).await? {
        return txn.commit().await;
    }
    let paused = mailing::pause_all(&txn, PAUSED, now).await?;
    let held = digests::hold_all(&txn, HELD, now).await?;
    txn.commit().await?;
    tracing::warn!(
        paused,
        held,
        "this database was copied or moved since the last start: issues that were being sent are paused, and scheduled ones are held; \
         once it is certain that the original sends nothing, resume and send them on their pages"
    );
    Ok(())
}

fn slot_of(backend: Backend, slot: i64, writer: usize) -> i64 {
    match backend {
        Backend::Sqlite => 0,
        Backend::Postgres => (slot + writer as i64 * (SLOTS as i64 / 2)) % SLOTS as i64,
    }
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Parsed once, however many apps a process builds: for most tests it would be the largest part of their work.
static PARSED: LazyLock<Result<Parsed, String>> = LazyLock::new(|| Parsed::of(&templates()));

/// The templates of all features.
fn templates() -> Vec<crate::web::pages::Templates> {
    vec![
        crate::web::pages::PAGES,
        crate::admin::PAGES,
        crate::mailbox::PAGES,
        crate::articles::PAGES,
        crate::newsletters::PAGES,
        crate::digests::PAGES,
        crate::overview::PAGES,
        crate::polls::PAGES,
        crate::polls::ADMIN_PAGES,
        crate::subscriptions::ADMIN_PAGES,
        crate::subscriptions::PAGES,
    ]
}

/// An app for unit tests, on SQLite in `dir`, with the built-in mailbox.
#[cfg(test)]
pub(crate) async fn started(dir: &std::path::Path, clock: &Clock) -> App {
    let settings = [
        ("DATA_DIR", dir.display().to_string()),
        (
            "SECRET_KEY",
            "a secret key of at least 32 characters".into(),
        ),
        ("HTTP__PUBLIC_URL", "http://127.0.0.1:1".into()),
        ("MAIL__TRANSPORT", "mailbox".into()),
        ("MAIL__ALLOW_CAPTURE", "true".into()),
    ];
    let settings = settings.map(|(name, value)| (format!("CANVASS_{name}"), value));
    let config = crate::config::load(None, &settings).expect("settings");
    let app = App::build(config, Role::Server, clock.clone(), Random::seeded(1)).await;
    app.expect("an app")
}
