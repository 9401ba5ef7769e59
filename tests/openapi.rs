//! The OpenAPI document agrees with the API: every operation is documented completely, and every response matches the
//! document.

use std::collections::BTreeSet;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::contract::{Contract, Operation};
use crate::support::routes::Route;
use crate::support::wire;
use crate::support::world::{Visitor, World};

/// The only write whose response is not stored for repetition; see its documentation.
const KEEPS_NO_ANSWER: &str = "/api/v1/polls/{slug}/linked/export";

#[test]
fn openapi_every_operation_names_what_it_can_refuse() {
    let contract = Contract::of_the_program();
    let operations = contract.operations();
    assert!(operations.len() > 15, "{}", operations.len());
    let mut wrong = Vec::new();
    for operation in &operations {
        let mut must = |good: bool, what: &str| {
            if !good {
                wrong.push(format!("{} {}: {what}", operation.method, operation.path));
            }
        };
        let names = |status: &str| operation.responses().contains_key(status);
        must(operation.has_token(), "it needs no token");
        for status in ["400", "401", "429", "500", "503"] {
            must(names(status), status);
        }
        if operation.is_write() {
            for status in ["413", "415", "422"] {
                must(names(status), status);
            }
            let keyed = operation.takes("Idempotency-Key");
            must(
                keyed != (operation.path == KEEPS_NO_ANSWER),
                "Idempotency-Key",
            );
        }
        must(!operation.names_something() || names("404"), "404");
        for (status, response) in operation.responses() {
            let described = response["description"].as_str().unwrap_or_default();
            let refused = status.starts_with('4') || status.starts_with('5');
            must(!refused || !described.is_empty(), "what a refusal means");
            let problem = json!({
                "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
            });
            must(
                !refused || response["content"] == problem,
                "a refusal is a Problem",
            );
            let waits = ["429", "503"].contains(&status.as_str());
            must(
                !waits || response["headers"]["Retry-After"].is_object(),
                "Retry-After",
            );
        }
    }
    for reference in contract.references() {
        contract.resolve(&reference);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The responses seen so far, and where they differ from the document.
struct Walk {
    world: World,
    contract: Contract,
    told: BTreeSet<(String, String, u16)>,
    wrong: Vec<String>,
}

/// The options of a request.
#[derive(Default)]
struct Said<'a> {
    body: Option<(&'a str, String)>,
    key: &'a str,
    token: Option<&'a str>,
    encoding: &'a str,
}

impl Walk {
    async fn ask(&mut self, method: &Method, url: &str, said: Said<'_>) -> u16 {
        let visitor = match said.token {
            None => Visitor::Script,
            Some(_) => Visitor::Stranger,
        };
        let mut request = self.world.request(visitor, method.clone(), url);
        if let Some(token) = said.token.filter(|token| !token.is_empty()) {
            request = request.bearer_auth(token);
        }
        if !said.key.is_empty() {
            request = request.header("idempotency-key", said.key);
        }
        if !said.encoding.is_empty() {
            request = request.header("content-encoding", said.encoding);
        }
        if let Some((kind, body)) = said.body {
            request = request.header("content-type", kind).body(body);
        }
        let answer = request.send().await.unwrap();
        self.look(method, url, answer).await
    }

    async fn look(&mut self, method: &Method, url: &str, answer: Response) -> u16 {
        let operation = self.contract.operation(method, url);
        let status = answer.status().as_u16();
        let broken = self.contract.broken_by(&operation, answer).await;
        let broken = broken.iter().map(|what| format!("{method} {url}: {what}"));
        self.wrong.extend(broken);
        self.told.insert((operation.method, operation.path, status));
        status
    }

    /// A write with a JSON body under a key.
    async fn post(&mut self, url: &str, key: &str, body: &Value) -> u16 {
        let said = Said {
            body: Some(("application/json", body.to_string())),
            key,
            ..Said::default()
        };
        self.ask(&Method::POST, url, said).await
    }

    /// Makes every kind of mistake that a caller can make at a URL.
    async fn mistakes(&mut self, operation: &Operation, url: &str) {
        let method = method_of(operation);
        for token in ["", "cvs_unknown"] {
            let said = Said {
                token: Some(token),
                ..Said::default()
            };
            assert_eq!(self.ask(&method, url, said).await, 401, "{url}");
        }
        if !operation.is_write() {
            self.ask(&method, url, Said::default()).await;
            let broken = format!("{url}?check=perhaps&after=%ff");
            self.ask(&method, &broken, Said::default()).await;
            return;
        }
        for (kind, body) in [
            ("text/plain", "x"),
            ("application/json", "{"),
            ("application/json", "[]"),
            ("application/json", "{\"unheard_of\": 1}"),
            ("application/json", "\"a\\u0000b\""),
        ] {
            let said = Said {
                body: Some((kind, body.to_owned())),
                ..Said::default()
            };
            self.ask(&method, url, said).await;
        }
        let said = Said {
            encoding: "gzip",
            ..Said::default()
        };
        assert_eq!(self.ask(&method, url, said).await, 415, "{url}");
        let too_large = format!(
            "POST {url} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: 10000000000\r\n\r\n"
        );
        let answer = wire::exchange(self.world.app.address, too_large.as_bytes()).await;
        let problem = answer.text.contains("application/problem+json");
        assert!(answer.status == 413 && problem, "{url}: {}", answer.text);
    }

    fn told(&self, operation: &Operation, status: impl Fn(u16) -> bool) -> bool {
        let of = |(method, path, _): &&(String, String, u16)| {
            *method == operation.method && *path == operation.path
        };
        self.told.iter().filter(of).any(|told| status(told.2))
    }
}

fn method_of(operation: &Operation) -> Method {
    Method::from_bytes(operation.method.to_uppercase().as_bytes()).unwrap()
}

/// The newest issue.
async fn newest(app: &TestApp) -> i64 {
    app.count("SELECT MAX(id) FROM issue").await
}

/// Writes that are accepted: path, body, and a body that is refused under the same key.
fn taken() -> Vec<(&'static str, Value, Value)> {
    let letter = |slug: &str| json!({ "slug": slug, "name": "Evening", "from": "e@news.example" });
    let poll = |slug: &str| json!({ "slug": slug, "question": "Lunch?", "options": ["Yes", "No"] });
    let wish = |email: &str| json!({ "newsletter": "morning", "email": email, "consent": true });
    let issue = |subject: &str| json!({ "newsletter": "morning", "subject": subject, "body": "{{poll:trust}}" });
    let ballots = "/polls/trust/ballots";
    vec![
        ("/newsletters", letter("evening"), letter("late")),
        ("/polls", poll("lunch"), poll("dinner")),
        (ballots, json!({ "option": 1 }), json!({ "option": 2 })),
        (
            ballots,
            json!({ "option": "2", "voter": "v" }),
            json!({ "option": [2], "voter": "w" }),
        ),
        (
            "/subscriptions",
            wish("n@example.org"),
            wish("o@example.org"),
        ),
        ("/issues", issue("A poll"), issue("Another")),
    ]
}

/// Writes whose content is refused, and exports, whose responses are not stored.
fn others() -> Vec<(&'static str, Value)> {
    let export = "/polls/trust/linked/export";
    let wish = |newsletter: &str, consent: bool| json!({ "newsletter": newsletter, "email": "n@example.org", "consent": consent });
    vec![
        (
            "/newsletters",
            json!({ "slug": "E!", "name": "", "from": "" }),
        ),
        (
            "/polls",
            json!({ "slug": "L!", "question": "", "options": [] }),
        ),
        ("/polls/trust/ballots", json!({ "option": [1, 2] })),
        (
            "/polls/trust/ballots",
            json!({ "option": 1, "voter": "a@example.org" }),
        ),
        ("/polls/trust-sample/ballots", json!({ "option": [1] })),
        ("/polls/none/ballots", json!({ "option": 1 })),
        ("/polls/none/linked/export", json!({ "format": "csv" })),
        ("/issues/0/schedule", json!({ "at": "2026-03-05T07:00" })),
        ("/issues/0/settle", json!({ "how": "accept" })),
        ("/subscriptions", wish("none", true)),
        ("/subscriptions", wish("morning", false)),
        (
            "/issues",
            json!({ "newsletter": "none", "subject": "x", "body": "x" }),
        ),
        (export, json!({ "format": "csv" })),
        (export, json!({ "format": "json" })),
        (export, json!({ "format": "xlsx" })),
    ]
}

async fn writes(walk: &mut Walk) {
    for (path, body) in others() {
        walk.post(&format!("/api/v1{path}"), "", &body).await;
    }
    for (at, (path, body, other)) in taken().into_iter().enumerate() {
        let (url, key) = (format!("/api/v1{path}"), format!("key {at}"));
        let long = walk.post(&url, &"k".repeat(300), &body).await;
        assert_eq!(long, 400, "{url}: a key that is too long");
        let status = walk.post(&url, &key, &body).await;
        assert!((200..300).contains(&status), "{url} {body}: {status}");
        let again = walk.post(&url, &key, &body).await;
        assert!((200..300).contains(&again), "{url} {body}: {again} again");
        let reused = walk.post(&url, &key, &other).await;
        assert_eq!(reused, 422, "{url}: its key for another");
        // A slug that is taken, a ballot that changes one.
        walk.post(&url, "", &body).await;
    }
}

/// Walks an issue from draft to end, including what is not possible on the way.
async fn steering(walk: &mut Walk) {
    let made = newest(&walk.world.app).await;
    let of = |what: &str| format!("/api/v1/issues/{made}/{what}");
    let later = json!({ "at": "2026-03-05T07:00" });
    let empty = json!({});
    for (what, body, status) in [
        ("schedule", &json!({ "at": "2020-03-05T07:00" }), 422),
        ("schedule", &json!({ "at": "soon" }), 422),
        (
            "schedule",
            &json!({ "at": "2026-03-05T07:00", "time_zone": "Moon/Base" }),
            422,
        ),
        ("schedule", &later, 200),
        ("schedule", &later, 409),
        ("send", &empty, 409),
        ("pause", &empty, 200),
        ("resume", &empty, 409),
        ("cancel", &empty, 200),
        ("pause", &empty, 409),
        ("cancel", &empty, 409),
        ("resend", &empty, 409),
        ("settle", &json!({ "how": "resend" }), 409),
        ("settle", &json!({ "how": "accept", "emails": [] }), 422),
        ("resend", &json!({ "reasons": [] }), 422),
        ("send", &json!({ "undo_seconds": 4_000 }), 422),
        ("send", &json!({ "undo_seconds": 60 }), 202),
        ("cancel", &empty, 200),
        ("send", &empty, 202),
        ("send", &empty, 409),
    ] {
        let url = of(what);
        let got = walk.post(&url, "", body).await;
        assert_eq!(got, status, "{url} {body}");
        walk.ask(
            &Method::GET,
            &format!("/api/v1/issues/{made}"),
            Said::default(),
        )
        .await;
    }
    // While it is sent and afterwards, with one key for all of them.
    for what in ["pause", "pause", "resume", "cancel"] {
        walk.post(&of(what), "", &empty).await;
    }
    for what in ["pause", "resume", "cancel", "send"] {
        walk.post("/api/v1/issues/1/cancel", "", &empty).await;
        walk.post(&of(what), "one key", &empty).await;
    }
    for body in [json!({}), json!({ "reasons": ["refused"] })] {
        walk.post("/api/v1/issues/1/resend", "again", &body).await;
    }
    for how in ["accept", "resend"] {
        walk.post("/api/v1/issues/1/settle", "settled", &json!({ "how": how }))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_no_answer_is_another_than_the_document_names() {
    let mut walk = Walk {
        world: World::build().await,
        contract: Contract::of_the_program(),
        told: BTreeSet::new(),
        wrong: Vec::new(),
    };
    let operations = walk.contract.operations();
    for operation in &operations {
        let route = Route {
            path: operation.path.clone(),
            methods: vec![operation.method.clone()],
        };
        for url in walk.world.urls(&route) {
            // Writes that would change the state come below.
            if operation.is_write() && !operation.has_body() && !url.contains("unknown") {
                continue;
            }
            walk.mistakes(operation, &url).await;
        }
        if operation.names_something() {
            let url = route.with(|_| "%ff".to_owned());
            walk.ask(&method_of(operation), &url, Said::default()).await;
        }
    }
    writes(&mut walk).await;
    steering(&mut walk).await;
    let mut wrong = walk.wrong.clone();
    for operation in &operations {
        let mut must = |good: bool, what: &str| {
            if !good {
                let (method, path) = (&operation.method, &operation.path);
                wrong.push(format!("{method} {path}: {what} was never told"));
            }
        };
        must(walk.told(operation, |status| status == 401), "401");
        must(walk.told(operation, |status| status < 300), "a success");
        let unknown = walk.told(operation, |status| status == 404);
        must(!operation.names_something() || unknown, "404");
        let refused = |status| walk.told(operation, |told| told == status);
        if operation.is_write() {
            must(refused(415), "415");
            must(refused(422) || refused(409), "422 or 409");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_who_asks_too_often_is_told_as_the_document_says() {
    let app = TestApp::start_with(|config| config.limits.api_per_minute = 1).await;
    let token = app.api_token().await;
    let contract = Contract::of_the_program();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut wrong = Vec::new();
    for operation in contract.operations() {
        let url = operation.path.replace("{slug}", "x").replace("{id}", "1");
        let url = app.url(&url.replace("{file}", "poll.json"));
        let ask = || {
            client
                .request(method_of(&operation), &url)
                .bearer_auth(&token)
        };
        // Only the very first request is allowed.
        ask().send().await.unwrap();
        let answer = ask().send().await.unwrap();
        assert_eq!(answer.status(), 429, "{url}");
        assert!(answer.headers().contains_key("retry-after"), "{url}");
        wrong.extend(contract.broken_by(&operation, answer).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
