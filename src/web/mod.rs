//! The vocabulary of HTTP that all features share. One place for each thing:
//!
//! - [`forms::RawForm`]: the only parser of submitted forms: size, encoding, NUL, duplicates.
//! - [`problems::Problem`]: the only error answer; a page for people, problem+json for scripts: the router decides.
//! - [`guard`]: what stands round every handler: bounds, time, panics, and the page that says what went wrong.
//! - [`pages::Pages`]: the templates of all pages, checked at start.
//! - [`assets`]: style sheets, scripts and images, from the binary, cached for ever by their hash.
//! - [`security`]: the headers of every answer; no inline script, no inline style, no third party.
//! - [`origin`]: cross-site requests are told from our own by Origin and Sec-Fetch-Site.
//! - [`client`]: who asks: the address behind trusted proxies, and its network.
//! - [`limits`]: rate limits by network, account and token.
//! - [`uploads`]: forms that carry files.
//! - [`sheets`]: cells of CSV files that no spreadsheet runs.
//! - [`press`]: buttons in mailed pages that only a person presses.
//! - [`cookies`]: reading and setting the few cookies there are.
//! - [`connections`]: the HTTP server; [`held`]: answers that go on for hours, at the price of a socket;
//!   [`watched`]: one task for all who watch the same.
//!
//! Promise kept here: nothing is parsed without a bound, and no answer leaves without its headers.

pub mod assets;
pub mod client;
pub mod connections;
pub mod cookies;
pub mod forms;
pub mod guard;
pub mod held;
pub mod limits;
pub mod origin;
pub mod pages;
pub mod press;
pub mod problems;
pub mod security;
pub mod sheets;
pub mod uploads;
pub mod watched;

pub use client::Client;
pub use forms::RawForm;
pub use pages::Pages;
pub use problems::Problem;
