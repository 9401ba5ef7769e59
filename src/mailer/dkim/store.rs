//! The table `dkim_key`, and the operator's commands on it.

use super::key::{Algorithm, KeyError, PrivateKey};
use super::keyring::nearest;
use crate::{
    app::App,
    db::{self, Db, DbErr},
    types::{EmailAddress, Purpose, UnixMillis},
};

/// The state of a key, as stored in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be activated.
    Waiting = 0,
    /// It signs.
    Signing = 1,
    /// It cannot sign any more.
    Retired = 2,
}

/// A key without its private half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The domain it signs for, in A-label form.
    pub domain: String,
    /// Its selector: the name below `_domainkey`.
    pub selector: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The public half, in the form of the tag `p=`.
    pub public: String,
    /// Its state.
    pub state: State,
    /// When it was made or imported.
    pub created: UnixMillis,
    /// When it stopped signing, if it has signed and does not now.
    pub stopped: Option<UnixMillis>,
}

/// Why a key was not created or its state not changed.
#[derive(Debug, thiserror::Error)]
pub enum DkimError {
    /// The name is not a domain that can send mail.
    #[error("\"{0}\" is not a domain name, like example.org")]
    Domain(String),
    /// The name is not a valid selector.
    #[error(
        "\"{0}\" is not a selector: parts of at most 63 letters, digits and hyphens are expected, separated by dots"
    )]
    Selector(String),
    /// The domain already has a key with this selector.
    #[error("{0} already has a key \"{1}\"; choose another selector")]
    Taken(String, String),
    /// No domain has a key with this selector.
    #[error("there is no key \"{0}\"; `canvass dkim list` shows all keys")]
    Unknown(String),
    /// Several domains have a key with this selector.
    #[error("several domains have a key \"{0}\"; choose one with --domain")]
    Ambiguous(String),
    /// The private half of the key was erased.
    #[error("\"{0}\" is retired, and its private key was erased; create a new key")]
    Retired(String),
    /// The key itself is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A database error.
    #[error("the database failed: {0}")]
    Db(#[from] DbErr),
}

/// A private key as it is stored in the database.
pub(super) struct Sealed {
    pub(super) id: i64,
    pub(super) domain: String,
    pub(super) selector: String,
    pub(super) sealed: String,
}

/// The active keys, those of one domain in the order of their algorithms.
pub(super) async fn signing(db: &Db) -> Result<Vec<Sealed>, DbErr> {
    private(db, "state = 1").await
}

/// Every private key that is not erased.
pub(super) async fn sealed(db: &Db) -> Result<Vec<Sealed>, DbErr> {
    private(db, "state <> 2").await
}

async fn private(db: &Db, which: &str) -> Result<Vec<Sealed>, DbErr> {
    let sql = format!(
        "SELECT id, domain, selector, sealed FROM dkim_key WHERE {which} ORDER BY domain, algorithm"
    );
    let rows = db::fetch_all(db.read(), sql, []).await?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in &rows {
        keys.push(Sealed {
            id: row.try_get_by_index(0)?,
            domain: row.try_get_by_index(1)?,
            selector: row.try_get_by_index(2)?,
            sealed: row.try_get_by_index(3)?,
        });
    }
    Ok(keys)
}

/// Stores keys that were encrypted again.
pub(super) async fn seal_anew(db: &Db, keys: &[(i64, String)]) -> Result<(), DbErr> {
    if keys.is_empty() {
        return Ok(());
    }
    let txn = db.write_txn("dkim_seal_anew").await?;
    for (id, sealed) in keys {
        let sql = "UPDATE dkim_key SET sealed = $1 WHERE id = $2 AND state <> 2";
        db::run(&*txn, sql, [sealed.as_str().into(), (*id).into()]).await?;
    }
    txn.commit().await
}

/// All keys, by domain, newest first.
pub async fn list(db: &Db) -> Result<Vec<Key>, DbErr> {
    let rows = db::fetch_all(
        db.read(),
        "SELECT domain, selector, algorithm, public_key, state, created_ms, stopped_ms FROM dkim_key
         ORDER BY domain, created_ms DESC, algorithm, selector",
        [],
    )
    .await?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in &rows {
        let algorithm = Algorithm::of(row.try_get_by_index(2)?)
            .ok_or_else(|| DbErr::Type("a DKIM key of an unknown algorithm".into()))?;
        let stopped = UnixMillis(row.try_get_by_index(6)?);
        keys.push(Key {
            domain: row.try_get_by_index(0)?,
            selector: row.try_get_by_index(1)?,
            algorithm,
            public: row.try_get_by_index(3)?,
            state: match row.try_get_by_index::<i16>(4)? {
                1 => State::Signing,
                2 => State::Retired,
                _ => State::Waiting,
            },
            created: UnixMillis(row.try_get_by_index(5)?),
            stopped: (stopped.0 > 0).then_some(stopped),
        });
    }
    Ok(keys)
}

impl Key {
    /// The keys among `keys` that sign the mails of `domain`: its own, or those of the nearest parent domain.
    #[must_use]
    pub fn signing_for<'k>(keys: &'k [Self], domain: &str) -> Vec<&'k Self> {
        let of = |domain: &str| {
            let signs = |key: &&Self| key.state == State::Signing && key.domain == domain;
            let found: Vec<&Self> = keys.iter().filter(signs).collect();
            (!found.is_empty()).then_some(found)
        };
        nearest(domain, of).unwrap_or_default()
    }
}

/// Generates a key of each algorithm. They wait until they are activated.
///
/// # Errors
/// [`DkimError::Domain`] for a name that is not a domain; key and database errors.
pub async fn create(app: &App, domain: &str) -> Result<Vec<Key>, DkimError> {
    let domain = domain_name(domain)?;
    let date = app.clock.now().timestamp().strftime("%Y%m%d").to_string();
    let taken = list(&app.db).await?;
    let mut made = Vec::new();
    for algorithm in Algorithm::ALL {
        let stem = format!("canvass-{date}-{}", algorithm.key_name());
        let free = |name: &String| {
            let same = |key: &Key| key.domain == domain && key.selector == *name;
            !taken.iter().any(same)
        };
        let more = (2..).map(|n| format!("{stem}-{n}"));
        let selector = std::iter::once(stem.clone())
            .chain(more)
            .find(free)
            .unwrap_or(stem);
        made.push((selector, PrivateKey::make(algorithm, &app.random)?));
    }
    insert(app, &domain, &made).await
}

/// Imports a key that was made elsewhere. It waits until it is activated.
///
/// # Errors
/// If the domain, the selector or the key is unusable, or the selector is taken.
pub async fn import(
    app: &App,
    domain: &str,
    selector: &str,
    pem: &[u8],
) -> Result<Vec<Key>, DkimError> {
    let domain = domain_name(domain)?;
    let selector = selector.to_ascii_lowercase();
    let label = |label: &str| {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if selector.len() > 100 || !selector.split('.').all(label) {
        return Err(DkimError::Selector(selector));
    }
    insert(app, &domain, &[(selector, PrivateKey::from_pem(pem)?)]).await
}

async fn insert(
    app: &App,
    domain: &str,
    made: &[(String, PrivateKey)],
) -> Result<Vec<Key>, DkimError> {
    let now = app.clock.now();
    let txn = app.db.write_txn("dkim_create").await?;
    let mut keys = Vec::with_capacity(made.len());
    for (selector, private) in made {
        let key = Key {
            domain: domain.to_owned(),
            selector: selector.clone(),
            algorithm: private.algorithm(),
            public: private.public()?,
            state: State::Waiting,
            created: now,
            stopped: None,
        };
        let inserted = db::run(
            &*txn,
            "INSERT INTO dkim_key (domain, selector, algorithm, sealed, public_key, state, created_ms)
             VALUES ($1, $2, $3, $4, $5, 0, $6)",
            [
                domain.into(),
                selector.as_str().into(),
                (key.algorithm as i16).into(),
                app.keys.seal(Purpose::Dkim, &private.pkcs8()?).into(),
                key.public.as_str().into(),
                now.0.into(),
            ],
        )
        .await;
        match inserted {
            Err(error) if db::is_unique_violation(&error) => {
                return Err(DkimError::Taken(domain.to_owned(), selector.clone()));
            }
            other => other?,
        };
        keys.push(key);
    }
    txn.commit().await?;
    Ok(keys)
}

/// The only key with this selector.
///
/// # Errors
/// [`DkimError::Unknown`] and [`DkimError::Ambiguous`].
fn named(keys: Vec<Key>, selector: &str, domain: Option<&str>) -> Result<Key, DkimError> {
    let fits = |key: &Key| key.selector == selector && domain.is_none_or(|d| key.domain == d);
    let mut found = keys.into_iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err(DkimError::Unknown(selector.to_owned())),
        (Some(_), Some(_)) => Err(DkimError::Ambiguous(selector.to_owned())),
    }
}

/// Makes a key sign. The previous key of the same algorithm goes back to waiting; its record is still needed. Running
/// servers notice within seconds.
///
/// # Errors
/// [`DkimError::Unknown`], [`DkimError::Ambiguous`], [`DkimError::Retired`], or a database error.
pub async fn activate(app: &App, selector: &str, domain: Option<&str>) -> Result<Key, DkimError> {
    let domain = domain.map(domain_name).transpose()?;
    let mut key = named(list(&app.db).await?, selector, domain.as_deref())?;
    let now = app.clock.now();
    let txn = app.db.write_txn("dkim_activate").await?;
    db::run(
        &*txn,
        "UPDATE dkim_key SET state = 0, stopped_ms = $1
         WHERE domain = $2 AND algorithm = $3 AND state = 1 AND selector <> $4",
        [
            now.0.into(),
            key.domain.as_str().into(),
            (key.algorithm as i16).into(),
            selector.into(),
        ],
    )
    .await?;
    let done = db::run(
        &*txn,
        "UPDATE dkim_key SET state = 1, activated_ms = $1, stopped_ms = 0
         WHERE domain = $2 AND selector = $3 AND state <> 2",
        [now.0.into(), key.domain.as_str().into(), selector.into()],
    )
    .await?;
    if done.rows_affected() == 0 {
        return Err(DkimError::Retired(selector.to_owned()));
    }
    txn.commit().await?;
    (key.state, key.stopped) = (State::Signing, None);
    Ok(key)
}

/// Retires a key: its private half is erased. Running servers notice within seconds.
///
/// # Errors
/// [`DkimError::Unknown`], [`DkimError::Ambiguous`], or a database error.
pub async fn retire(app: &App, selector: &str, domain: Option<&str>) -> Result<Key, DkimError> {
    let domain = domain.map(domain_name).transpose()?;
    let mut key = named(list(&app.db).await?, selector, domain.as_deref())?;
    let now = app.clock.now();
    let txn = app.db.write_txn("dkim_retire").await?;
    db::run(
        &*txn,
        "UPDATE dkim_key SET stopped_ms = CASE WHEN state = 1 THEN $1 ELSE stopped_ms END, state = 2, sealed = ''
         WHERE domain = $2 AND selector = $3",
        [
            now.0.into(),
            key.domain.as_str().into(),
            selector.into(),
        ],
    )
    .await?;
    txn.commit().await?;
    if key.state == State::Signing {
        key.stopped = Some(now);
    }
    key.state = State::Retired;
    Ok(key)
}

/// A sender's domain, in A-label form.
fn domain_name(typed: &str) -> Result<String, DkimError> {
    EmailAddress::parse(&format!("postmaster@{}", typed.trim()))
        .map(|address| address.domain().to_owned())
        .map_err(|_| DkimError::Domain(typed.to_owned()))
}
