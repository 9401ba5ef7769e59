//! `canvass allow-again`: gives back whom the bounces of one issue suppressed wrongly.

use clap::Args;

use super::out::tell;
use super::{Failed, tool};
use crate::admin::show;
use crate::config::Config;
use crate::mailer::mailing;
use crate::types::{IssueId, UnixMillis};

#[derive(Debug, Args)]
pub(super) struct AllowAgain {
    /// The issue's number, as in the address of its page.
    #[arg(long, value_name = "NUMBER")]
    issue: i64,
    /// Bounces from this time on, for example 2026-03-02T09:00:00+01:00.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Bounces before this time.
    #[arg(long, value_name = "TIME")]
    until: String,
}

pub(super) async fn run(config: Config, asked: &AllowAgain) -> Result<(), Failed> {
    let moment = |option: &str, text: &str| {
        let parsed = text.parse::<jiff::Timestamp>();
        parsed.map(UnixMillis::from).map_err(|_| {
            let wanted = "not a time with an offset from UTC, such as 2026-03-02T09:00:00+01:00";
            Failed::Used(format!("{option}: {wanted}"))
        })
    };
    let (from, until) = (
        moment("--from", &asked.from)?,
        moment("--until", &asked.until)?,
    );
    let app = tool(config).await?;
    let given = mailing::allow_again(&app, IssueId(asked.issue), from, until).await?;
    let count = |n: u64, one, many| show::counted(i64::try_from(n).unwrap_or(i64::MAX), one, many);
    tell!(
        "Addresses that may be mailed again: {}. Active again: {}.",
        given.addresses,
        count(given.subscriptions, "subscription", "subscriptions")
    );
    Ok(())
}
