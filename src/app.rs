//! The assembled parts, built once at start; the same in production and in tests.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::admin::PasswordHasher;
use crate::config::Config;
use crate::db::group_commit::Bounds;
use crate::db::lock::{FileLock, LockError};
use crate::db::migrate::{MigrateError, is_new, migrate, up_to_date};
use crate::db::{self, Backend, Db, DbErr, OpenError, restored_file};
use crate::digests::Bodies;
use crate::mailer::Mailer;
use crate::mailer::templates::Templates;
use crate::mailer::transport::{Transport, TransportError};
use crate::overview::Counted;
use crate::polls::{self, Station};
use crate::types::{Clock, Keys, Purpose, Random};
use crate::web::Pages;
use crate::web::limits::Limits;

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
    /// Another process holds the SQLite database, or its directory is unusable.
    #[error("database.url: {0}")]
    Lock(#[from] LockError),
    /// The database cannot be used.
    #[error("database.url: {0}")]
    Open(#[from] OpenError),
    /// The schema cannot be used.
    #[error("database.url: {0}")]
    Migrate(#[from] MigrateError),
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

/// How the process uses the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Serves requests and sends mail. On SQLite it must be the only server; it migrates the schema.
    Server,
    /// A command that runs beside servers and must not change their schema. It migrates only a database that nobody
    /// else can be using (on SQLite while no server holds the file, on PostgreSQL an empty database); otherwise the
    /// schema must be up to date.
    Tool,
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
        let (db, lock) = open(&config, role).await?;
        let keys = keys
            .clone()
            .with_pepper(pepper(&db, &keys, &random, role).await?);
        let pages = Pages::new(&templates(), &config.site).map_err(StartError::Template)?;
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

/// How long a server waits for the database lock: a command may hold it while it migrates the schema.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// Opens the database, makes sure that its schema is up to date, and on SQLite takes the lock for a server. Only
/// one server may use a SQLite file. A tool takes the lock only to migrate, and does without it while a server
/// holds it. On PostgreSQL a tool migrates only an empty database.
///
/// # Errors
/// [`StartError`].
pub async fn open(config: &Config, role: Role) -> Result<(Db, Option<FileLock>), StartError> {
    let url = config.database_url();
    let connections = config.database_connections();
    let Some(file) = config.database_file() else {
        let db = Db::open(&url, connections).await?;
        if db.restore_begun().await? {
            return Err(MigrateError::Restoring.into());
        }
        // There is no way to know whether a server is running somewhere.
        if role == Role::Server || is_new(&db).await? {
            migrate(&db).await?;
        } else {
            up_to_date(&db).await?;
        }
        return Ok((db, None));
    };
    let patience = match role {
        Role::Server => LOCK_PATIENCE,
        Role::Tool => Duration::ZERO,
    };
    match locked(&file, patience).await {
        Ok(lock) => {
            if restored_file(&file).exists() {
                return Err(MigrateError::Restoring.into());
            }
            let db = Db::open(&url, connections).await?;
            migrate(&db).await?;
            Ok((db, Some(lock).filter(|_| role == Role::Server)))
        }
        Err(LockError::Held(_)) if role == Role::Tool => {
            let db = Db::open(&url, connections).await?;
            up_to_date(&db).await?;
            Ok((db, None))
        }
        Err(error) => Err(error.into()),
    }
}

async fn locked(file: &Path, patience: Duration) -> Result<FileLock, LockError> {
    const LOOK: Duration = Duration::from_millis(100);
    let until = Instant::now() + patience;
    loop {
        match FileLock::take(file) {
            Err(LockError::Held(_)) if Instant::now() < until => sleep(LOOK).await,
            taken => return taken,
        }
    }
}

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

/// Checks that the database was created with the configured secret key.
///
/// # Errors
/// [`StartError`].
pub async fn check_key(config: &Config, db: &Db) -> Result<(), StartError> {
    let keys = Keys::new(&config.secret_key).map_err(StartError::SecretKey)?;
    pepper(db, &keys, &Random::System, Role::Tool)
        .await
        .map(drop)
}

/// The pepper of keyed hashes. It is generated once and stored sealed. At its start a server reseals it under the
/// newest key, so that the old key can be removed; a tool does not, because servers that are already running may
/// not know the new key.
async fn pepper(db: &Db, keys: &Keys, random: &Random, role: Role) -> Result<[u8; 32], StartError> {
    let sql = "SELECT value FROM setting WHERE name = 'pepper'";
    let mut row = db::fetch_one(db.read(), sql, []).await?;
    if row.is_none() {
        let txn = db.write_txn("pepper").await?;
        let fresh = keys.seal(Purpose::Pepper, &random.bytes::<32>());
        // Two nodes may start at once: the first row wins.
        let insert =
            "INSERT INTO setting (name, value) VALUES ('pepper', $1) ON CONFLICT (name) DO NOTHING";
        db::run(&*txn, insert, [fresh.into()]).await?;
        txn.commit().await?;
        row = db::fetch_one(db.read(), sql, []).await?;
    }
    let row = row.ok_or_else(|| DbErr::Custom("the pepper was not written".into()))?;
    let sealed: String = row.try_get_by_index(0)?;
    let opened = keys.open(Purpose::Pepper, &sealed).ok();
    let pepper = opened.and_then(|bytes| bytes.try_into().ok());
    let pepper: [u8; 32] = pepper.ok_or_else(|| {
        let words = "this is not the key the database was made with; set the key that it was made with (or two, separated by a comma, while rotating)";
        StartError::SecretKey(words.into())
    })?;
    let newest = keys.seal(Purpose::Pepper, &pepper);
    if role == Role::Server && newest != sealed {
        let txn = db.write_txn("pepper").await?;
        let update = "UPDATE setting SET value = $1 WHERE name = 'pepper'";
        db::run(&*txn, update, [newest.into()]).await?;
        txn.commit().await?;
    }
    Ok(pepper)
}

/// The secret key of a `demo` or a test: generated once and kept in the data directory, readable by its owner only.
///
/// # Errors
/// When the directory or file cannot be written.
pub fn keep_secret_key(dir: &std::path::Path, random: &Random) -> std::io::Result<String> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = dir.join("secret.key");
    if let Ok(key) = std::fs::read_to_string(&file) {
        return Ok(key.trim().to_string());
    }
    std::fs::create_dir_all(dir)?;
    let key = STANDARD.encode(random.bytes::<32>());
    std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut f| writeln!(f, "{key}"))?;
    Ok(key)
}

/// An app for unit tests, on SQLite in `dir`, with the built-in mailbox.
#[cfg(test)]
pub(crate) async fn started(dir: &Path, clock: &Clock) -> App {
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
