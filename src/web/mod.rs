//! The HTTP vocabulary that all features share. There is one place for each concern:
//!
//! - [`forms::RawForm`]: the only parser of submitted forms: size, encoding, NUL, duplicates.
//! - [`problems::Problem`]: the only error response: a page for people, problem+json for scripts, chosen by the
//!   router.
//! - [`guard`]: the layer around every handler: limits, timeout, panics, and the error page.
//! - [`pages::Pages`]: the templates of all pages, checked at start.
//! - [`assets`]: style sheets, scripts and images, from the binary, cached for ever under their hash.
//! - [`security`]: the headers of every response; no inline script, no inline style, no third party.
//! - [`origin`]: tells cross-site requests from our own by Origin and Sec-Fetch-Site.
//! - [`client`]: the client's address behind trusted proxies, and its network.
//! - [`limits`]: rate limits by network, account and token.
//! - [`uploads`]: forms that carry files.
//! - [`sheets`]: CSV cells that a spreadsheet does not execute. [`text`]: words escaped for HTML, or to begin a line.
//! - [`press`]: buttons on pages linked from mails, which programs must not press.
//! - [`cookies`]: reading and setting the few cookies in use.
//! - [`connections`]: the HTTP server; [`held`]: responses that last for hours and cost little more than a socket;
//!   [`watched`]: one task for all viewers of the same thing; [`viewers`]: how many there may be.
//!
//! Nothing is parsed without a limit, and no response leaves without the security headers.

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
pub mod text;
pub mod uploads;
pub mod viewers;
pub mod watched;

pub use client::Client;
pub use forms::RawForm;
pub use pages::Pages;
pub use problems::Problem;
