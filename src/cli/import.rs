//! `canvass import`: imports data.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::out::say;
use super::{Failed, tool};
use crate::config::Config;
use crate::polls;
use crate::subscriptions::{self, ImportOrder};

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Readers who opted in elsewhere, from a CSV file with a header row: email, and optionally
    /// name, time_zone, confirmed_at. Bad rows are reported with line and reason; the good ones are kept. Columns that say who has left
    /// (status, subscribed_to_emails, unsubscribed_at, deleted_at, bounced, complained and the like) are obeyed: those are not subscribed,
    /// and suppressed where they bounced, complained or were blocked. Other columns are named and ignored.
    Readers(ImportReaders),
    /// Polls of another system, from a dump of its tables (SQL) or each table as CSV: questions, answers, counts, times. They
    /// come as closed. Voters' addresses, names and cookies are not taken. Running it again adds nothing.
    Polls(ImportPolls),
}

#[derive(Debug, Args)]
pub(super) struct ImportPolls {
    /// The dump, or the tables as CSV files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The system.
    #[arg(long, value_parser = ["wp-polls", "yop"])]
    from: String,
    /// The zone of the site's clocks (Settings, General, Timezone in WordPress): its times are stored without one. A name like
    /// Europe/Berlin, or an offset like +02:00.
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    time_zone: String,
    /// Leave out answers and votes of polls that are not in the file. Without this they are taken for a sign that it is cut short.
    #[arg(long)]
    without_orphans: bool,
    /// Take a dump as it is that mysqldump did not complete. Without this it is refused: whole tables may be missing.
    #[arg(long)]
    without_end: bool,
    /// Polls that were open there stay open here, until the time they were to close.
    #[arg(long)]
    open: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct ImportReaders {
    /// The CSV file (UTF-8).
    file: PathBuf,
    /// The newsletter they subscribed to.
    #[arg(long, value_name = "SLUG")]
    newsletter: String,
    /// They did confirm their addresses elsewhere. Required: unconfirmed addresses are not imported.
    #[arg(long, required = true)]
    confirmed: bool,
    /// The words they agreed to, kept as evidence.
    #[arg(long, value_name = "TEXT")]
    consent: String,
    /// Write every row that was not subscribed here, with its reason.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub async fn run(config: Config, command: ImportCommand) -> Result<ExitCode, Failed> {
    match command {
        ImportCommand::Readers(asked) => readers(config, asked).await,
        ImportCommand::Polls(asked) => polls(config, asked).await,
    }
}

async fn readers(config: Config, asked: ImportReaders) -> Result<ExitCode, Failed> {
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
    // Bad rows were reported and the good ones imported. The exit code tells scripts about it.
    Ok(ExitCode::from(u8::from(summary.bad > 0)))
}

async fn polls(config: Config, asked: ImportPolls) -> Result<ExitCode, Failed> {
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
    // Skipped items were reported and the rest imported. The exit code tells scripts about it.
    Ok(ExitCode::from(u8::from(summary.left_out > 0)))
}
