//! `canvass check`: try everything that `serve` will need, and say of each what was found.

use std::process::ExitCode;

use super::{Failed, missing_key, tool};
use crate::config::Config;
use crate::mailer::transport::Transport;

/// What was tried, and how it went.
struct Findings {
    failed: usize,
}

impl Findings {
    fn add(&mut self, what: &str, outcome: Result<String, String>) {
        match outcome {
            Ok(found) => println!("ok      {what}: {found}"),
            Err(problem) => {
                self.failed += 1;
                println!("FAILED  {what}: {problem}");
            }
        }
    }
}

pub async fn run(config: Config) -> Result<ExitCode, Failed> {
    let mut findings = Findings { failed: 0 };
    findings.add(
        "configuration",
        if config.secret_key.is_empty() {
            Err(missing_key().to_string())
        } else {
            Ok(format!("readers come to {}", config.origin()))
        },
    );
    findings.add("mail relay", relay(&config).await);
    if !config.secret_key.is_empty() {
        // The mail templates are rendered with their sample data when the parts are assembled.
        match tool(config).await {
            Ok(app) => {
                let backend = app.db.backend();
                findings.add("database", Ok(format!("{backend:?}, schema up to date")));
                findings.add("pages", Ok("all templates parse".into()));
                findings.add("mails", Ok("all templates render".into()));
            }
            Err(error) => findings.add("database and templates", Err(error.to_string())),
        }
    }
    if findings.failed == 0 {
        println!("Everything is in order.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} of these failed.", findings.failed);
    Ok(ExitCode::from(1))
}

/// Goes as far as a relay lets us without a mail: connection, TLS, EHLO, AUTH.
async fn relay(config: &Config) -> Result<String, String> {
    let transport = Transport::of(config).map_err(|e| e.to_string())?;
    transport
        .probe()
        .await
        .map_err(|e| format!("mail.smtp_url: {e}"))?;
    Ok(match transport {
        Transport::Smtp(_) => "it answers and lets us in".into(),
        Transport::Mailbox | Transport::Files(_) | Transport::Nowhere => {
            "none is used: mails are kept here".into()
        }
    })
}
