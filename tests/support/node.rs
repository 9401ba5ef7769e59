//! The real program as a process of its own: started, killed, stopped.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::database::TestDatabase;
use super::wait::Waiting;

/// The settings with which a node is started.
#[derive(Clone)]
pub struct Setup {
    pub smtp_url: String,
    pub in_doubt: &'static str,
    pub connections: usize,
    pub final_dot_seconds: u64,
    /// The URL of the database, or another one that the test chooses.
    pub database_url: String,
    pub data_dir: String,
    pub bind: String,
    pub lease_seconds: u64,
    /// A configuration file, for settings that have no environment variable.
    pub config: Option<PathBuf>,
    /// The value for `CANVASS_CRASH_AT`.
    pub crash_at: Option<String>,
}

impl Setup {
    pub fn new(database: &TestDatabase, smtp_url: String) -> Self {
        Self {
            smtp_url,
            in_doubt: "resend",
            connections: 4,
            // A relay that is only slow to answer would leave a mail in doubt.
            final_dot_seconds: 20,
            database_url: database.url.clone(),
            data_dir: database.dir.path().display().to_string(),
            bind: "127.0.0.1:0".to_owned(),
            lease_seconds: 2,
            config: None,
            crash_at: None,
        }
    }

    /// Starts the program. If `CANVASS_TEST_LOGS` names a directory, it logs to there.
    pub fn start(&self) -> Node {
        let mut command = Command::new(env!("CARGO_BIN_EXE_canvass"));
        match &self.config {
            Some(file) => command.arg("--config").arg(file),
            None => command.env("CANVASS_MAIL__SMTP_URL", &self.smtp_url),
        };
        command
            .arg("serve")
            .env("CANVASS_TEST_STEADY_CLOCK", "1")
            .env("CANVASS_DATA_DIR", &self.data_dir)
            .env("CANVASS_DATABASE__URL", &self.database_url)
            .env(
                "CANVASS_SECRET_KEY",
                "a secret key of at least 32 characters",
            )
            .env("CANVASS_HTTP__BIND", &self.bind)
            .env("CANVASS_HTTP__PUBLIC_URL", "https://news.example.org")
            .env("CANVASS_MAIL__TRANSPORT", "smtp")
            .env("CANVASS_MAIL__CONNECTIONS", self.connections.to_string())
            .env("CANVASS_MAIL__IN_DOUBT", self.in_doubt)
            .env(
                "CANVASS_MAIL__LEASE_SECONDS",
                self.lease_seconds.to_string(),
            )
            .env(
                "CANVASS_MAIL__FINAL_DOT_TIMEOUT_SECONDS",
                self.final_dot_seconds.to_string(),
            )
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(point) = &self.crash_at {
            command.env("CANVASS_CRASH_AT", point);
        }
        if let Some(logs) = std::env::var_os("CANVASS_TEST_LOGS") {
            let name = format!(
                "{}.log",
                canvass::types::token::random_token(&canvass::types::Random::System)
            );
            let file = std::fs::File::create(std::path::Path::new(&logs).join(name)).unwrap();
            command.stdout(file.try_clone().unwrap()).stderr(file);
        }
        Node(command.spawn().unwrap())
    }
}

/// A process that is killed when the test ends.
pub struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Node {
    /// Sends a signal: `-KILL`, `-TERM`, `-STOP`, `-CONT`.
    pub fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        let status = kill.args([signal, &self.0.id().to_string()]).status();
        assert!(status.unwrap().success(), "{signal} was refused");
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal("-KILL");
        self.0.wait().unwrap();
    }

    /// Waits until it ends.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let waiting = Waiting::within(limit, "the process has ended");
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            waiting.still("it runs").await;
        }
    }

    /// Waits until it aborts itself, as at a crash point.
    pub async fn aborted(&mut self, limit: Duration) {
        const ABORT: i32 = 6;
        let status = self.ended(limit).await;
        assert_eq!(status.signal(), Some(ABORT), "{status}");
    }
}
