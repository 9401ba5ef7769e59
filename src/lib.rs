//! Canvass: a self-hosted newsletter and reader-poll service for news publishers.
pub mod admin;
pub mod config;
pub mod db;
pub mod digests;
pub mod newsletters;
pub mod polls;
pub mod scheduler;
pub mod subscriptions;
pub mod types;
