//! The real app on a free port, with its own database and a manual clock.

use std::net::SocketAddr;
use std::time::Duration;

use canvass::app::{App, Role};
use canvass::config::{self, Config};
use canvass::db::group_commit::Bounds;
use canvass::db::{Backend, fetch_all, fetch_one};
use canvass::newsletters::Newsletter;
use canvass::polls::{self, Definition, PollState, QuestionText, Stored};
use canvass::serve::{self, Server};
use canvass::types::{ApiTokenId, Clock, PollId, Random, UnixMillis};
use canvass::web::connections::QUIET;
use tokio::net::TcpListener;

use super::database::TestDatabase;
use super::inbox::Mail;
use super::issues;
use super::reader::Reader;
use super::wait::Waiting;

/// Monday, 2 March 2026, 09:00 UTC: before daylight saving time begins, and far from midnight.
pub const START: UnixMillis = UnixMillis(1_772_442_000_000);

/// A running Canvass. Its tasks end with the runtime of the test, its database with
/// this value.
pub struct TestApp {
    pub app: App,
    pub address: SocketAddr,
    server: Option<Server>,
    // Last, so that it is dropped last.
    pub database: TestDatabase,
}

impl TestApp {
    /// Starts an app with the built-in mailbox, and limits that no test reaches.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts an app with a changed configuration.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_within(change, Bounds::default(), QUIET).await
    }

    /// Starts an app with shorter time-outs: for writing ballots, and for idle connections.
    pub async fn start_within(
        change: impl FnOnce(&mut Config),
        bounds: Bounds,
        quiet: Duration,
    ) -> Self {
        Self::start_on(TestDatabase::migrated().await, change, bounds, quiet).await
    }

    /// Starts an app on a database that exists.
    pub async fn on(database: TestDatabase) -> Self {
        Self::start_on(database, |_| {}, Bounds::default(), QUIET).await
    }

    async fn start_on(
        database: TestDatabase,
        change: impl FnOnce(&mut Config),
        bounds: Bounds,
        quiet: Duration,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = Self::config(&database, address);
        change(&mut config);
        let clock = Clock::manual(START);
        let app = App::build_within(config, Role::Server, clock, Random::System, bounds)
            .await
            .unwrap();
        let server = serve::start_within(app.clone(), listener, quiet).unwrap();
        Self {
            app,
            address,
            server: Some(server),
            database,
        }
    }

    /// The configuration of an app on this database.
    pub fn config(database: &TestDatabase, address: SocketAddr) -> Config {
        let settings = [
            (
                "CANVASS_DATA_DIR",
                database.dir.path().display().to_string(),
            ),
            ("CANVASS_DATABASE__URL", database.url.clone()),
            (
                "CANVASS_SECRET_KEY",
                "a secret key of at least 32 characters".to_owned(),
            ),
            ("CANVASS_HTTP__PUBLIC_URL", format!("http://{address}")),
            ("CANVASS_MAIL__TRANSPORT", "mailbox".to_owned()),
            ("CANVASS_MAIL__ALLOW_CAPTURE", "true".to_owned()),
            ("CANVASS_MAIL__UNDO_SECONDS", "0".to_owned()),
            (
                "CANVASS_LIMITS__SUBSCRIPTIONS_PER_MINUTE",
                "1000000".to_owned(),
            ),
            ("CANVASS_LIMITS__SIGN_INS_PER_MINUTE", "1000000".to_owned()),
            ("CANVASS_LIMITS__API_PER_MINUTE", "1000000".to_owned()),
        ];
        let settings = settings.map(|(k, v)| (k.to_owned(), v));
        config::load(None, &settings).unwrap()
    }

    /// The URL of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A reader with a new browser.
    pub fn reader(&self) -> Reader {
        Reader::new(self.address, &self.app.config.origin())
    }

    /// The value of a series in `/metrics`, 0 if there is none. Other tests in this process change the same counters.
    pub async fn number(&self, series: &str) -> u64 {
        let page = self.reader().get("/metrics").await.expect(200);
        let mut lines = page.body.lines();
        let value = lines.find_map(|line| line.strip_prefix(series));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        self.app.clock.advance(by);
    }

    /// Puts a mail into the built-in mailbox, as the mailer does; returns its id.
    pub async fn capture(&self, to: &str, subject: &str, raw: &[u8]) -> i64 {
        let sql =
            "INSERT INTO captured_mail (envelope_from, envelope_to, subject, raw, captured_ms)
                   VALUES ('news@example.org', $1, $2, $3, $4) RETURNING id";
        let at = self.app.clock.now();
        let values = [to.into(), subject.into(), raw.to_vec().into(), at.into()];
        let txn = self.app.db.write_txn("test").await.unwrap();
        let row = fetch_one(&*txn, sql, values).await.unwrap().unwrap();
        txn.commit().await.unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// Every captured mail to an address, oldest first.
    pub async fn mails_to(&self, address: &str) -> Vec<Mail> {
        let sql = "SELECT raw FROM captured_mail WHERE envelope_to = $1 ORDER BY id";
        let rows = fetch_all(self.app.db.read(), sql, [address.into()]);
        rows.await
            .unwrap()
            .iter()
            .map(|row| Mail::parse(&row.try_get_by_index::<Vec<u8>>(0).unwrap()))
            .collect()
    }

    /// The newest mail to an address, once at least `count` have arrived.
    pub async fn mail_to(&self, address: &str, count: usize) -> Mail {
        let waiting = Waiting::until(&format!("{count} mails to {address} have come"));
        loop {
            let mut mails = self.mails_to(address).await;
            if mails.len() >= count {
                return mails.pop().unwrap();
            }
            waiting.still(mails.len()).await;
        }
    }

    /// Reads one number from the database.
    pub async fn count(&self, sql: &str) -> i64 {
        let row = fetch_one(self.app.db.read(), sql, []).await.unwrap();
        row.map_or(0, |row| row.try_get_by_index(0).unwrap())
    }

    /// Waits until a query returns this number.
    pub async fn wait_until(&self, sql: &str, number: i64) {
        let waiting = Waiting::until(&format!("{sql} is {number}"));
        loop {
            let found = self.count(sql).await;
            if found == number {
                return;
            }
            waiting.still(found).await;
        }
    }

    /// Waits until `n` transactions wait for what the test has locked. SQLite cannot say who waits for its one writer:
    /// there it is a moment, and if that is too short, the test must not fail.
    pub async fn wait_until_blocked(&self, n: i64) {
        if self.app.db.backend() == Backend::Sqlite {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            return;
        }
        let waiting = "SELECT COUNT(DISTINCT l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
                       WHERE a.datname = current_database() AND NOT l.granted";
        self.wait_until(waiting, n).await;
    }

    /// A token for the JSON API.
    pub async fn api_token(&self) -> String {
        self.token_in_place_of(None).await
    }

    /// A token for the script that has the token of this number.
    pub async fn token_in_place_of(&self, number: Option<ApiTokenId>) -> String {
        let token = canvass::api::tokens::create(&self.app, "test", number)
            .await
            .unwrap();
        token.expect("there is such a token").expose().to_owned()
    }

    /// Creates a newsletter with this slug.
    pub async fn newsletter(&self, slug: &str) -> Newsletter {
        issues::newsletter(&self.app.db, slug, self.app.clock.now()).await
    }

    /// Creates an open poll with this slug, one question and the options Yes, No and Unsure.
    pub async fn poll(&self, slug: &str) -> PollId {
        self.poll_with(slug, |_| {}).await
    }

    /// Like [`poll`](Self::poll), with changes to the definition.
    pub async fn poll_with(&self, slug: &str, change: impl FnOnce(&mut Definition)) -> PollId {
        let question = QuestionText {
            text: "Do you trust the mainstream media?".to_owned(),
            options: ["Yes", "No", "Unsure"].map(Into::into).to_vec(),
            ..QuestionText::default()
        };
        let mut definition = Definition {
            time_zone: "Europe/Berlin".to_owned(),
            ..Definition::new(slug, vec![question])
        };
        change(&mut definition);
        assert_eq!(definition.check(), []);
        let txn = self.app.db.write_txn("test").await.unwrap();
        let (random, now) = (&self.app.random, self.app.clock.now());
        let state = PollState::Published;
        let stored = polls::create(&txn, random, now, &definition, state).await;
        txn.commit().await.unwrap();
        match stored.unwrap() {
            Stored::Yes(id) => id,
            other => panic!("poll {slug}: {other:?}"),
        }
    }

    /// Asserts that the log, the ballots and the tally of a poll agree.
    pub async fn assert_the_count_agrees(&self, slug: &str) {
        let db = &self.app.db;
        let poll = polls::by_slug(db, slug).await.unwrap().unwrap();
        assert_eq!(
            polls::ballots::audit(db, &poll).await.unwrap(),
            [],
            "{slug}"
        );
        let verified = polls::ballots::verify(db, poll.id).await.unwrap();
        assert_eq!(verified.unwrap().findings, Vec::<String>::new(), "{slug}");
    }

    /// Stops the server, and starts it again on the same database and address.
    pub async fn restarted(self) -> Self {
        let (config, now, address) = (self.app.config.clone(), self.app.clock.now(), self.address);
        let Self {
            app,
            server,
            database,
            ..
        } = self;
        if let Some(server) = server {
            server.stop().await;
        }
        drop(app);
        let listener = TcpListener::bind(address).await.unwrap();
        let (role, clock) = (Role::Server, Clock::manual(now));
        let app = App::build(config, role, clock, Random::System)
            .await
            .unwrap();
        let server = serve::start_within(app.clone(), listener, QUIET).unwrap();
        Self {
            app,
            address,
            server: Some(server),
            database,
        }
    }

    /// Stops the server as SIGTERM does, and waits until it has ended.
    pub async fn stop(mut self) -> TestDatabase {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        self.database
    }
}
