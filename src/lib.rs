//! Canvass: a self-hosted newsletter and reader-poll service for news publishers.
//!
//! The map of the crate, from the ground up:
//!
//! | module | what |
//! |---|---|
//! | [`types`] | the vocabulary: instants, ids, sealed tokens, addresses |
//! | [`config`] | the settings: file and environment over a compiled-in reference |
//! | [`db`] | SQLite or PostgreSQL behind one door; group commit, lost commits, migrations |
//! | [`web`] | what all pages share: forms, problems, templates, headers, limits |
//! | [`mailer`] | the outbox (single mails), the mailing (issues: batches and ledger), SMTP lanes, DKIM; what mails look like |
//! | [`scheduler`] | calendar arithmetic: wall times and zones to instants; what is due now |
//! | [`api`] | what all JSON endpoints share: tokens, idempotent writes, OpenAPI |
//! | [`admin`] | editors: sign-in, sessions, the frame of their pages |
//! | [`newsletters`], [`polls`], [`subscriptions`], [`digests`] | the features, one folder each |
//! | [`bounces`] | what comes back: bounces and complaints |
//! | [`mailbox`] | the built-in mailbox: what would have been mailed, as a mail program shows it |
//! | [`articles`] | the demonstration's sample article, with a poll in the middle |
//! | [`overview`] | the editors' first page: what is left to do, the numbers of the day |
//! | [`app`] | the assembled parts, the same in production and in tests |
//! | [`routes`], [`background`] | the one list of URLs, the one list of tasks |
//! | [`panics`] | where the program broke, without the words it broke at; what goes on all the same |
//! | [`probes`] | alive, ready, and the numbers for Prometheus |
//! | [`serve`], [`cli`] | the running server, the command line |
//!
//! ARCHITECTURE.md walks through one vote, one subscription and one issue, and says why things are as they are.

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
pub mod panics;
pub mod polls;
pub mod probes;
pub mod routes;
pub mod scheduler;
pub mod serve;
pub mod subscriptions;
pub mod types;
pub mod web;
