//! Answers from a mail, and telling readers from the programs that open every link.
//!
//! - `link`: what a personal link says.
//! - `vote`: `/v/{token}`. The GET shows, the POST casts, with a nonce that a page gave (`nonce`).
//! - `mine`: `/v/{token}/mine`. An answer left beside the address of a subscriber becomes theirs.
//! - `canary`: `/c/{token}`, which stands unseen in the mail: whoever opens it is a program.
//! - `visit`: which looks are a scanner's. Pure.
//! - `looks`: the visits that are under way, in memory for half an hour at most; what becomes of them is added to counters
//!   that name a poll and an issue, never a reader (`store`).
//!
//! What a program did before never costs a reader the vote: looks are judged for the statistics alone, no token is burnt, and
//! nothing that a GET saw decides about a POST.

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

/// Not kept, not indexed, not told to anybody by a referrer.
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
