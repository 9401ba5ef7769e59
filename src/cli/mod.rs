//! The command line: parses arguments, runs one command, and maps its outcome to an exit code.
//!
//! Exit codes: 0 success, 1 failure, 2 wrong usage (arguments or configuration); `canvass bounce` uses only 0
//! and 75. The output of a command goes to standard output, messages about it to standard error.
//!
//! One file for each command: `serve`, `demo`, `migrate`, `check`, `admin`, `api_token`, `dkim`, `import`,
//! `export`, `verify`, `backup` (with `restore`), `bounce`, `allow_again`. Beside them: `out` prints, `owner`
//! refuses to write files as another user, `part` writes them beside their place, `postgres_tools` runs `pg_dump`.

mod admin;
mod allow_again;
mod api_token;
mod backup;
mod bounce;
mod check;
mod demo;
mod dkim;
mod export;
mod import;
mod migrate;
mod out;
mod owner;
mod part;
mod postgres_tools;
mod serve;
mod verify;

use std::future::Future;
use std::io::IsTerminal as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use self::out::{say, tell};
use crate::app::{App, Role, StartError};
use crate::config::{self, Config, ConfigError, LogFormat};
use crate::db::{AccessError, OpenError};
use crate::panics;
use crate::types::{Clock, Random};

const AFTER: &str = "\
Configuration: canvass.toml in the working directory, or --config FILE; environment variables override it, \
CANVASS_<SECTION>__<KEY> (CANVASS_HTTP__BIND=0.0.0.0:8080). `canvass settings` prints every setting with its default.

To try it:       canvass demo
In production:   canvass check, then canvass serve (see deploy/ for systemd, Docker and nginx)";

/// Newsletters and reader polls for news publishers.
#[derive(Debug, Parser)]
#[command(name = "canvass", version, after_help = AFTER)]
struct Cli {
    /// The configuration file. Default: canvass.toml, if it exists.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service: web pages, API, scheduler and mailer.
    Serve,
    /// Run a demonstration on built-in defaults: SQLite, a mailbox in the browser, a sample article with a poll. It reads no canvass.toml unless --config names one.
    Demo,
    /// Write the whole database to one file while the servers run. The file does not contain the secret key.
    Backup {
        /// The file to write. It must not exist yet.
        file: PathBuf,
    },
    /// Restore a backup. Stop every server first. Mail that would go out automatically is held back until somebody decides on it.
    Restore {
        /// The file that `canvass backup` wrote. Without it, only hold back the mail that is due, after the database was restored by other means.
        file: Option<PathBuf>,
        /// If a SQLite database already exists, set it aside.
        #[arg(long)]
        replace: bool,
    },
    /// Bring the database's schema up to date (`serve` does this too).
    Migrate,
    /// Test the configuration, the database, every template, and the mail relay.
    Check {
        /// Check one thing in more detail.
        #[command(subcommand)]
        what: Option<check::CheckCommand>,
    },
    /// Process a returned mail (a bounce or a complaint) from standard input, as a mail server's pipe delivers it.
    Bounce {
        /// The address it was delivered to, according to the mail server. Without it, the mail itself is searched for the address.
        #[arg(long, value_name = "ADDRESS")]
        recipient: Option<String>,
    },
    /// Manage the keys that sign mails.
    #[command(subcommand)]
    Dkim(dkim::DkimCommand),
    /// Lift the suppression of addresses that hard bounces of one issue suppressed by mistake between two times, and restore their subscriptions.
    AllowAgain(allow_again::AllowAgain),
    /// Print every setting with its default and meaning.
    Settings,
    /// Manage editors' accounts.
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Manage the API tokens of scripts.
    #[command(subcommand, name = "api-token")]
    ApiToken(api_token::TokenCommand),
    /// Import readers or polls.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Check that the counts match the ballots cast.
    #[command(subcommand)]
    Verify(verify::VerifyCommand),
    /// Export readers.
    #[command(subcommand)]
    Export(export::ExportCommand),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Start(#[from] StartError),
    #[error("{0}")]
    Used(String),
    /// The reader of standard output has gone away.
    #[error("nobody is reading the output")]
    Unread,
    #[error("{0}")]
    Other(String),
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::Unread;
        }
        Self::Other(error.to_string())
    }
}

impl From<crate::db::DbErr> for Failed {
    fn from(error: crate::db::DbErr) -> Self {
        Self::Other(format!("the database failed: {error}"))
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Help and version are not errors. If printing fails, there is nobody to tell.
            let _ = told.print();
            return match told.use_stderr() {
                true if bounce::is_asked_for(config::arguments()) => ExitCode::from(bounce::LATER),
                true => ExitCode::from(2),
                false => ExitCode::SUCCESS,
            };
        }
    };
    let is_pipe = matches!(cli.command, Command::Bounce { .. });
    let mut builder = match is_pipe {
        // A mail server may run many at once, up to a limit of threads.
        true => Builder::new_current_thread(),
        false => Builder::new_multi_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell!("canvass: the runtime cannot start: {error}");
            return ExitCode::from(if is_pipe { bounce::LATER } else { 1 });
        }
    };
    match to_its_end(runtime, run(cli)) {
        Ok(Ok(code)) => code,
        // Whatever goes wrong here, the mail server must keep the mail.
        Ok(Err(failed)) if is_pipe => {
            tell!("canvass: {failed}");
            ExitCode::from(bounce::LATER)
        }
        Err(_) if is_pipe => ExitCode::from(bounce::LATER),
        Err(panic) => resume_unwind(panic),
        Ok(Err(failed)) => {
            if !matches!(failed, Failed::Unread) {
                tell!("canvass: {failed}");
            }
            ExitCode::from(match failed {
                Failed::Config(_) | Failed::Used(_) => 2,
                // A wrong setting stays wrong however often the service manager restarts the program.
                Failed::Start(
                    StartError::SecretKey(_)
                    | StartError::Template(_)
                    | StartError::Transport(_)
                    | StartError::Access(AccessError::Open(OpenError::Unreadable)),
                ) => 2,
                Failed::Start(_) | Failed::Unread | Failed::Other(_) => 1,
            })
        }
    }
}

/// Runs a command until it ends or panics. Calls that block, such as looking up a name while no name server answers,
/// are not waited for: they could outlast the time within which a server has to stop.
fn to_its_end<T>(runtime: Runtime, command: impl Future<Output = T>) -> std::thread::Result<T> {
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(command)));
    runtime.shutdown_background();
    ended
}

async fn run(cli: Cli) -> Result<ExitCode, Failed> {
    if matches!(cli.command, Command::Settings) {
        say!("{}", config::REFERENCE.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let environment = config::environment()?;
    let default = PathBuf::from("canvass.toml");
    // Beside an installation, a demonstration leaves its file alone.
    let is_read = !matches!(cli.command, Command::Demo) && default.exists();
    let file = cli.config.or_else(|| is_read.then_some(default));
    let config = config::load(file.as_deref(), &environment)?;
    log_to_stderr(&config)?;
    panics::tell_places_alone();
    let ignored = config::ignored(&environment);
    if !ignored.is_empty() {
        tracing::warn!(
            "ignored, because they are not settings of Canvass: {}",
            ignored.join(", ")
        );
    }
    if !matches!(cli.command, Command::Serve | Command::Demo) {
        owner::is_ours(&config)?;
    }
    match cli.command {
        Command::Serve => serve::run(config).await?,
        Command::Demo => demo::run(config, &environment).await?,
        Command::Backup { file } => backup::backup(config, &file).await?,
        Command::Restore { file, replace } => {
            backup::restore(config, file.as_deref(), replace).await?;
        }
        Command::Migrate => migrate::run(config).await?,
        Command::Check { what } => return check::run(config, what).await,
        Command::Bounce { recipient } => return bounce::run(config, recipient).await,
        Command::Dkim(command) => return dkim::run(config, command).await,
        Command::AllowAgain(asked) => allow_again::run(config, &asked).await?,
        Command::Settings => {}
        Command::Admin(command) => admin::run(config, command).await?,
        Command::ApiToken(command) => api_token::run(config, command).await?,
        Command::Import(command) => return import::run(config, command).await,
        Command::Verify(command) => return verify::run(config, command).await,
        Command::Export(command) => export::run(config, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn log_to_stderr(config: &Config) -> Result<(), Failed> {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(&config.log.filter)
        .map_err(|e| Failed::Used(format!("log.filter: {e}")))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // The subscriber would print its own write errors to standard error, which is what has failed, with a macro
        // that then panics.
        .log_internal_errors(false);
    // Fails only if a subscriber is already set, which happens only in tests.
    let _ = match config.log.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    Ok(())
}

/// The app for a command that may run beside a server.
async fn tool(config: Config) -> Result<App, Failed> {
    if config.secret_key.is_empty() {
        return Err(Failed::Config(missing_key()));
    }
    Ok(App::build(config, Role::Tool, Clock::System, Random::System).await?)
}

fn missing_key() -> ConfigError {
    ConfigError {
        setting: "secret_key".into(),
        problem:
            "is not set; it signs every link. Generate one with `openssl rand -hex 32`, and set \
                  CANVASS_SECRET_KEY or CANVASS_SECRET_KEY_FILE"
                .into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    }

    #[test]
    fn a_call_that_blocks_does_not_outlast_the_command() {
        let (end, ended) = mpsc::channel::<()>();
        let begun = Instant::now();
        let done = to_its_end(runtime(), async {
            let (tell, told) = tokio::sync::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                let _ = tell.send(());
                let _ = ended.recv_timeout(Duration::from_secs(20));
            });
            told.await.is_ok()
        });
        assert!(done.is_ok_and(|blocks| blocks));
        assert!(begun.elapsed() < Duration::from_secs(15));
        drop(end);
    }

    #[test]
    fn a_panic_of_the_command_is_returned() {
        async fn broken() -> u8 {
            panic!("a bug")
        }
        assert!(to_its_end(runtime(), broken()).is_err());
    }
}
