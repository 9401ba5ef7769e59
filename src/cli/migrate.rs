//! `canvass migrate`: migrates the schema and does nothing else.

use super::Failed;
use super::out::tell;
use crate::app::{self, Role};
use crate::config::Config;

pub async fn run(config: Config) -> Result<(), Failed> {
    let before = app::open(&config, Role::Server).await?;
    drop(before);
    tell!("The schema is up to date.");
    Ok(())
}
