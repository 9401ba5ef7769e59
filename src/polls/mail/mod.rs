//! Answers from a mail, and distinguishing readers from the programs that open every link.
//!
//! - `link`: the content of a personal link.
//! - `vote`: `/v/{token}`. The GET shows the form, the POST casts the vote, with a nonce that a page issued (`nonce`).
//! - `mine`: `/v/{token}/mine`. Makes an answer left beside a subscriber's address theirs.
//! - `canary`: `/c/{token}`, an invisible link in the mail: only programs open it.
//! - `visit`: decides which requests came from a scanner. Pure.
//! - `looks`: the visits in progress, in memory for half an hour at most. Their results are added to counters by poll
//!   and issue, never by reader (`store`).
//!
//! Whatever a program has done, it never costs a reader the vote: visits are classified for the statistics only, no
//! token is used up, and nothing seen in a GET request decides about a POST.

mod canary;
mod link;
mod looks;
mod mine;
mod nonce;
pub mod store;
mod visit;
mod vote;

pub use canary::page as canary;
pub use link::{Offered, by_one_link};
pub use looks::{Looks, keep, tick};
pub use mine::{mine_link, page as ask_mine, take as take_mine};
pub use store::{Numbers, of_issue, of_poll};
pub use vote::{cast, page, results};

use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, REFERRER_POLICY};

/// Sets headers so that the page is not cached, not indexed, and not revealed by a referrer.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        "x-robots-tag",
        HeaderValue::from_static("noindex, nofollow"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
