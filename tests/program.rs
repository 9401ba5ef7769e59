//! The program itself: its commands, error messages and exit codes,
//! and how it ends on a signal.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use reqwest::Client;
use tokio::time::Instant;

use crate::support::database::TestDatabase;
use crate::support::ports::free_port;
use crate::support::wait::{self, Waiting};

const KEY: &str = "a secret key of at least 32 characters";

/// The binary, with only these settings in its environment.
pub fn canvass(dir: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canvass"));
    command
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .env("CANVASS_DATA_DIR", dir)
        .env("CANVASS_SECRET_KEY", KEY)
        .envs(settings.iter().copied())
        .stdin(Stdio::null());
    command
}

pub fn words(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn help_reads_like_a_manual_and_wrong_use_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let help = canvass(dir.path(), &["--help"], &[]).output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    let text = words(&help);
    for command in [
        "serve",
        "demo",
        "admin",
        "migrate",
        "check",
        "settings",
        "api-token",
        "import",
    ] {
        assert!(text.contains(command), "no {command} in:\n{text}");
    }
    for wrong in [
        &["serve", "--nonsense"][..],
        &["fly"],
        &[],
        &["import", "readers"],
    ] {
        let output = canvass(dir.path(), wrong, &[]).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{wrong:?}: {}",
            words(&output)
        );
    }
}

#[test]
fn wrong_settings_are_named_with_what_is_expected() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.toml");
    for (settings, named, expected) in [
        (&[][..], "mail.smtp_url", "demo"),
        (&[("CANVASS_SECRET_KEY", "")], "secret_key", "openssl rand"),
        (&[("CANVASS_HTTP__BIND", "here")], "http.bind", "address"),
        (
            &[("CANVASS_HTTP__PORT", "1")],
            "CANVASS_HTTP__PORT",
            "no such setting",
        ),
        (
            &[("CANVASS_MAIL__TRANSPORT", "pigeon")],
            "mail.transport",
            "smtp or mailbox or file",
        ),
        (
            &[("CANVASS_DATABASE__URL", "mysql://x")],
            "database.url",
            "sqlite:PATH or postgres://",
        ),
        (
            &[("CANVASS_MAIL__BOUNCE_DOMAIN", "no domain")],
            "mail.bounce_domain",
            "bounces.news.example",
        ),
        (
            &[("CANVASS_MAIL__DNS_SERVER", "dns.example")],
            "mail.dns_server",
            "an address",
        ),
        (
            &[("CANVASS_POLLS__QUEUE", "many")],
            "CANVASS_POLLS__QUEUE",
            "whole number",
        ),
        (
            &[
                ("CANVASS_SECRET_KEY", ""),
                ("CANVASS_SECRET_KEY_FILE", "/nowhere/key"),
            ],
            "secret_key_file",
            "cannot be read",
        ),
        (
            &[
                ("CANVASS_DATABASE__URL", "postgres://canvass:a/b@db/news"),
                ("CANVASS_MAIL__TRANSPORT", "mailbox"),
                ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
            ],
            "database.url",
            "%2F",
        ),
        (
            &[
                ("CANVASS_MAIL__TEMPLATES_DIR", "/nowhere"),
                ("CANVASS_MAIL__TRANSPORT", "mailbox"),
                ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
            ],
            "mail.templates_dir",
            "/nowhere",
        ),
        (&[("CANVASS_LOG__FILTER", "=,=")], "log.filter", ""),
    ] {
        let output = canvass(dir.path(), &["serve"], settings).output().unwrap();
        let text = words(&output);
        assert_eq!(output.status.code(), Some(2), "{settings:?}: {text}");
        assert!(
            text.contains(named) && text.contains(expected),
            "{settings:?}: {text}"
        );
        assert!(!text.contains(KEY), "the key is printed: {text}");
    }
    for (content, expected) in [
        ("[http]\nbund = \"x\"", "http.bund"),
        ("[http]\nbind = 5", "http.bind"),
        ("[http", "wrong.toml"),
    ] {
        std::fs::write(&file, content).unwrap();
        let arguments = ["--config", file.to_str().unwrap(), "serve"];
        let output = canvass(dir.path(), &arguments, &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            words(&output).contains(expected),
            "{content}: {}",
            words(&output)
        );
    }
}

/// A server process, killed when the test ends in whatever way.
pub struct Server {
    pub child: Child,
    pub url: String,
}

impl Server {
    async fn start(database: &TestDatabase) -> Self {
        Self::start_by(database, |command| command).await
    }

    /// Starts it; `how` wraps the plain command.
    async fn start_by(database: &TestDatabase, how: fn(Command) -> Command) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let server = Self::spawn_by(database, &address, how);
        wait::until("the server is ready", async || server.is_ready().await).await;
        server
    }

    /// The same at this address, without waiting until it is ready.
    pub fn spawn_by(database: &TestDatabase, address: &str, how: fn(Command) -> Command) -> Self {
        let settings = [
            ("CANVASS_HTTP__BIND", address),
            ("CANVASS_DATABASE__URL", &database.url),
            ("CANVASS_MAIL__TRANSPORT", "mailbox"),
            ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
        ];
        let child = how(canvass(database.dir.path(), &["serve"], &settings))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            url: format!("http://{address}"),
        }
    }

    async fn is_ready(&self) -> bool {
        let client = Client::builder().no_proxy().build().unwrap();
        let ready = client.get(format!("{}/readyz", self.url)).send().await;
        ready.is_ok_and(|answer| answer.status() == 200)
    }

    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.args([name, &self.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }

    pub async fn ended(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let waiting = Waiting::until("the server has ended");
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), began.elapsed());
            }
            waiting.still("it runs").await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_it_within_ten_seconds_and_it_starts_again() {
    let database = TestDatabase::empty().await;
    for signal in ["-TERM", "-INT"] {
        let mut server = Server::start(&database).await;
        // Silent connections must not delay the stop.
        let address = server.url.trim_start_matches("http://").to_owned();
        let _idle = tokio::net::TcpStream::connect(&address).await.unwrap();
        server.signal(signal);
        let (code, took) = server.ended().await;
        assert_eq!(code, Some(0), "{signal}");
        assert!(took < Duration::from_secs(10), "{signal}: {took:?}");
    }
    let mut server = Server::start(&database).await;
    server.signal("-KILL");
    server.ended().await;
    Server::start(&database).await;
}

/// Starts a command through `env` with an option about a signal, because the test itself may run with hangups ignored.
fn through_env(option: &str, command: &Command) -> Command {
    let mut through = Command::new("/usr/bin/env");
    through
        .arg(option)
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .env_clear()
        .envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))))
        .stdin(Stdio::null());
    through
}

/// Closing a terminal stops the server that was started from it, unless hangups are ignored.
#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_stops_it_unless_that_is_ignored() {
    let database = TestDatabase::empty().await;
    let heard = |command| through_env("--default-signal=HUP", &command);
    let mut server = Server::start_by(&database, heard).await;
    server.signal("-HUP");
    assert_eq!(server.ended().await.0, Some(0));

    // As `nohup` does.
    let ignored = |command| through_env("--ignore-signal=HUP", &command);
    let mut server = Server::start_by(&database, ignored).await;
    server.signal("-HUP");
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        assert!(server.is_ready().await, "it stopped");
    }
    server.signal("-TERM");
    assert_eq!(server.ended().await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_data_directory_says_why_it_does_not_start() {
    let database = TestDatabase::empty().await;
    if database.url.starts_with("postgres") {
        return;
    }
    let _first = Server::start(&database).await;
    let settings = [
        ("CANVASS_HTTP__BIND", "127.0.0.1:0"),
        ("CANVASS_MAIL__TRANSPORT", "mailbox"),
        ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
    ];
    let second = canvass(database.dir.path(), &["serve"], &settings);
    let output = tokio::task::spawn_blocking(move || {
        let mut second = second;
        second.output().unwrap()
    })
    .await
    .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(
        words(&output).contains("in use by another canvass process"),
        "{}",
        words(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_say_what_they_did() {
    let database = TestDatabase::empty().await;
    let settings = [("CANVASS_DATABASE__URL", database.url.as_str())];
    let dir = database.dir.path();
    for _ in 0..2 {
        let output = canvass(dir, &["migrate"], &settings).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    }
    let output = canvass(dir, &["api-token", "create", "newsroom"], &settings)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let token = String::from_utf8(output.stdout).unwrap();
    assert!(
        token.trim().len() > 40,
        "only the token is on standard output: {token:?}"
    );

    let run = |arguments: &[&str]| {
        let output = canvass(dir, arguments, &settings).output().unwrap();
        (output.status.code(), words(&output))
    };
    let (code, list) = run(&["api-token", "list"]);
    assert_eq!(code, Some(0), "{list}");
    assert!(
        list.contains("1\tnewsroom\tmade 20") && list.contains("live"),
        "{list}"
    );
    assert!(!list.contains(token.trim()), "it is shown once");
    assert_eq!(run(&["api-token", "revoke", "1"]).0, Some(0));
    assert!(run(&["api-token", "list"]).1.contains("revoked 20"));
    let (code, again) = run(&["api-token", "revoke", "1"]);
    assert_eq!(code, Some(1), "{again}");
    assert!(again.contains("no live token 1"), "{again}");

    let editor = "ed@news.example";
    let (code, nobody) = run(&["admin", "close", editor]);
    assert_eq!(code, Some(1), "{nobody}");
    assert_eq!(run(&["admin", "add", editor]).0, Some(0));
    assert_eq!(run(&["admin", "close", "Ed@NEWS.example"]).0, Some(0));
    assert_eq!(run(&["admin", "close", editor]).0, Some(1), "it is closed");

    let output = canvass(dir, &["settings"], &settings).output().unwrap();
    assert_eq!(words(&output), canvass::config::REFERENCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused() {
    let database = TestDatabase::of_a_newer_version().await;
    let settings = [("CANVASS_DATABASE__URL", database.url.as_str())];
    let output = canvass(database.dir.path(), &["migrate"], &settings)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(
        words(&output).contains("newer version of Canvass"),
        "{}",
        words(&output)
    );
}

/// The key is part of the database: another one must not start to sign links.
#[tokio::test(flavor = "multi_thread")]
async fn another_secret_key_is_refused() {
    let database = TestDatabase::empty().await;
    let mut settings = vec![("CANVASS_DATABASE__URL", database.url.as_str())];
    let dir = database.dir.path();
    let output = canvass(dir, &["api-token", "create", "x"], &settings)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    settings.push((
        "CANVASS_SECRET_KEY",
        "another key that is long enough but not that one",
    ));
    let output = canvass(dir, &["api-token", "create", "x"], &settings)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
    assert!(words(&output).contains("secret_key"), "{}", words(&output));
    // During a rotation both are listed.
    let both = format!("another key that is long enough but not that one,{KEY}");
    settings.push(("CANVASS_SECRET_KEY", &both));
    let output = canvass(dir, &["api-token", "create", "x"], &settings)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
}
