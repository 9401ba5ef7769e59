//! `canvass migrate`: migrates the schema and does nothing else.

use super::Failed;
use super::out::tell;
use crate::app::StartError;
use crate::config::Config;
use crate::db::{self, Role};

pub async fn run(config: Config) -> Result<(), Failed> {
    let before = db::access(&config, Role::Server)
        .await
        .map_err(StartError::from)?;
    drop(before);
    tell!("The schema is up to date.");
    Ok(())
}
