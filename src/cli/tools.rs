//! Commands that do one thing and end. They work beside a running server.

use std::process::ExitCode;

use super::{Failed, ImportReaders, tool};
use crate::admin;
use crate::api::tokens;
use crate::app::Role;
use crate::config::Config;
use crate::subscriptions::{self, ImportOrder};
use crate::types::EmailAddress;

pub async fn migrate(config: Config) -> Result<(), Failed> {
    let before = crate::app::open(&config, Role::Server).await?;
    drop(before);
    eprintln!("The schema is up to date.");
    Ok(())
}

pub async fn add_editor(config: Config, email: &str, name: &str) -> Result<(), Failed> {
    let email = EmailAddress::parse(email).map_err(|e| Failed::Used(format!("EMAIL: {e}")))?;
    let app = tool(config).await?;
    let path = admin::invite(&app.db, &app.random, app.clock.now(), &email, name).await?;
    let days = admin::LINK_LIFETIME.as_secs() / 86_400;
    eprintln!("This link sets the password, once, within {days} days:");
    println!("{}{path}", app.config.origin());
    Ok(())
}

pub async fn create_token(config: Config, name: &str) -> Result<(), Failed> {
    let app = tool(config).await?;
    let token = tokens::create(&app, name).await?;
    eprintln!("Send it as \"Authorization: Bearer …\". It is shown this once:");
    println!("{}", token.expose());
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
    println!("{summary}");
    // Bad rows were reported; the good ones are in. A script may want to know.
    Ok(ExitCode::from(u8::from(summary.bad > 0)))
}
