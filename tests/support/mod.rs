//! The support code of the tests.
//!
//! - [`reader`]: a browser without JavaScript: cookies, redirects, forms as HTML defines them.
//! - [`editor`]: an editor who is signed in.
//! - [`inbox`]: a mail as its recipient sees it, with links to follow.
//! - [`browser`]: a real Chromium, headless, and axe-core.
//! - [`elsewhere`]: a publisher's site that embeds polls, and a slow or broken proxy to us.
//! - [`dns_server`]: a name server with configurable records.
//! - [`dkim`]: an independent verifier of our signatures.
//! - [`smtp_server`]: a mail server that keeps what it accepted and misbehaves on demand.
//! - [`node`]: the program as a process, to be killed; [`trial`]: issues that are sent meanwhile, and the verdict;
//!   [`kill_loop`]: readers who answer meanwhile.
//! - [`cutting_proxy`]: a network that breaks exactly at a COMMIT; [`cluster`]: a PostgreSQL to be stopped without
//!   warning.
//! - [`crowd`]: people and programs that answer a poll, each at their own time.
//! - [`proof`]: the proof of work that a browser with JavaScript does for its tier.
//! - [`attacker`]: an attacker with a dump, who wants to know what readers answered.
//! - [`scanner`]: programs that scan mails, and an issue for them to scan.
//! - [`paging`]: how long the pages of a list take; [`single_mails`]: mails that wait in the outbox.
//! - [`contract`]: the OpenAPI document, and whether a response matches it.
//! - [`log_lines`]: captured log lines.
//! - [`require`]: how to skip a test if a program is not installed.
//!
//! - [`ports`]: ports for programs that are started later; [`wait`]: a bounded wait for what others do.
//!
//! Tests advance the app's clock and wait for what they can see ([`wait`], `wait_until`). They sleep only where time
//! itself is tested, where something must not happen meanwhile, or where nothing shows that it has: then a comment says
//! why this long is long enough.

pub mod app;
pub mod attacker;
pub mod browser;
pub mod cluster;
pub mod contract;
pub mod crowd;
pub mod cutting_proxy;
pub mod database;
pub mod dkim;
pub mod dns_server;
pub mod dump;
pub mod editor;
pub mod elsewhere;
pub mod inbox;
pub mod issues;
pub mod kill_loop;
pub mod log_lines;
pub mod node;
pub mod page;
pub mod paging;
pub mod ports;
pub mod proof;
pub mod reader;
pub mod require;
pub mod routes;
pub mod scanner;
pub mod single_mails;
pub mod smtp_server;
pub mod trial;
pub mod wait;
pub mod wire;
pub mod world;
