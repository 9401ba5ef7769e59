//! `canvass verify`: checks that the counts match the ballots cast.

use std::process::ExitCode;

use clap::Subcommand;

use super::out::say;
use super::{Failed, tool};
use crate::config::Config;
use crate::polls;

#[derive(Debug, Subcommand)]
pub(super) enum VerifyCommand {
    /// Recompute a poll's log, ballots and tally from the rows, even while it is open. Fails if anything differs.
    Poll {
        /// The poll's name in links.
        slug: String,
    },
}

pub async fn run(config: Config, command: VerifyCommand) -> Result<ExitCode, Failed> {
    match command {
        VerifyCommand::Poll { slug } => poll(config, &slug).await,
    }
}

fn hex(hash: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

async fn poll(config: Config, slug: &str) -> Result<ExitCode, Failed> {
    let app = tool(config).await?;
    let unknown = || Failed::Other(format!("there is no poll {slug}"));
    let poll = polls::by_slug(&app.db, slug).await?.ok_or_else(unknown)?;
    let verified = polls::verify(&app.db, poll.id).await?.ok_or_else(unknown)?;
    for finding in verified.told() {
        say!("differs: {finding}");
    }
    for (slot, head) in &verified.chains {
        say!("chain {slot}: {} pages, head {}", head.seq, hex(&head.hash));
    }
    say!("head: {}", hex(&verified.head));
    say!("ballot root: {}", hex(&verified.root));
    if let Some(record) = &verified.record {
        say!("record {}: {}", record.number, hex(&record.hash));
    }
    let log = match poll.sealed_at {
        None => format!("{} entries", verified.entries),
        Some(_) => "sealed: the log has been destroyed".to_owned(),
    };
    say!(
        "{log}, {} ballots counted, {} set aside",
        verified.ballots,
        verified.set_aside
    );
    if poll.linking.is_some() {
        say!("{} answers linked to readers who agreed", verified.linked);
    }
    for option in poll.options() {
        let n = verified.tally.get(&option.id).copied().unwrap_or(0);
        say!("{n:>10}  {}", option.label);
    }
    let sample = polls::sample_is_as_drawn(&app.db, poll.id).await?;
    match sample {
        Some(true) => {
            say!("sample: drawing it again from its list and seed gives the same readers")
        }
        Some(false) => {
            say!("differs: drawing the sample again does not give the readers who were asked")
        }
        None => {}
    }
    if verified.findings.is_empty() && sample != Some(false) {
        let log = match poll.sealed_at {
            None => "log",
            Some(_) => "record",
        };
        say!("verified: {log}, ballots and tally of {slug} agree");
        return Ok(ExitCode::SUCCESS);
    }
    let differences = verified.differences() + usize::from(sample == Some(false));
    let noun = if differences == 1 {
        "difference"
    } else {
        "differences"
    };
    say!("NOT verified: {differences} {noun} in {slug}");
    Ok(ExitCode::from(1))
}
