//! `canvass admin`: editors' accounts.

use clap::Subcommand;

use super::out::{say, tell};
use super::{Failed, tool};
use crate::admin;
use crate::config::Config;
use crate::types::EmailAddress;

#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Add an editor, or let an existing one choose a new password: prints a one-time link.
    Add {
        /// The editor's mail address.
        email: String,
        /// The name shown to other editors.
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Close an editor's account at once: signs the editor out everywhere and deletes the password and links. `add` reopens it.
    Close {
        /// The editor's mail address.
        email: String,
    },
}

pub async fn run(config: Config, command: AdminCommand) -> Result<(), Failed> {
    match command {
        AdminCommand::Add { email, name } => add(config, &email, &name).await,
        AdminCommand::Close { email } => close(config, &email).await,
    }
}

async fn add(config: Config, email: &str, name: &str) -> Result<(), Failed> {
    let email = EmailAddress::parse(email).map_err(|e| Failed::Used(format!("EMAIL: {e}")))?;
    let app = tool(config).await?;
    let path = admin::invite(&app.db, &app.random, app.clock.now(), &email, name).await?;
    let days = admin::LINK_LIFETIME.as_secs() / 86_400;
    tell!("This link sets the password. It works once, within {days} days:");
    say!("{}{path}", app.config.origin());
    Ok(())
}

async fn close(config: Config, email: &str) -> Result<(), Failed> {
    let email = EmailAddress::parse(email).map_err(|e| Failed::Used(format!("EMAIL: {e}")))?;
    let app = tool(config).await?;
    if !admin::close(&app.db, app.clock.now(), &email).await? {
        return Err(Failed::Other(
            "no editor with this address has an open account; the settings page lists the editors"
                .into(),
        ));
    }
    tell!("The account is closed. Whoever was signed in to it is signed out.");
    Ok(())
}
