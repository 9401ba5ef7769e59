//! Ballots by scripts with an Idempotency-Key: a repeated request gets the first response and changes nothing.

use canvass::api::tokens;
use canvass::db::{Db, fetch_all};
use canvass::types::ApiTokenId;
use serde_json::{Value, json};

use crate::support::app::TestApp;

struct Script {
    app: TestApp,
    token: String,
}

impl Script {
    async fn start() -> Self {
        let app = TestApp::start().await;
        app.poll("trust").await;
        let token = app.api_token().await;
        Self { app, token }
    }

    async fn cast(&self, key: &str, body: &Value) -> (u16, Value) {
        cast(&self.app.url(BALLOTS), &self.token, key, body).await
    }

    async fn votes(&self) -> Vec<i64> {
        self.votes_by(&self.token).await
    }

    async fn votes_by(&self, token: &str) -> Vec<i64> {
        self.app.assert_the_count_agrees("trust").await;
        let sent = reqwest::Client::new()
            .get(self.app.url("/api/v1/polls/trust/results"))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        let results: Value = sent.json().await.unwrap();
        let rows = results["questions"][0]["rows"].as_array().unwrap();
        // The counts of Yes and No.
        rows.iter()
            .take(2)
            .map(|row| row["votes"].as_i64().unwrap())
            .collect()
    }
}

const BALLOTS: &str = "/api/v1/polls/trust/ballots";

async fn cast(url: &str, token: &str, key: &str, body: &Value) -> (u16, Value) {
    let sent = reqwest::Client::new()
        .post(url)
        .bearer_auth(token)
        .header("idempotency-key", key)
        .json(body)
        .send()
        .await
        .unwrap();
    (sent.status().as_u16(), sent.json().await.unwrap())
}

async fn keys(db: &Db) -> Vec<(String, String, Vec<u8>)> {
    let sql = "SELECT idempotency_key, body, request_hash FROM idempotency";
    let rows = fetch_all(db.read(), sql, []).await.unwrap();
    let read = |row: &sea_orm::QueryResult| {
        let get = |at| row.try_get_by_index(at).unwrap();
        (get(0), get(1), row.try_get_by_index(2).unwrap())
    };
    rows.iter().map(read).collect()
}

#[tokio::test]
async fn polls_a_late_repetition_does_not_turn_a_vote_back() {
    let script = Script::start().await;
    let yes = json!({"option": [1], "voter": "v"});
    let no = json!({"option": [2], "voter": "v"});
    let first = script.cast("a", &yes).await;
    assert_eq!((first.0, &first.1["option"]), (201, &json!([1])));
    assert_eq!(script.cast("b", &no).await.0, 200);
    // A repeated request that was delayed by a proxy or a queue.
    assert_eq!(script.cast("a", &yes).await, first, "the first answer");
    assert_eq!(script.votes().await, [0, 1], "and the last vote");
    assert_eq!(script.cast("b", &no).await.0, 200);

    // With a different key, it is another vote.
    assert_eq!(script.cast("c", &yes).await.0, 200);
    assert_eq!(script.votes().await, [1, 0]);
}

#[tokio::test]
async fn polls_a_key_of_another_ballot_is_refused() {
    let script = Script::start().await;
    let yes = json!({"option": [1]});
    assert_eq!(script.cast("k", &yes).await.0, 201);
    for other in [json!({"option": [2]}), json!({"option": [1], "voter": "v"})] {
        let (status, problem) = script.cast("k", &other).await;
        assert_eq!(status, 422, "{problem}");
        let kind = problem["type"].as_str().unwrap();
        assert!(kind.ends_with("idempotency-key-reused"), "{problem}");
    }
    assert_eq!(script.cast("k", &yes).await.0, 201);
    assert_eq!(script.votes().await, [1, 0]);
    // The same key used by another script is a different key.
    let token = script.app.api_token().await;
    let url = script.app.url(BALLOTS);
    assert_eq!(
        cast(&url, &token, "k", &json!({"option": [2]})).await.0,
        201
    );
    assert_eq!(script.votes().await, [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_the_same_ballot_many_times_at_once_is_one() {
    let script = Script::start().await;
    let url = script.app.url(BALLOTS);
    for round in 0..4 {
        let key = format!("round {round}");
        let body = json!({"option": [1 + round % 2]});
        let asked = (0..12).map(|_| cast(&url, &script.token, &key, &body));
        let answers = futures::future::join_all(asked).await;
        assert!(
            answers.iter().all(|(status, _)| *status == 201),
            "{answers:?}"
        );
    }
    assert_eq!(script.votes().await, [2, 2]);
    // If two bodies have the same key, only the first one counts.
    let bodies = [json!({"option": [1]}), json!({"option": [2]})];
    let asked = (0..12).map(|n| cast(&url, &script.token, "both", &bodies[n % 2]));
    let answers = futures::future::join_all(asked).await;
    let counted = answers.iter().filter(|(status, _)| *status == 201).count();
    let refused = answers.iter().filter(|(status, _)| *status == 422).count();
    assert_eq!((counted, refused), (6, 6), "{answers:?}");
    assert_eq!(script.votes().await.iter().sum::<i64>(), 5);
}

/// A leaked token is revoked and replaced: whom its script named has no second ballot, and what it asked before is not
/// done again.
#[tokio::test]
async fn polls_a_replaced_token_speaks_for_the_same_voters() {
    let script = Script::start().await;
    let url = script.app.url(BALLOTS);
    let yes = json!({"option": [1], "voter": "reader 7"});
    assert_eq!(script.cast("k", &yes).await.0, 201);
    let app = &script.app.app;
    let first = tokens::list(app.db.read()).await.unwrap()[0].id;
    tokens::revoke(app, first).await.unwrap();
    let second = script.app.token_in_place_of(Some(first)).await;
    let last = tokens::list(app.db.read()).await.unwrap()[1].id;
    let third = script.app.token_in_place_of(Some(last)).await;

    for token in [&second, &third] {
        assert_eq!(
            cast(&url, token, "k", &yes).await.0,
            201,
            "the same request"
        );
        let no = json!({"option": [2], "voter": "reader 7"});
        assert_eq!(cast(&url, token, token, &no).await.0, 200, "the same voter");
    }
    assert_eq!(script.votes_by(&third).await, [0, 1]);
    // Another script's reader 7 is somebody else.
    let other = script.app.api_token().await;
    assert_eq!(cast(&url, &other, "k", &yes).await.0, 201);
    assert_eq!(script.votes_by(&third).await, [1, 1]);
    let none = tokens::create(app, "none", Some(ApiTokenId(99))).await;
    assert!(none.unwrap().is_none());
}

/// Without a name, the voter is that of the Idempotency-Key.
#[tokio::test]
async fn polls_a_name_is_never_the_voter_of_a_key() {
    let script = Script::start().await;
    let unnamed = json!({"option": [1]});
    assert_eq!(script.cast("K", &unnamed).await.0, 201);
    for (n, name) in ["key:K", "name:key:K", "name:name:key:K"]
        .iter()
        .enumerate()
    {
        let named = json!({"option": [2], "voter": name});
        let (status, told) = script.cast(&format!("request {n}"), &named).await;
        assert_eq!(status, 201, "{name}: {told}");
        let (status, told) = script.cast(&format!("again {n}"), &named).await;
        assert_eq!(status, 200, "{name}: {told}");
    }
    assert_eq!(script.votes().await, [1, 3]);
}

#[tokio::test]
async fn polls_what_was_not_counted_keeps_no_key() {
    let script = Script::start().await;
    let (status, _) = script.cast("k", &json!({"option": [7]})).await;
    assert_eq!(status, 422);
    assert_eq!(script.cast("k", &json!({"option": [1]})).await.0, 201);
    assert_eq!(script.votes().await, [1, 0]);
}

/// The response is available after the poll's close; the row does not reveal who answered or what.
#[tokio::test]
async fn polls_a_key_is_kept_without_the_answer() {
    let script = Script::start().await;
    let yes = json!({"option": [1], "voter": "v"});
    let first = script.cast("reader-4711", &yes).await;
    let rows = keys(&script.app.app.db).await;
    assert_eq!(rows.len(), 1);
    let (key, body, request) = &rows[0];
    assert!(!key.contains("4711") && body.is_empty(), "{key} {body}");
    // The row cannot be found by trying values with the keys of the installation alone.
    let tried = |body: &str| {
        let keys = &script.app.app.keys;
        let asked = format!("ballots\n{body}");
        [
            keys.hash("idempotency", asked.as_bytes()),
            keys.hash("request", body.as_bytes()),
        ]
    };
    assert!(
        !tried(&yes.to_string())
            .iter()
            .any(|hash| hash[..] == request[..])
    );

    let txn = script.app.app.db.write_txn("test").await.unwrap();
    let sql = "UPDATE poll SET state = 2";
    canvass::db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(script.cast("other", &yes).await.0, 409, "closed");
    let again = script.cast("reader-4711", &yes).await;
    assert_eq!(again, first);
}
