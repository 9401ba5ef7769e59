//! The proof of work of a browser with JavaScript: fetches a puzzle and solves it.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde_json::Value;

use super::reader::Reader;

/// Fetches a puzzle for a poll and solves it. Returns the value of the field `proof`.
pub async fn solved(reader: &Reader, poll: &str) -> String {
    solved_at(reader, &format!("/p/{poll}/proof")).await
}

/// Like [`solved`], from a URL with a query.
pub async fn solved_at(reader: &Reader, address: &str) -> String {
    let answer = reader.get(address).await.expect(200);
    let puzzle: Value = serde_json::from_str(&answer.body).unwrap();
    solution(&puzzle)
}

/// The value that a form sends for a puzzle.
pub fn solution(puzzle: &Value) -> String {
    format!("{}.{}", puzzle["token"].as_str().unwrap(), search(puzzle))
}

/// Searches like ALTCHA's worker.
fn search(puzzle: &Value) -> u32 {
    let bytes = |name: &str| {
        let text = puzzle["parameters"][name].as_str().unwrap();
        HEXLOWER.decode(text.as_bytes()).unwrap()
    };
    let (salt, nonce, prefix) = (bytes("salt"), bytes("nonce"), bytes("keyPrefix"));
    (1..=10_000_000_u32)
        .find(|number| {
            let text = [&salt[..], &nonce[..], &number.to_be_bytes()].concat();
            digest(&SHA256, &text).as_ref().starts_with(&prefix)
        })
        .expect("a number that fits")
}
