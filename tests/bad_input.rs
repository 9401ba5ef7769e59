//! Everything that a hostile or broken client may send, to every URL that accepts input.
//!
//! Nothing may panic, nothing may be written partially, and the only 5xx is an honest 503.

use std::fmt;
use std::time::Duration;

use canvass::db::Db;
use reqwest::{Method, StatusCode};
use tokio::time::timeout;

use crate::support::dump::Dump;
use crate::support::routes;
use crate::support::wire;
use crate::support::world::{Visitor, World};

/// Tables of counters, which a refused request may change, and what the background writes about a closed poll.
const COUNTERS: &[&str] = &["refusal", "idempotency", "poll_step", "poll_record"];
/// Longer than any response takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names of fields of all forms; for a form without such a field, it is one more
/// kind of bad input.
const FIELDS: &[&str] = &[
    "option",
    "email",
    "name",
    "newsletter",
    "consent",
    "subject",
    "body",
    "slug",
    "question",
    "password",
    "address",
    "time",
    "csrf",
    "text",
    "title",
    "audience",
    "scheduled_local",
    "option.1",
    "rank.1",
    "words.4",
    "question.1",
    "kind.1",
    "scale.1",
    "then",
    "act",
    "words",
    "shown",
    "revision",
];

/// Values that no field should trip over: line breaks that would start a header, invalid
/// numbers, markup, other scripts, direction marks, and sheer length.
fn values() -> Vec<String> {
    [
        "",
        " ",
        "r@example.org\r\nBcc: x@example.org",
        "a\nb",
        "-1",
        "99999999999999999999",
        "1e309",
        "1.5",
        "null",
        "'; DROP TABLE reader; --",
        "<script>alert(1)</script>",
        "{{secret_key}}",
        "../../etc/passwd",
        "\u{202e}gnp.exe",
        "\u{fffe}\u{feff}",
        "e\u{301}\u{1f469}\u{200d}\u{1f469}",
    ]
    .into_iter()
    .map(str::to_owned)
    // In all fields together it is still within the limit of a body: the fields' own limits refuse it.
    .chain(["x".repeat(1_500)])
    .collect()
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

struct Body {
    kind: &'static str,
    bytes: Vec<u8>,
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.bytes[..self.bytes.len().min(60)];
        let start = String::from_utf8_lossy(start);
        write!(f, "{} {start:?} ({} bytes)", self.kind, self.bytes.len())
    }
}

/// Bodies that do not match their content type.
fn bodies() -> Vec<Body> {
    let mut bodies: Vec<(&'static str, Vec<u8>)> = vec![
        (FORM, b"".to_vec()),
        (FORM, b"&&&===%%%".to_vec()),
        (FORM, b"option=%ff%fe&email=%c3%28".to_vec()),
        (FORM, b"option=\xff\xfe".to_vec()),
        (
            FORM,
            b"option=1%00&email=a%00@example.org&name=%00".to_vec(),
        ),
        (FORM, [b"option=".as_slice(), &[b'1'; 1_000_000]].concat()),
        (FORM, "option=1&".repeat(5_000).into_bytes()),
        (FORM, "email=a%40example.org&".repeat(2).into_bytes()),
        (JSON, b"".to_vec()),
        (JSON, b"{".to_vec()),
        (JSON, b"null".to_vec()),
        (JSON, b"[]".to_vec()),
        (JSON, b"\"text\"".to_vec()),
        (
            JSON,
            b"{\"slug\": 1, \"option\": \"x\", \"subject\": [], \"email\": {}}".to_vec(),
        ),
        (
            JSON,
            b"{\"slug\": \"a\\u0000b\", \"email\": \"\\u0000\"}".to_vec(),
        ),
        (JSON, b"{\"slug\": \"\xff\"}".to_vec()),
        (JSON, b"{\"slug\": \"a\", \"slug\": \"b\"}".to_vec()),
        (JSON, "[".repeat(100_000).into_bytes()),
        (
            JSON,
            format!("{{\"option\": [\"{}\"]}}", "x".repeat(1_000_000)).into_bytes(),
        ),
        ("text/plain", b"option=1&email=a%40example.org".to_vec()),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\n\r\n--b--".to_vec(),
        ),
        (
            "application/xml",
            b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>".to_vec(),
        ),
        ("", b"option=1".to_vec()),
    ];
    for value in values() {
        let fields = FIELDS.iter().map(|name| (*name, value.as_str()));
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields.clone())
            .finish();
        bodies.push((FORM, form.into_bytes()));
        let json: serde_json::Map<String, serde_json::Value> =
            fields.map(|(k, v)| (k.to_owned(), v.into())).collect();
        bodies.push((JSON, serde_json::to_vec(&json).unwrap()));
    }
    bodies
        .into_iter()
        .map(|(kind, bytes)| Body { kind, bytes })
        .collect()
}

/// The status for a body; `None` if the server refused and closed the connection before it
/// had read all of it.
async fn post(world: &World, visitor: Visitor, url: &str, body: &Body) -> Option<StatusCode> {
    let mut bytes = body.bytes.clone();
    if visitor == Visitor::Editor && body.kind == FORM {
        bytes = [b"csrf=", world.csrf().as_bytes(), b"&", &bytes].concat();
    }
    let mut request = world.request(visitor, Method::POST, url).body(bytes);
    if !body.kind.is_empty() {
        request = request.header("content-type", body.kind);
    }
    let sent = timeout(PATIENCE, request.send()).await;
    let sent = sent.unwrap_or_else(|_| panic!("{visitor:?} {url} {body}: no answer"));
    sent.ok().map(|answer| answer.status())
}

async fn dump(db: &Db) -> Dump {
    let read = timeout(PATIENCE, Dump::of(db)).await;
    read.expect("the database answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_breaks_anything() {
    let world = World::build().await;
    let db = &world.app.app.db;
    let bodies = bodies();
    let mut wrong = Vec::new();
    let mut before = dump(db).await;
    for route in routes::all(&world.app)
        .await
        .into_iter()
        .filter(|r| r.post())
    {
        for visitor in Visitor::ALL {
            // The editor is still needed for the routes that follow.
            if visitor == Visitor::Editor && route.path == "/admin/sign-out" {
                continue;
            }
            let url = &world.urls(&route)[0];
            let mut refused = Vec::new();
            for body in &bodies {
                let Some(status) = post(&world, visitor, url, body).await else {
                    continue;
                };
                if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
                    wrong.push(format!("{visitor:?} {url} {body}: {status}"));
                }
                if status.is_client_error() {
                    refused.push(body);
                }
            }
            let after = dump(db).await;
            let changed = !before.differences(&after, COUNTERS).is_empty();
            before = after;
            if !changed {
                continue;
            }
            // Some were accepted. The refused ones must have changed nothing.
            for body in refused {
                let status = post(&world, visitor, url, body).await;
                let after = dump(db).await;
                if status.is_some_and(|s| s.is_client_error()) {
                    for change in before.differences(&after, COUNTERS) {
                        wrong.push(format!("{visitor:?} {url} {body}: refused, but {change}"));
                    }
                }
                before = after;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A body that is too large is refused while it arrives, not afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let world = World::build().await;
    let origin = world.app.app.config.origin();
    for route in routes::all(&world.app)
        .await
        .into_iter()
        .filter(|r| r.post())
    {
        let url = &world.urls(&route)[0];
        let kind = if route.is_api() { JSON } else { FORM };
        let head = format!(
            "POST {url} HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nSec-Fetch-Site: same-origin\r\n\
             Content-Type: {kind}\r\nAuthorization: Bearer {}\r\n",
            world.app.address,
            world.token()
        );
        let declared = format!("{head}Content-Length: 10000000000\r\n\r\n");
        let answer = wire::exchange(world.app.address, declared.as_bytes()).await;
        assert!(
            (400..500).contains(&answer.status),
            "{url}: ten gigabytes declared: {}",
            answer.text
        );
        let piece = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        let endless = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
        let (answer, sent) = wire::flood(world.app.address, &endless, piece.as_bytes()).await;
        assert!(
            (400..500).contains(&answer.status),
            "{url}: endless body: {}",
            answer.text
        );
        // The buffers of both sides come on top of the limit.
        assert!(sent < 16 << 20, "{url} took {sent} bytes before it refused");
    }
}

/// Impossible names, in the path and in the query.
#[tokio::test(flavor = "multi_thread")]
async fn no_address_breaks_anything() {
    let world = World::build().await;
    let mut wrong = Vec::new();
    let long = "x".repeat(5_000);
    let names = [
        "%00",
        "%ff",
        "..%2f..%2fetc%2fpasswd",
        "%0d%0aX-Injected:%201",
        "-1",
        "0",
        "9223372036854775808",
        "%F0%9F%92%A9",
        "a%20b",
        "'",
        "%22%3E%3Cscript%3E",
        "%25s%25n",
        "\u{2e}%2e",
        long.as_str(),
    ];
    for route in routes::all(&world.app).await {
        if route.parameters().is_empty() {
            continue;
        }
        for name in names {
            let path = route.with(|_| name.to_owned());
            let query = format!("{path}?page={name}&q={name}&after={name}&url={name}");
            for visitor in Visitor::ALL {
                for method in [Method::GET, Method::POST] {
                    if method == Method::POST && !route.post() {
                        continue;
                    }
                    let answer = world.send(visitor, method.clone(), &query).await;
                    let status = answer.status();
                    let injected = answer.headers().contains_key("x-injected");
                    if status.is_server_error() || injected {
                        wrong.push(format!("{visitor:?} {method} {query}: {status}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Requests that no HTTP library would send.
#[tokio::test(flavor = "multi_thread")]
async fn no_bytes_break_anything() {
    let world = World::build().await;
    let address = world.app.address;
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(1 << 20));
    let many = format!(
        "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "X: y\r\n".repeat(100_000)
    );
    for bytes in [
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "POST /p/trust HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /p/trust HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /p/trust HTTP/1.1\r\nHost: x\r\nCookie: \u{1}\u{ff}\r\n\r\n",
        long.as_str(),
        many.as_str(),
    ] {
        let answer = wire::exchange(address, bytes.as_bytes()).await;
        let start: String = bytes.chars().take(40).collect();
        assert!(answer.status < 500, "{start:?}: {}", answer.text);
    }
    world.app.reader().get("/readyz").await.expect(200);
}
