//! Canvass: a self-hosted newsletter and reader-poll service for news publishers.
//!
//! The map of the crate, from the ground up:
//!
//! | module | what |
//! |---|---|
//! | [`types`] | the vocabulary: instants, ids, sealed tokens, addresses |
//! | [`config`] | the settings: file and environment over a compiled-in reference |
//! | [`db`] | SQLite or PostgreSQL behind one interface; group commit, commits with a lost reply, migrations |
//! | [`web`] | what all pages share: forms, error responses, templates, headers, limits |
//! | [`mailer`] | outbox (single mails), mailings (issues: batches and ledger), SMTP lanes, DKIM, mail templates |
//! | [`scheduler`] | calendar arithmetic: wall times and zones to instants; what is due now |
//! | [`api`] | what all JSON endpoints share: tokens, idempotent writes, OpenAPI |
//! | [`admin`] | editors: sign-in, sessions, the frame of their pages |
//! | [`newsletters`], [`polls`], [`subscriptions`], [`digests`] | the main features, one folder each |
//! | [`bounces`] | incoming bounce messages and spam complaints |
//! | [`mailbox`] | the built-in mailbox, which shows captured mails the way a mail program would |
//! | [`articles`] | the demonstration's sample article, with a poll in the middle |
//! | [`overview`] | the editors' first page: open tasks and the numbers of the day |
//! | [`app`] | the assembled parts, the same in production and in tests |
//! | [`routes`], [`background`] | the one list of URLs, the one list of tasks |
//! | [`panics`] | panics: logged by source location without their message; background tasks that survive them |
//! | [`probes`] | liveness, readiness, and metrics for Prometheus |
//! | [`serve`], [`cli`] | the running server, the command line |
//!
//! ARCHITECTURE.md walks through one vote, one subscription and one issue, and says why things are as they are.

/// Memory is constantly allocated on one thread and freed on another here: the response to a request, the
/// statements of a connection. The C library's allocator makes those threads wait for each other.
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
