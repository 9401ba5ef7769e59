//! `canvass bounce`: takes one bounce message or complaint from a mail server's pipe.

use std::ffi::OsString;
use std::io::Read as _;
use std::process::ExitCode;

use super::out::tell;
use super::{Failed, tool};
use crate::bounces;
use crate::config::Config;

/// The longest mail that is read, in bytes; the relevant parts come first.
const LONGEST: u64 = 4 << 20;
/// `EX_TEMPFAIL` of sysexits: the mail server keeps the mail and retries later.
pub(super) const LATER: u8 = 75;

/// Whether a command line that could not be parsed contains this command: a usage error must not lose the mail
/// either.
pub(super) fn is_asked_for(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.any(|argument| argument == "bounce")
}

pub async fn run(config: Config, recipient: Option<String>) -> Result<ExitCode, Failed> {
    let mut raw = Vec::new();
    let mut input = std::io::stdin().lock().take(LONGEST);
    let taken = async {
        input.read_to_end(&mut raw)?;
        let app = tool(config).await?;
        Ok::<_, Failed>(bounces::take(&app, &raw, recipient.as_deref()).await?)
    };
    match taken.await {
        Ok(taken) => {
            tell!("canvass: {taken}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            tell!("canvass: {error}");
            Ok(ExitCode::from(LATER))
        }
    }
}
