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
        /// The number of the token that it replaces: voters whom the script has named, and Idempotency-Keys it has
        /// used, stay known. The old token is valid until it is revoked.
        #[arg(long, value_name = "NUMBER")]
        replaces: Option<i64>,
    },
    /// List the tokens: number, name, date of creation, whether it is revoked, and the token it speaks for.
    List,
    /// Revoke a token: it is refused from the next request on.
    Revoke {
        /// Its number in the list.
        number: i64,
    },
}

pub async fn run(config: Config, command: TokenCommand) -> Result<(), Failed> {
    match command {
        TokenCommand::Create { name, replaces } => create(config, &name, replaces).await,
        TokenCommand::List => list(config).await,
        TokenCommand::Revoke { number } => revoke(config, number).await,
    }
}

async fn create(config: Config, name: &str, replaces: Option<i64>) -> Result<(), Failed> {
    let app = tool(config).await?;
    let Some(token) = tokens::create(&app, name, replaces.map(ApiTokenId)).await? else {
        return Err(Failed::Other(
            "there is no token of that number; `canvass api-token list` shows the tokens".into(),
        ));
    };
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
        let script = token
            .script
            .map_or_else(String::new, |first| format!("\tspeaks for {}", first.0));
        say!(
            "{}\t{}\tmade {}\t{state}{script}",
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
