//! `canvass api-token`: tokens for scripts.

use clap::Subcommand;

use super::out::{say, tell};
use super::{Failed, tool};
use crate::api::tokens;
use crate::config::Config;
use crate::types::{ApiTokenId, UnixMillis};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create a token. It is printed once and stored hashed.
    Create {
        /// What the token is for, to tell it apart from others.
        name: String,
    },
    /// List the tokens: number, name, date of creation, and date of revocation.
    List,
    /// Revoke a token: it is refused from the next request on.
    Revoke {
        /// Its number in the list.
        number: i64,
    },
}

pub async fn run(config: Config, command: TokenCommand) -> Result<(), Failed> {
    match command {
        TokenCommand::Create { name } => create(config, &name).await,
        TokenCommand::List => list(config).await,
        TokenCommand::Revoke { number } => revoke(config, number).await,
    }
}

async fn create(config: Config, name: &str) -> Result<(), Failed> {
    let app = tool(config).await?;
    let token = tokens::create(&app, name).await?;
    tell!("Send it as \"Authorization: Bearer …\". It is shown only this once:");
    say!("{}", token.expose());
    Ok(())
}

async fn list(config: Config) -> Result<(), Failed> {
    let app = tool(config).await?;
    let tokens = tokens::list(app.db.read()).await?;
    if tokens.is_empty() {
        tell!("There are no tokens yet; `canvass api-token create NAME` creates one.");
    }
    let day = |at: UnixMillis| at.timestamp().strftime("%Y-%m-%d").to_string();
    for token in tokens {
        let state = match token.revoked {
            Some(at) => format!("revoked {}", day(at)),
            None => "live".into(),
        };
        say!(
            "{}\t{}\tmade {}\t{state}",
            token.id.0,
            token.name,
            day(token.created)
        );
    }
    Ok(())
}

async fn revoke(config: Config, number: i64) -> Result<(), Failed> {
    let app = tool(config).await?;
    match tokens::revoke(&app, ApiTokenId(number)).await? {
        Some(name) => tell!("\"{name}\" is revoked."),
        None => {
            return Err(Failed::Other(format!(
                "there is no live token {number}; `canvass api-token list` shows the tokens"
            )));
        }
    }
    Ok(())
}
