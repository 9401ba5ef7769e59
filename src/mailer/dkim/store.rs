//! The table `dkim_key`, and the operator's commands on it.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
};

use super::key::{Algorithm, KeyError, PrivateKey};
use super::keyring::nearest;
use crate::{
    app::App,
    db::{self, Db, DbErr, entities::dkim_key},
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

impl State {
    fn of(code: i16) -> Self {
        let known = [Self::Signing, Self::Retired];
        let found = known.into_iter().find(|state| *state as i16 == code);
        found.unwrap_or(Self::Waiting)
    }
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
    let state = dkim_key::Column::State;
    private(db, state.eq(State::Signing as i16)).await
}

/// Every private key that is not erased.
pub(super) async fn sealed(db: &Db) -> Result<Vec<Sealed>, DbErr> {
    private(db, is_alive()).await
}

/// Not retired: a retired key has no private key any more.
fn is_alive() -> SimpleExpr {
    dkim_key::Column::State.ne(State::Retired as i16)
}

async fn private(db: &Db, which: SimpleExpr) -> Result<Vec<Sealed>, DbErr> {
    let rows = dkim_key::Entity::find()
        .filter(which)
        .order_by_asc(dkim_key::Column::Domain)
        .order_by_asc(dkim_key::Column::Algorithm)
        .all(db.read())
        .await?;
    let sealed = |row: dkim_key::Model| Sealed {
        id: row.id,
        domain: row.domain,
        selector: row.selector,
        sealed: row.sealed,
    };
    Ok(rows.into_iter().map(sealed).collect())
}

/// Stores keys that were encrypted again.
pub(super) async fn seal_anew(db: &Db, keys: &[(i64, String)]) -> Result<(), DbErr> {
    if keys.is_empty() {
        return Ok(());
    }
    let txn = db.write_txn("dkim_seal_anew").await?;
    for (id, sealed) in keys {
        dkim_key::Entity::update_many()
            .col_expr(dkim_key::Column::Sealed, Expr::value(sealed.as_str()))
            .filter(dkim_key::Column::Id.eq(*id))
            .filter(is_alive())
            .exec(&*txn)
            .await?;
    }
    txn.commit().await
}

/// All keys, by domain, newest first.
pub async fn list(db: &Db) -> Result<Vec<Key>, DbErr> {
    let rows = dkim_key::Entity::find()
        .order_by_asc(dkim_key::Column::Domain)
        .order_by_desc(dkim_key::Column::CreatedMs)
        .order_by_asc(dkim_key::Column::Algorithm)
        .order_by_asc(dkim_key::Column::Selector)
        .all(db.read())
        .await?;
    rows.into_iter().map(Key::of).collect()
}

impl Key {
    fn of(row: dkim_key::Model) -> Result<Self, DbErr> {
        let algorithm = Algorithm::of(row.algorithm)
            .ok_or_else(|| DbErr::Type("a DKIM key of an unknown algorithm".into()))?;
        Ok(Self {
            domain: row.domain,
            selector: row.selector,
            algorithm,
            public: row.public_key,
            state: State::of(row.state),
            created: row.created_ms,
            stopped: Some(row.stopped_ms).filter(|at| at.0 > 0),
        })
    }

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
        let row = dkim_key::ActiveModel {
            domain: Set(domain.to_owned()),
            selector: Set(selector.clone()),
            algorithm: Set(key.algorithm as i16),
            sealed: Set(app.keys.seal(Purpose::Dkim, &private.pkcs8()?)),
            public_key: Set(key.public.clone()),
            state: Set(key.state as i16),
            created_ms: Set(now),
            ..<dkim_key::ActiveModel as Default>::default()
        };
        match row.insert(&*txn).await {
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
    let of_domain = dkim_key::Column::Domain.eq(key.domain.as_str());
    dkim_key::Entity::update_many()
        .set(dkim_key::ActiveModel {
            state: Set(State::Waiting as i16),
            stopped_ms: Set(now),
            ..<dkim_key::ActiveModel as Default>::default()
        })
        .filter(of_domain.clone())
        .filter(dkim_key::Column::Algorithm.eq(key.algorithm as i16))
        .filter(dkim_key::Column::State.eq(State::Signing as i16))
        .filter(dkim_key::Column::Selector.ne(selector))
        .exec(&*txn)
        .await?;
    let done = dkim_key::Entity::update_many()
        .set(dkim_key::ActiveModel {
            state: Set(State::Signing as i16),
            activated_ms: Set(now),
            stopped_ms: Set(UnixMillis(0)),
            ..<dkim_key::ActiveModel as Default>::default()
        })
        .filter(of_domain)
        .filter(dkim_key::Column::Selector.eq(selector))
        .filter(is_alive())
        .exec(&*txn)
        .await?;
    if done.rows_affected == 0 {
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
    let it = dkim_key::Column::Domain
        .eq(key.domain.as_str())
        .and(dkim_key::Column::Selector.eq(selector));
    let signs = dkim_key::Column::State.eq(State::Signing as i16);
    dkim_key::Entity::update_many()
        .col_expr(dkim_key::Column::StoppedMs, Expr::value(now))
        .filter(it.clone().and(signs))
        .exec(&*txn)
        .await?;
    dkim_key::Entity::update_many()
        .set(dkim_key::ActiveModel {
            state: Set(State::Retired as i16),
            sealed: Set(String::new()),
            ..<dkim_key::ActiveModel as Default>::default()
        })
        .filter(it)
        .exec(&*txn)
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
