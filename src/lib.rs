//! Canvass: a self-hosted newsletter and reader-poll service for news publishers.
//!
//! The map of the crate, from the ground up:
//!
//! | module | what |
//! |---|---|
//! | [`types`] | the vocabulary: instants, ids, sealed tokens, addresses |
//! | [`config`] | the settings: file and environment over a compiled-in reference |
//! | [`db`] | SQLite or PostgreSQL behind one door; group commit; entities |
//! | [`web`] | what all pages share: forms, problems, templates, headers, limits |
//! | [`api`] | what all JSON endpoints share: tokens, idempotent writes, OpenAPI |
//! | [`admin`] | editors: sign-in, sessions, the frame of their pages |
//! | [`newsletters`], [`polls`], [`subscriptions`], [`digests`] | the features, one folder each |
//! | [`mailbox`] | the built-in mailbox: what would have been mailed, as a mail program shows it |
//! | [`overview`] | the editors' first page: what is left to do, the numbers of the day |
//! | [`bounces`] | what comes back: bounces and complaints |
//! | [`mailer`] | the outbox, the ledger of issues, SMTP lanes; what mails look like |
//! | [`scheduler`] | calendar arithmetic; what is due now |
//! | [`app`], [`routes`], [`background`], [`serve`], [`cli`] | the assembled parts, the one list of URLs, the one list of tasks, the running server, the command line |
//!
//! ARCHITECTURE.md walks through one vote, one subscription and one issue.

/// What one thread allocates another one frees here, all the time: a request its answer, a connection its statements. The C library's
/// allocator makes them wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod admin;
pub mod api;
pub mod app;
pub mod articles;
pub mod background;
pub mod bounces;
pub mod cli;
pub mod config;
pub mod db;
pub mod digests;
pub mod mailbox;
pub mod mailer;
pub mod newsletters;
pub mod overview;
pub mod polls;
pub mod probes;
pub mod routes;
pub mod scheduler;
pub mod serve;
pub mod subscriptions;
pub mod types;
pub mod web;
