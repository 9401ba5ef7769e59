//! `canvass check`: try everything that `serve` will need, and say of each what was found.

use std::process::ExitCode;

use super::{Failed, missing_key, tool};
use crate::config::Config;

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
    if !config.secret_key.is_empty() {
        match tool(config).await {
            Ok(app) => {
                findings.add(
                    "database",
                    Ok(format!("{:?}, schema up to date", app.db.backend())),
                );
                findings.add("page templates", Ok("all parse".into()));
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
