//! `canvass export`: exports data.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::out::tell;
use super::part::Part;
use super::{Failed, tool};
use crate::admin::show;
use crate::config::Config;
use crate::subscriptions;

#[derive(Debug, Subcommand)]
pub(super) enum ExportCommand {
    /// Export the subscribers of a newsletter as CSV (email, name, time_zone, confirmed_at), in the format that an import reads.
    Readers(ExportReaders),
}

#[derive(Debug, Args)]
pub(super) struct ExportReaders {
    /// The newsletter's slug.
    #[arg(long, value_name = "SLUG")]
    newsletter: String,
    /// Write to this file instead of to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Put an apostrophe before cells that a spreadsheet would run as a formula. Such a file cannot be imported again.
    #[arg(long)]
    spreadsheet: bool,
}

pub async fn run(config: Config, command: ExportCommand) -> Result<(), Failed> {
    match command {
        ExportCommand::Readers(asked) => readers(config, asked).await,
    }
}

async fn readers(config: Config, asked: ExportReaders) -> Result<(), Failed> {
    let app = tool(config).await?;
    let part = asked.out.as_deref().map(Part::of).transpose()?;
    let out: Box<dyn std::io::Write + '_> = match &part {
        Some(part) => Box::new(part.file()),
        None => Box::new(std::io::stdout().lock()),
    };
    let count =
        subscriptions::export_readers(&app.db, &asked.newsletter, asked.spreadsheet, out).await;
    let count = count.map_err(|e| Failed::Other(e.to_string()))?;
    if let (Some(part), Some(to)) = (part, &asked.out) {
        part.put(to)?;
    }
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    tell!("{}.", show::counted(count, "reader", "readers"));
    Ok(())
}
