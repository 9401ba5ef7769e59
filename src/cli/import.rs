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
    /// Import readers who opted in elsewhere, from a CSV file with a header row: email, and optionally
    /// name, time_zone, confirmed_at. Bad rows are reported with line and reason; good rows are imported. Columns that show who has left
    /// (status, subscribed_to_emails, unsubscribed_at, deleted_at, bounced, complained and the like) are respected: these readers are not
    /// subscribed, and are suppressed if they bounced, complained or were blocked. Other columns are listed and ignored.
    Readers(ImportReaders),
    /// Import polls from another system, from a dump of its tables (SQL) or one CSV file for each table: questions, answers, counts,
    /// times. They are imported as closed polls. Voters' addresses, names and cookies are not imported. Importing them again adds nothing.
    Polls(ImportPolls),
}

#[derive(Debug, Args)]
pub(super) struct ImportPolls {
    /// The dump, or the tables as CSV files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The system that the polls come from.
    #[arg(long, value_parser = ["wp-polls", "yop"])]
    from: String,
    /// The time zone of the site (in WordPress: Settings, General, Timezone), because its times are stored without one. A name such as
    /// Europe/Berlin, or an offset such as +02:00.
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    time_zone: String,
    /// Leave out answers and votes of polls that are not in the file. Without this option they count as a sign that the file is incomplete.
    #[arg(long)]
    without_orphans: bool,
    /// Accept a dump that mysqldump did not finish. Without this option it is refused, because whole tables may be missing.
    #[arg(long)]
    without_end: bool,
    /// Keep polls open that were open there, until the time at which they were due to close.
    #[arg(long)]
    open: bool,
    /// Report what would be imported, without importing anything.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct ImportReaders {
    /// The CSV file (UTF-8).
    file: PathBuf,
    /// The slug of the newsletter they subscribed to.
    #[arg(long, value_name = "SLUG")]
    newsletter: String,
    /// State that these readers confirmed their addresses elsewhere. Required, because unconfirmed addresses must not be imported.
    #[arg(long, required = true)]
    confirmed: bool,
    /// The consent text that they agreed to, kept as evidence.
    #[arg(long, value_name = "TEXT")]
    consent: String,
    /// Write every row that was not subscribed to this file, with the reason.
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
