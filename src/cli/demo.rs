//! `canvass demo`: a database, a key and a mailbox of its own, filled with a newsletter, a poll and an article;
//! prints where to click.
//!
//! It may be started again and keeps its data. Whatever else is configured, it uses no other database and no relay:
//! a demonstration beside an installation must not migrate, fill or send mail from the installation's database.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::out::say;
use super::{Failed, serve};
use crate::admin;
use crate::app::App;
use crate::config::{Config, Transport};
use crate::newsletters::{self, Created};
use crate::polls;
use crate::types::{EmailAddress, Random, Secret};

const EDITOR: &str = "editor@example.org";
const NEWSLETTER: &str = "premium";
const POLL: &str = "trust";
const ARTICLE: &str = "/articles/trust";

/// The file that marks a directory as belonging to a demonstration.
const MARK: &str = "demo.txt";
const MARK_WORDS: &str = "canvass demo keeps its database, its key and its mails in this directory.\nRemove the directory to start afresh.\n";

pub async fn run(config: Config, environment: &[(String, String)]) -> Result<(), Failed> {
    let given = |name: &str| environment.iter().any(|(n, _)| n == name);
    let mut config = apart(config, given("CANVASS_DATA_DIR"))?;
    if !given("CANVASS_HTTP__BIND") && is_taken(config.http.bind).await {
        // If the usual port is taken, a demonstration uses any free one.
        config.http.bind.set_port(0);
    }
    let data_dir = config.data_dir.display().to_string();
    let Some(running) = serve::start(config).await? else {
        return Ok(());
    };
    let server = &running.server;
    fill(&server.app).await?;
    let editor = editor_link(&server.app).await?;
    let origin = server.app.config.origin();
    let after = match server.app.config.is_loopback() {
        true => "",
        false => {
            "   (sign in first, see 3: others can reach this server, so only the editor may see it)"
        }
    };
    say!(
        "\n  Canvass is running. Open these pages in this order:\n\
         \n    1. An article with a poll   {origin}{ARTICLE}\
         \n    2. The mail it sends        {origin}/mailbox{after}\
         \n    3. The editors' pages       {origin}{editor}\
         \n\
         \n    The poll on its own page    {origin}/p/{POLL}\
         \n    Subscribing without a poll  {origin}/subscribe/{NEWSLETTER}\
         \n\
         \n  The editor is {EDITOR}. No mail leaves this machine: all mail is kept in the mailbox.\
         \n  Everything is kept in {data_dir}; remove that directory to start afresh. Stop with Ctrl-C.\n"
    );
    running.until_stopped().await
}

/// The configuration, with a data directory, database, key and transport of the demonstration's own.
fn apart(mut config: Config, has_directory: bool) -> Result<Config, Failed> {
    if !has_directory {
        config.data_dir = PathBuf::from("canvass-demo");
    }
    config.http.public_url.clear();
    config.site.name = "The Daily Canvass".to_owned();
    config.database.url = Secret::new("sqlite:canvass.db");
    config.mail.transport = Transport::Mailbox;
    config.mail.allow_capture = true;
    config.mail.smtp_url = Secret::default();
    config.mail.relays.clear();
    let dir = &config.data_dir;
    // Only a demonstration uses the default directory; a configured one may belong to an installation.
    if has_directory && !is_free(dir) {
        return Err(Failed::Used(format!(
            "data_dir: {} belongs to an installation, not to a demonstration; unset CANVASS_DATA_DIR or set it to an empty directory",
            dir.display()
        )));
    }
    // Even if a key is configured: links of a demonstration must be invalid elsewhere.
    let key = claim(dir).map_err(|e| {
        Failed::Other(format!(
            "data_dir: {} cannot be written: {e}",
            dir.display()
        ))
    })?;
    config.secret_key = Secret::new(key);
    Ok(config)
}

fn is_free(dir: &Path) -> bool {
    let has = |file: &str| dir.join(file).exists();
    has(MARK) || !(has("canvass.db") || has("secret.key"))
}

/// Marks the directory as a demonstration's and returns the key kept in it.
fn claim(dir: &Path) -> std::io::Result<String> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join(MARK), MARK_WORDS)?;
    keep_secret_key(dir, &Random::System)
}

/// The secret key of a demonstration: generated once and kept in its directory, readable by its owner only.
fn keep_secret_key(dir: &Path, random: &Random) -> std::io::Result<String> {
    let file = dir.join("secret.key");
    if let Ok(key) = std::fs::read_to_string(&file) {
        return Ok(key.trim().to_string());
    }
    let key = STANDARD.encode(random.bytes::<32>());
    std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut f| writeln!(f, "{key}"))?;
    Ok(key)
}

async fn is_taken(address: SocketAddr) -> bool {
    tokio::net::TcpListener::bind(address)
        .await
        .is_err_and(|e| e.kind() == std::io::ErrorKind::AddrInUse)
}

/// A set-up link while the editor has no password, otherwise the sign-in page.
async fn editor_link(app: &App) -> Result<String, Failed> {
    let now = app.clock.now();
    let known = admin::list(app.db.read(), now).await?;
    if known.iter().any(|e| e.email == EDITOR && e.has_password) {
        return Ok("/admin/sign-in".into());
    }
    let email = EmailAddress::parse(EDITOR).map_err(|e| Failed::Other(e.to_string()))?;
    Ok(admin::invite(&app.db, &app.random, now, &email, "Demo Editor").await?)
}

/// Creates the newsletter and the poll, unless they exist.
async fn fill(app: &App) -> Result<(), Failed> {
    let now = app.clock.now();
    let draft = newsletter()
        .check()
        .map_err(|errors| Failed::Other(format!("the demo's newsletter is invalid: {errors:?}")))?;
    let txn = app.db.write_txn("demo").await?;
    let letter = match newsletters::create(&txn, &draft, now).await? {
        Created::New(letter) => {
            txn.commit().await?;
            *letter
        }
        Created::SlugTaken => {
            drop(txn);
            newsletters::by_slug(app.db.read(), NEWSLETTER)
                .await?
                .ok_or_else(|| Failed::Other("the demo's newsletter has disappeared".into()))?
        }
    };
    let question = polls::QuestionText {
        text: "Do you trust the mainstream media?".into(),
        options: [
            "Yes, mostly",
            "It depends on the outlet",
            "No, hardly",
            "I do not follow the news",
        ]
        .map(Into::into)
        .into(),
        ..polls::QuestionText::default()
    };
    let mut definition = polls::Definition {
        title: "Trust in the media".into(),
        newsletter: Some(letter.id),
        time_zone: letter.time_zone,
        ..polls::Definition::new(POLL, vec![question])
    };
    let faults = definition.check();
    if !faults.is_empty() {
        return Err(Failed::Other(format!(
            "the demo's poll is invalid: {faults:?}"
        )));
    }
    let txn = app.db.write_txn("demo").await?;
    polls::create(
        &txn,
        &app.random,
        now,
        &definition,
        polls::PollState::Published,
    )
    .await?;
    txn.commit().await?;
    Ok(())
}

fn newsletter() -> newsletters::Typed {
    newsletters::Typed {
        slug: NEWSLETTER.into(),
        name: "The Premium Newsletter".into(),
        description: "What happened, what it means, and what we got wrong. Every Friday at seven.".into(),
        from_name: "The Daily Canvass".into(),
        from_address: "newsletter@canvass.example".into(),
        reply_to: String::new(),
        postal_address: "The Daily Canvass\n1 Press Lane\n1010 Vienna, Austria".into(),
        postal_address_can_wait: false,
        time_zone: "Europe/Vienna".into(),
        language: "en".into(),
        accent: "#0e5f5b".into(),
        consent: "Yes, send me the premium newsletter by email every week. I can stop it at any time with one click."
            .into(),
        archive: true,
    }
}
