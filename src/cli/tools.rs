//! Commands that do one thing and end. They work beside a running server.

use std::process::ExitCode;

use clap::Args;

use super::out::{say, tell};
use super::{ExportReaders, Failed, ImportPolls, ImportReaders, tool};
use crate::admin;
use crate::api::tokens;
use crate::app::Role;
use crate::config::Config;
use crate::mailer::mailing;
use crate::polls;
use crate::subscriptions::{self, ImportOrder};
use crate::types::{ApiTokenId, EmailAddress, IssueId, UnixMillis};

#[derive(Debug, Args)]
pub(super) struct AllowAgain {
    /// The issue's number, as in the address of its page.
    #[arg(long, value_name = "NUMBER")]
    issue: i64,
    /// From this moment on, like 2026-03-02T09:00:00+01:00.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Until before this moment.
    #[arg(long, value_name = "TIME")]
    until: String,
}

pub async fn migrate(config: Config) -> Result<(), Failed> {
    let before = crate::app::open(&config, Role::Server).await?;
    drop(before);
    tell!("The schema is up to date.");
    Ok(())
}

pub async fn add_editor(config: Config, email: &str, name: &str) -> Result<(), Failed> {
    let email = EmailAddress::parse(email).map_err(|e| Failed::Used(format!("EMAIL: {e}")))?;
    let app = tool(config).await?;
    let path = admin::invite(&app.db, &app.random, app.clock.now(), &email, name).await?;
    let days = admin::LINK_LIFETIME.as_secs() / 86_400;
    tell!("This link sets the password, once, within {days} days:");
    say!("{}{path}", app.config.origin());
    Ok(())
}

pub async fn close_editor(config: Config, email: &str) -> Result<(), Failed> {
    let email = EmailAddress::parse(email).map_err(|e| Failed::Used(format!("EMAIL: {e}")))?;
    let app = tool(config).await?;
    if !admin::close(&app.db, app.clock.now(), &email).await? {
        return Err(Failed::Other(
            "no editor with this address has an open account; the settings page lists them".into(),
        ));
    }
    tell!("The account is closed. Whoever was signed in to it is signed out.");
    Ok(())
}

pub(super) async fn allow_again(config: Config, asked: &AllowAgain) -> Result<(), Failed> {
    let moment = |option: &str, text: &str| {
        let parsed = text.parse::<jiff::Timestamp>();
        parsed.map(UnixMillis::from).map_err(|_| {
            let wanted = "no moment with its offset from UTC, like 2026-03-02T09:00:00+01:00";
            Failed::Used(format!("{option}: {wanted}"))
        })
    };
    let (from, until) = (
        moment("--from", &asked.from)?,
        moment("--until", &asked.until)?,
    );
    let app = tool(config).await?;
    let given = mailing::allow_again(&app, IssueId(asked.issue), from, until).await?;
    tell!(
        "{} addresses may be mailed again, and {} subscriptions are active again.",
        given.addresses,
        given.subscriptions
    );
    Ok(())
}

pub async fn list_tokens(config: Config) -> Result<(), Failed> {
    let app = tool(config).await?;
    let tokens = tokens::list(app.db.read()).await?;
    if tokens.is_empty() {
        tell!("There is none yet; `canvass api-token create NAME` makes one.");
    }
    let day = |at: UnixMillis| at.timestamp().strftime("%Y-%m-%d").to_string();
    for token in tokens {
        let state = match token.revoked {
            Some(at) => format!("revoked {}", day(at)),
            None => "live".into(),
        };
        say!(
            "{}\t{}\tmade {}\t{state}",
            token.id.0,
            token.name,
            day(token.created)
        );
    }
    Ok(())
}

pub async fn revoke_token(config: Config, number: i64) -> Result<(), Failed> {
    let app = tool(config).await?;
    match tokens::revoke(&app, ApiTokenId(number)).await? {
        Some(name) => tell!("\"{name}\" opens nothing any more."),
        None => {
            return Err(Failed::Other(format!(
                "no token {number} is live; `canvass api-token list` shows them"
            )));
        }
    }
    Ok(())
}

pub async fn create_token(config: Config, name: &str) -> Result<(), Failed> {
    let app = tool(config).await?;
    let token = tokens::create(&app, name).await?;
    tell!("Send it as \"Authorization: Bearer …\". It is shown this once:");
    say!("{}", token.expose());
    Ok(())
}

pub async fn import_readers(config: Config, asked: ImportReaders) -> Result<ExitCode, Failed> {
    let app = tool(config).await?;
    let order = ImportOrder {
        file: asked.file,
        newsletter: asked.newsletter,
        consent: asked.consent,
        report: asked.report,
    };
    let summary = subscriptions::import_readers(
        &app.db,
        &app.keys,
        &app.clock,
        &order,
        &mut std::io::stderr(),
    )
    .await
    .map_err(|e| Failed::Other(e.to_string()))?;
    say!("{summary}");
    // Bad rows were reported; the good ones are in. A script may want to know.
    Ok(ExitCode::from(u8::from(summary.bad > 0)))
}

pub async fn import_polls(config: Config, asked: ImportPolls) -> Result<ExitCode, Failed> {
    let app = tool(config).await?;
    let order = polls::ImportOrder {
        files: asked.files,
        from: match asked.from.as_str() {
            "yop" => polls::ImportSystem::Yop,
            _ => polls::ImportSystem::WpPolls,
        },
        time_zone: asked.time_zone,
        open: asked.open,
        without_orphans: asked.without_orphans,
        without_end: asked.without_end,
        dry_run: asked.dry_run,
    };
    let summary = polls::import(&app, &order, &mut std::io::stderr())
        .await
        .map_err(|e| Failed::Other(e.to_string()))?;
    say!("{summary}");
    // What was left out was said; the rest is in. A script may want to know.
    Ok(ExitCode::from(u8::from(summary.left_out > 0)))
}

pub async fn export_readers(config: Config, asked: ExportReaders) -> Result<(), Failed> {
    let app = tool(config).await?;
    let out: Box<dyn std::io::Write> = match &asked.out {
        Some(path) => Box::new(private_file(path)?),
        None => Box::new(std::io::stdout().lock()),
    };
    let count =
        subscriptions::export_readers(&app.db, &asked.newsletter, asked.spreadsheet, out).await;
    let count = count.map_err(|e| Failed::Other(e.to_string()))?;
    tell!("{count} readers.");
    Ok(())
}

/// A list of addresses is for its owner alone.
fn private_file(path: &std::path::Path) -> Result<std::fs::File, Failed> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .map_err(|e| Failed::Other(format!("{} cannot be written: {e}", path.display())))
}
