//! Canvass: a self-hosted newsletter and reader-poll service for news publishers.
pub mod config;
pub mod subscriptions;
pub mod types;
