//! `canvass check`: try everything that `serve` will need, and say of each what was found.

use std::path::absolute;
use std::process::ExitCode;

use clap::Subcommand;

use super::dkim;
use super::out::say;
use super::serve::safe;
use super::{Failed, tool};
use crate::config::Config;
use crate::mailer::transport::{Transport, probe};

#[derive(Debug, Subcommand)]
pub(super) enum CheckCommand {
    /// Print the DNS records of the signing keys and compare them with DNS; also check SPF and DMARC of the senders' domains.
    Dkim,
}

/// Counts failed checks, and prints what was checked and how it went.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) failed: usize,
}

impl Findings {
    /// Prints a remark that is not a failure.
    pub(super) fn note(what: &str, told: &str) {
        Self::line(&format!("note    {what}: {told}"));
    }

    /// If nobody reads the output, the exit code still counts.
    pub(super) fn line(line: &str) {
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    pub(super) fn add(&mut self, what: &str, outcome: Result<String, String>) {
        match outcome {
            Ok(found) => Self::line(&format!("ok      {what}: {found}")),
            Err(problem) => {
                self.failed += 1;
                Self::line(&format!("FAILED  {what}: {problem}"));
            }
        }
    }
}

pub async fn run(config: Config, what: Option<CheckCommand>) -> Result<ExitCode, Failed> {
    match what {
        None => all(config).await,
        Some(CheckCommand::Dkim) => dkim::check(config).await,
    }
}

async fn all(config: Config) -> Result<ExitCode, Failed> {
    let mut findings = Findings::default();
    findings.add(
        "configuration",
        // What `serve` would refuse to start with.
        match safe(config.clone()) {
            Err(error) => Err(error.to_string()),
            Ok(_) => Ok(format!("readers use {}", config.origin())),
        },
    );
    relays(&config, &mut findings).await;
    if !config.secret_key.is_empty() {
        let place = match config.database_file() {
            Some(file) => format!("{}, ", absolute(&file).unwrap_or(file).display()),
            None => String::new(),
        };
        // Assembling the app renders every mail template with sample data.
        match tool(config).await {
            Ok(app) => {
                let backend = app.db.backend();
                findings.add(
                    "database",
                    Ok(format!("{backend:?}, {place}schema up to date")),
                );
                findings.add("pages", Ok("all templates parse".into()));
                findings.add("mails", Ok("all templates render".into()));
                match dkim::unsigned(&app).await {
                    Ok(domains) if domains.is_empty() => {
                        findings.add("signatures", Ok("every sender's domain has a key".into()));
                    }
                    Ok(domains) => Findings::note(
                        "signatures",
                        &format!(
                            "mails from {} are not signed; see `canvass dkim create --help`",
                            domains.join(", ")
                        ),
                    ),
                    Err(error) => findings.add("signatures", Err(error.to_string())),
                }
            }
            Err(error) => findings.add("database and templates", Err(error.to_string())),
        }
    }
    if findings.failed == 0 {
        say!("Everything is in order.");
        return Ok(ExitCode::SUCCESS);
    }
    say!("{} of these checks failed.", findings.failed);
    Ok(ExitCode::from(1))
}

/// Talks to each relay as far as possible without a mail: connection, TLS, EHLO, AUTH.
async fn relays(config: &Config, findings: &mut Findings) {
    let relays = match Transport::of(config) {
        Ok(Transport::Smtp(relays)) => relays,
        Ok(_) => {
            let found = "not used: mails are kept on this server".into();
            return findings.add("mail relay", Ok(found));
        }
        Err(error) => return findings.add("mail relay", Err(error.to_string())),
    };
    // A missing public URL is already reported with the configuration.
    let set = !config.http.public_url.is_empty();
    if set && config.mail.hello_name.is_empty() && config.host_address().is_some() {
        Findings::note(
            "mail relay",
            &format!(
                "this server introduces itself as {}, which servers on the internet distrust; set mail.hello_name to this machine’s name",
                config.hello_name()
            ),
        );
    }
    // Missing relays are already reported with the configuration.
    for (index, (name, relay)) in relays.each().enumerate() {
        let setting = config.mail.relay_setting(index);
        let outcome = match probe(relay).await {
            Ok(()) => Ok("it answers and accepts our sign-in".into()),
            Err(refusal) => Err(format!("{setting}: {refusal}")),
        };
        findings.add(&format!("mail relay {name}"), outcome);
    }
}
