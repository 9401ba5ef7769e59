//! People and programs that answer a poll, each at their own time: the clock is advanced from one action to the next,
//! and the watch runs every few seconds, as in production.

use std::collections::HashMap;
use std::time::Duration;

use canvass::polls::watch_tick;
use canvass::types::Random;
use futures::stream::{self, StreamExt as _};
use reqwest::Client;
use reqwest::header::{HeaderMap, HeaderValue};

use super::app::TestApp;
use super::proof::solution;

/// Fields of a form.
pub type Says = Vec<(&'static str, String)>;

/// The fields that tick these options.
pub fn ticks(options: &[u8]) -> Says {
    let field = |option: &u8| ("option", option.to_string());
    options.iter().map(field).collect()
}

/// A person or a program that answers once.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// When it opens the page, touches it and sends the answer, in milliseconds from the beginning. `None`: it does
    /// not.
    pub opens: Option<i64>,
    pub touches: Option<i64>,
    pub sends: i64,
    pub address: String,
    pub agent: String,
    /// The answer, as fields of the form.
    pub says: Says,
    /// The marker in its cookie; empty: it has none.
    pub marker: String,
    /// The site whose page it names as the form's; empty: none.
    pub origin: &'static str,
}

/// A site that may embed polls, where [`Visitor::origin`] is to be one.
pub const EMBEDDER: &str = "https://news.example";

/// User agent strings of real browsers.
pub fn agents() -> Vec<String> {
    let systems = [
        "Windows NT 10.0; Win64; x64",
        "Macintosh; Intel Mac OS X 10_15_7",
        "X11; Linux x86_64",
        "Linux; Android 10; K",
        "iPhone; CPU iPhone OS 18_1 like Mac OS X",
        "iPad; CPU OS 17_6 like Mac OS X",
    ];
    let engines = [
        "Chrome/131.0.0.0",
        "Firefox/132.0",
        "Version/18.1 Safari/605.1.15",
    ];
    systems
        .iter()
        .flat_map(|system| engines.map(|engine| format!("Mozilla/5.0 ({system}) {engine}")))
        .collect()
}

/// The user agent of one of a newspaper's readers. In an hour there are some 200 different ones, and the ten most
/// frequent have more than half of the readers.
pub fn readers_agent(random: &Random) -> String {
    let share = |rank: u32| f64::from(rank).powf(-1.1);
    let all: f64 = (1..=200).map(share).sum();
    let mut left = all * random.below(1 << 30) as f64 / f64::from(1 << 30);
    let rank = (1..200).find(|rank| {
        left -= share(*rank);
        left < 0.0
    });
    let version = rank.unwrap_or(200);
    format!("Mozilla/5.0 (iPhone; CPU iPhone OS 18_{version} like Mac OS X)")
}

/// A random time between two arrivals, in milliseconds.
pub fn random_gap(random: &Random, mean_ms: f64) -> i64 {
    let unit = (random.below(1 << 30) as f64 + 1.0) / (1_u64 << 30) as f64;
    (-unit.ln() * mean_ms) as i64
}

/// `n` people who arrive at random times within `minutes`, read, choose and send; `option` gives each answer.
pub fn people(
    random: &Random,
    n: usize,
    minutes: i64,
    address: impl Fn(usize) -> String,
    option: impl Fn(usize) -> u8,
) -> Vec<Visitor> {
    let agents = agents();
    let mean = minutes as f64 * 60_000.0 / n as f64;
    let mut at = 0;
    (0..n)
        .map(|i| {
            at += random_gap(random, mean);
            let reads = 3_000 + random_gap(random, 8_000.0);
            let chooses = 1_200 + random_gap(random, 2_500.0);
            Visitor {
                opens: Some(at),
                touches: Some(at + reads),
                sends: at + reads + chooses,
                address: address(i),
                agent: agents[random.below(agents.len() as u64) as usize].clone(),
                says: ticks(&[option(i)]),
                marker: String::new(),
                origin: "",
            }
        })
        .collect()
}

/// `n` answers of a script at one address, ten a second and without a look at the page.
pub fn script(n: usize, says: impl Fn(usize) -> Says) -> Vec<Visitor> {
    (0..n)
        .map(|i| Visitor {
            opens: None,
            touches: None,
            sends: i as i64 * 100,
            address: "203.0.113.9".into(),
            agent: "curl/8.5.0".into(),
            says: says(i),
            marker: String::new(),
            origin: "",
        })
        .collect()
}

/// The number of accepted answers, and how long after the first one a burst was detected, in milliseconds.
#[derive(Debug)]
pub struct Ran {
    pub accepted: usize,
    pub warned_after_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Open,
    Touch,
    Send,
}

/// Carries out drills, three at a time: each has an app and a clock of its own, and waits for a commit after every
/// answer.
pub async fn beside_one_another(drills: impl Iterator<Item: Future<Output = ()>>) {
    let drills = stream::iter(drills).buffer_unordered(3);
    drills.collect::<()>().await;
}

/// Lets all visitors come to `/p/trust`. Every answer must be accepted.
pub async fn run(app: &TestApp, visitors: &[Visitor]) -> Ran {
    let client = forgetful();
    let mut acts: Vec<(i64, usize, Act)> = Vec::new();
    for (i, visitor) in visitors.iter().enumerate() {
        acts.extend(visitor.opens.map(|at| (at, i, Act::Open)));
        acts.extend(visitor.touches.map(|at| (at, i, Act::Touch)));
        acts.push((visitor.sends, i, Act::Send));
    }
    acts.sort_unstable();
    let bursts = "SELECT COUNT(*) FROM poll_burst";
    let before = app.count(bursts).await;
    let start = app.app.clock.now();
    let mut proofs: HashMap<usize, String> = HashMap::new();
    let (mut accepted, mut first, mut warned) = (0, None, None);
    let mut looked = start;
    for (at, i, act) in acts {
        let at = start + Duration::from_millis(at.unsigned_abs());
        while looked + Duration::from_secs(5) <= at {
            looked = looked + Duration::from_secs(5);
            app.advance(looked.since(app.app.clock.now()));
            watch_tick(&app.app).await.unwrap();
            if warned.is_none() && app.count(bursts).await > before {
                warned = Some(looked);
            }
        }
        app.advance(at.since(app.app.clock.now()));
        let visitor = &visitors[i];
        let headers = headers(visitor);
        let get = |path: &str| client.get(app.url(path)).headers(headers.clone()).send();
        match act {
            Act::Open => {
                let page = get("/p/trust").await.unwrap();
                assert_eq!(page.status(), 200);
            }
            Act::Touch => {
                let puzzle = get("/p/trust/proof").await.unwrap().json().await.unwrap();
                proofs.insert(i, solution(&puzzle));
            }
            Act::Send => {
                let proof = proofs.remove(&i);
                let mut form = visitor.says.clone();
                form.extend(proof.map(|proof| ("proof", proof)));
                send(&client, app, headers, &form).await;
                accepted += 1;
                first.get_or_insert(at);
            }
        }
    }
    for _ in 0..12 {
        app.advance(Duration::from_secs(5));
        watch_tick(&app.app).await.unwrap();
        if warned.is_none() && app.count(bursts).await > before {
            warned = Some(app.app.clock.now());
        }
    }
    let began = first.unwrap_or(start);
    Ran {
        accepted,
        warned_after_ms: warned.map(|at| at.0 - began.0),
    }
}

/// Sends an answer, which must be accepted.
pub async fn send(client: &Client, app: &TestApp, headers: HeaderMap, form: &[(&str, String)]) {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let post = client.post(app.url("/p/trust")).headers(headers);
    let kind = "application/x-www-form-urlencoded";
    let post = post.header("content-type", kind).body(body);
    let answer = post.send().await.unwrap();
    assert_eq!(answer.status(), 303, "nobody is turned away");
}

/// A client without a cookie jar, so that each answer is from a new browser.
pub fn forgetful() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// The headers with a visitor's user agent and network address.
pub fn headers(visitor: &Visitor) -> HeaderMap {
    let text = |value: &str| HeaderValue::from_str(value).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", text(&visitor.address));
    headers.insert("user-agent", text(&visitor.agent));
    headers.insert("accept-language", text("en"));
    if !visitor.marker.is_empty() {
        let cookie = format!("canvass_voter={}", visitor.marker);
        headers.insert("cookie", text(&cookie));
    }
    if !visitor.origin.is_empty() {
        headers.insert("origin", text(visitor.origin));
    }
    headers
}
