//! The whole of Canvass with a poll, and a router with an empty handler.

use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::routing::post;
use canvass::app::{App, Role};
use canvass::config;
use canvass::polls::{self, Definition, PollState, QuestionText, Tier};
use canvass::serve::{self, Server};
use canvass::types::{Clock, Random};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Stage {
    pub app: App,
    server: Server,
}

impl Stage {
    /// `url`: an empty database of a server; otherwise SQLite in `dir`. `queue`: how many answers may wait.
    pub async fn open(dir: &Path, url: Option<&str>, queue: usize) -> Self {
        let mut settings = vec![
            ("CANVASS_DATA_DIR", dir.display().to_string()),
            (
                "CANVASS_SECRET_KEY",
                "a secret key of at least 32 characters".to_owned(),
            ),
            ("CANVASS_MAIL__TRANSPORT", "mailbox".to_owned()),
            ("CANVASS_MAIL__ALLOW_CAPTURE", "true".to_owned()),
            ("CANVASS_POLLS__QUEUE", queue.to_string()),
            ("CANVASS_HTTP__PUBLIC_URL", "http://127.0.0.1".to_owned()),
        ];
        settings.extend(url.map(|url| ("CANVASS_DATABASE__URL", url.to_owned())));
        let settings: Vec<_> = settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let config = config::load(None, &settings).unwrap();
        let app = App::build(config, Role::Server, Clock::System, Random::System)
            .await
            .unwrap();
        poll(&app).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = serve::start(app.clone(), listener).unwrap();
        Self { app, server }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// The number with which markers of this poll begin.
    pub async fn mark(&self) -> u32 {
        let page = self.get("/p/trust").await;
        let (_, mark) = page.split_once("data-mark=\"").unwrap();
        mark.split_once('"').unwrap().0.parse().unwrap()
    }

    /// The number of ballot commits so far.
    pub async fn groups(&self) -> f64 {
        let text = self.get("/metrics").await;
        text.lines()
            .find_map(|line| line.strip_prefix("canvass_group_size_count{queue=\"ballots\"} "))
            .map_or(0.0, |count| count.trim().parse().unwrap())
    }

    /// Returns 0 if the tally has exactly this many voters and everything verifies, otherwise 1.
    pub async fn check(&self, what: &str, voters: u64) -> usize {
        let poll = polls::by_slug(&self.app.db, "trust")
            .await
            .unwrap()
            .unwrap();
        let totals = polls::results::totals(&self.app.db, &poll).await.unwrap();
        let tallied = totals.voters(Tier::Anonymous);
        let verified = polls::ballots::verify(&self.app.db, poll.id)
            .await
            .unwrap()
            .unwrap();
        println!(
            "{what}: {voters} voters answered with 303, {tallied} in the tally; {} pages of the chain verified, {} findings",
            verified.pages,
            verified.findings.len()
        );
        for finding in verified.told() {
            println!("    {finding}");
        }
        usize::from(tallied != i64::try_from(voters).unwrap() || !verified.findings.is_empty())
    }

    /// The number of voters in the tally.
    pub async fn voters(&self) -> u64 {
        let poll = polls::by_slug(&self.app.db, "trust")
            .await
            .unwrap()
            .unwrap();
        let totals = polls::results::totals(&self.app.db, &poll).await.unwrap();
        u64::try_from(totals.voters(Tier::Anonymous)).unwrap()
    }

    pub async fn close(self) {
        self.server.stop().await;
    }
}

async fn poll(app: &App) {
    let question = QuestionText {
        text: "Do you trust the mainstream media?".to_owned(),
        options: vec!["Yes".into(), "No".into()],
        ..QuestionText::default()
    };
    let mut definition = Definition::new("trust", vec![question]);
    assert!(definition.check().is_empty());
    let txn = app.db.write_txn("bench").await.unwrap();
    let (random, now) = (&app.random, app.clock.now());
    polls::create(&txn, random, now, &definition, PollState::Published)
        .await
        .unwrap();
    txn.commit().await.unwrap();
}

/// The limit: a handler that does nothing, on axum's own server.
pub async fn nothing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router: Router = Router::new().route("/nothing", post(|| async {}));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}
