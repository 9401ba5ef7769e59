//! A database of its own for every test: SQLite in a temporary directory, or, where
//! `CANVASS_TEST_DATABASE_URL` names a PostgreSQL server, a new database there.
//! The shipped migrations run once; every test gets a copy of their result.

use std::sync::atomic::{AtomicU32, Ordering};

use canvass::db::{Db, migrate::migrate, run};
use canvass::types::Secret;
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;
use tokio::sync::OnceCell;

static SQLITE: OnceCell<Vec<u8>> = OnceCell::const_new();
static POSTGRES: OnceCell<String> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database that is deleted when this is dropped.
pub struct TestDatabase {
    /// The data directory of the test; with SQLite it contains the database.
    pub dir: TempDir,
    /// The value for `database.url`, with an absolute path if it is a file.
    pub url: String,
    postgres: Option<String>,
}

impl TestDatabase {
    /// A database without any table.
    pub async fn empty() -> Self {
        Self::copy_of("template0").await
    }

    /// Like [`empty`](Self::empty), but on PostgreSQL with the locale that knows only ASCII letters.
    pub async fn of_plain_letters() -> Self {
        Self::copy_of("template0 LOCALE 'C'").await
    }

    /// A database after the shipped migrations.
    pub async fn migrated() -> Self {
        if server().is_some() {
            let template = POSTGRES.get_or_init(postgres_template).await;
            return Self::copy_of(template).await;
        }
        let bytes = SQLITE.get_or_init(sqlite_template).await;
        let database = Self::empty().await;
        std::fs::write(database.dir.path().join("canvass.db"), bytes).unwrap();
        database
    }

    /// A database that a later version has migrated further.
    pub async fn of_a_newer_version() -> Self {
        let database = Self::migrated().await;
        let db = database.open().await;
        let txn = db.write_txn("test").await.unwrap();
        let sql = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 1)";
        run(&*txn, sql, []).await.unwrap();
        txn.commit().await.unwrap();
        db.close().await.unwrap();
        database
    }

    /// The database `postgres` of another PostgreSQL server, migrated. It is deleted with its server.
    pub async fn on(url: &str) -> Self {
        let database = Self {
            dir: tempfile::tempdir().unwrap(),
            url: url.to_owned(),
            postgres: None,
        };
        let db = database.open().await;
        migrate(&db).await.unwrap();
        db.close().await.unwrap();
        database
    }

    /// A copy of this database, while nobody uses it.
    pub async fn copied(&self) -> Self {
        if let Some(name) = &self.postgres {
            return Self::copy_of(name).await;
        }
        let copy = Self::empty().await;
        // The write-ahead log, too: closing leaves it if the last checkpoint could not finish.
        for name in ["canvass.db", "canvass.db-wal"] {
            let file = self.dir.path().join(name);
            if file.exists() {
                std::fs::copy(file, copy.dir.path().join(name)).unwrap();
            }
        }
        copy
    }

    async fn copy_of(template: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let Some(server) = server() else {
            let url = format!("sqlite:{}", dir.path().join("canvass.db").display());
            let postgres = None;
            return Self { dir, url, postgres };
        };
        let name = format!(
            "canvass_test_{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        ask(
            &server,
            &format!("CREATE DATABASE {name} TEMPLATE {template}"),
        )
        .await;
        let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
        let postgres = Some(name);
        Self { dir, url, postgres }
    }

    /// Opens separate connections for the test.
    pub async fn open(&self) -> Db {
        Db::open(&Secret::new(self.url.clone()), 4).await.unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Every DROP DATABASE causes a checkpoint. If the whole server is thrown away, skip hundreds of them.
        if std::env::var_os("CANVASS_TEST_DATABASE_DISPOSABLE").is_some() {
            return;
        }
        if let (Some(server), Some(name)) = (server(), self.postgres.take()) {
            // In a thread of its own, because the test's runtime may be shutting down.
            let dropped = std::thread::spawn(move || {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all().build().unwrap();
                runtime.block_on(ask(&server, &format!("DROP DATABASE {name} WITH (FORCE)")));
            });
            dropped.join().unwrap();
        }
    }
}

/// The URL of the server for test databases, if the tests are to use one.
pub fn server() -> Option<String> {
    let url = std::env::var_os("CANVASS_TEST_DATABASE_URL")?;
    url.into_string().ok().filter(|u| !u.is_empty())
}

/// Like [`server`], for a test that needs one: if there is none, it prints that the test is skipped.
pub fn server_needed() -> Option<String> {
    let server = server();
    if server.is_none() {
        eprintln!("skipped: it is about PostgreSQL, and CANVASS_TEST_DATABASE_URL names none");
    }
    server
}

/// Whether the tests run on SQLite, for a test that needs it: if not, it prints that the test is skipped.
pub fn sqlite_needed() -> bool {
    let on_sqlite = server().is_none();
    if !on_sqlite {
        eprintln!("skipped: it is about SQLite alone");
    }
    on_sqlite
}

async fn ask(server: &str, statement: &str) {
    let connection = Database::connect(server).await.unwrap();
    connection.execute_unprepared(statement).await.unwrap();
    connection.close().await.unwrap();
}

async fn sqlite_template() -> Vec<u8> {
    let database = TestDatabase::empty().await;
    let db = database.open().await;
    migrate(&db).await.unwrap();
    // Closing moves everything from the write-ahead log into the file.
    db.close().await.unwrap();
    std::fs::read(database.dir.path().join("canvass.db")).unwrap()
}

/// The migrated template. It stays on the server until the next run, since an unused template costs nothing.
async fn postgres_template() -> String {
    let server = server().unwrap();
    let name = format!("canvass_template_{}", std::process::id());
    ask(&server, &format!("DROP DATABASE IF EXISTS {name}")).await;
    ask(
        &server,
        &format!("CREATE DATABASE {name} TEMPLATE template0"),
    )
    .await;
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let db = Db::open(&Secret::new(url), 2).await.unwrap();
    migrate(&db).await.unwrap();
    db.close().await.unwrap();
    name
}
