//! Mail scanners as they exist in practice, and a real issue for them to scan.

use std::time::Duration;

use canvass::polls::{Definition, Kind, SUGGESTED_LINK_WORDS};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::json;

use super::app::TestApp;
use super::inbox::Mail;
use super::issues;
use super::smtp_server::SmtpServer;
use super::wait::PATIENCE;

/// A poll whose vote page has other fields than those of one question with a single answer.
pub struct VotePage {
    pub name: &'static str,
    pub ask: fn(&mut Definition),
    /// What its reader fills in, beside what the link has chosen.
    pub chosen: &'static [(&'static str, &'static str)],
}

pub const VOTE_PAGES: [VotePage; 3] = [
    VotePage {
        name: "ranked",
        ask: |poll| {
            let question = &mut poll.questions[0];
            (question.kind, question.max_choices) = (Kind::Ranked, 0);
        },
        chosen: &[("rank.2", "1")],
    },
    VotePage {
        name: "two questions",
        ask: |poll| poll.questions.push(poll.questions[0].clone()),
        chosen: &[("option.2", "4")],
    },
    VotePage {
        name: "linked",
        ask: |poll| poll.linking = Some(SUGGESTED_LINK_WORDS.to_owned()),
        chosen: &[],
    },
];

/// An issue with a poll, in its readers' inboxes, and the mail of a person who has not confirmed yet.
pub struct Sent {
    pub app: TestApp,
    pub issue: i64,
    /// One for each reader, in the order of their ids.
    pub mails: Vec<Mail>,
    /// Asks `pending@example.org` to confirm.
    pub confirmation: Mail,
    _server: SmtpServer,
}

impl Sent {
    /// Writes and sends it like an editor's script, with the real mailer to a real SMTP server.
    pub async fn to(readers: i64) -> Self {
        Self::asking(readers, |_| {}).await
    }

    /// Like [`to`](Self::to), with changes to the poll.
    pub async fn asking(readers: i64, change: impl FnOnce(&mut Definition)) -> Self {
        let server = SmtpServer::start().await;
        let app = issues::app_with(&server, |_| {}).await;
        let newsletter = app.newsletter("brief").await;
        app.poll_with("trust", change).await;
        issues::subscribe(&app, &newsletter, readers).await;
        let confirmation = pending(&app, &server).await;
        let issue = send(&app).await;
        let mut mails = Vec::new();
        for n in 1..=readers {
            let address = format!("reader{n}@example.org");
            let mail = server.mail_to(&address, PATIENCE).await;
            mails.push(Mail::parse(mail.raw.as_bytes()));
        }
        let finished =
            format!("SELECT COUNT(*) FROM mailing WHERE issue_id = {issue} AND state = 4");
        app.wait_until(&finished, 1).await;
        Self {
            app,
            issue,
            mails,
            confirmation,
            _server: server,
        }
    }

    /// All mails in the inboxes.
    pub fn inboxes(&self) -> impl Iterator<Item = &Mail> {
        self.mails.iter().chain([&self.confirmation])
    }

    /// The numbers of ballots counted, seen and scanned, once everything is over.
    pub async fn numbers(&self) -> [i64; 3] {
        self.app.advance(Duration::from_secs(31 * 60));
        canvass::polls::count_looks(&self.app.app).await.unwrap();
        let mut numbers = [0; 3];
        for (at, column) in ["counted", "seen", "scanner"].into_iter().enumerate() {
            let sql = format!(
                "SELECT CAST(COALESCE(SUM({column}), 0) AS BIGINT) FROM mail_vote WHERE issue_id = {}",
                self.issue
            );
            numbers[at] = self.app.count(&sql).await;
        }
        numbers
    }

    /// What no program may cause: ballots, confirmations, ended subscriptions.
    pub async fn harm(&self) -> [i64; 3] {
        let count = |sql: &'static str| self.app.count(sql);
        [
            count("SELECT COUNT(*) FROM ballot").await,
            count(
                "SELECT COUNT(*) FROM reader r JOIN subscription s ON s.reader_id = r.id \
                 WHERE r.email = 'pending@example.org' AND s.state = 1",
            )
            .await,
            count("SELECT COUNT(*) FROM subscription WHERE state <> 1").await,
        ]
    }
}

async fn pending(app: &TestApp, server: &SmtpServer) -> Mail {
    let reader = app.reader();
    let page = reader.get("/subscribe/brief").await.expect(200);
    app.advance(Duration::from_secs(5));
    let form = page.the_form();
    let form = form
        .fill("email", "pending@example.org")
        .tick("consent", "1");
    reader.submit(form).await.expect(200);
    let mail = server.mail_to("pending@example.org", PATIENCE).await;
    Mail::parse(mail.raw.as_bytes())
}

async fn send(app: &TestApp) -> i64 {
    let token = app.api_token().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let post = async |path: &str, body: serde_json::Value| {
        let url = app.url(&format!("/api/v1{path}"));
        let answer = client.post(url).bearer_auth(&token).json(&body).send();
        let answer = answer.await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json::<serde_json::Value>().await.unwrap()
    };
    let body = "Good morning.\n\n[A story](https://example.org/a)\n\n![A chart](https://example.org/chart.png)\n\n{{poll:trust}}\n";
    let made = post(
        "/issues",
        json!({"newsletter": "brief", "subject": "Trust, measured", "body": body}),
    )
    .await;
    let id = made["id"].as_i64().unwrap();
    post(&format!("/issues/{id}/send"), json!({})).await;
    id
}

/// A program that opens links.
pub struct Scanner {
    client: Client,
    base: String,
}

impl Scanner {
    /// A scanner with this user agent.
    pub fn new(app: &TestApp, name: &str) -> Self {
        let client = Client::builder().no_proxy().user_agent(name);
        Self {
            client: client.build().unwrap(),
            base: app.url("/"),
        }
    }

    /// The links of a mail that lead to us, in their order.
    pub fn ours(&self, mail: &Mail) -> Vec<String> {
        let links = mail.links().into_iter();
        links.filter(|l| l.starts_with(&self.base)).collect()
    }

    /// Opens a link; fails unless the response is a success or 404.
    pub async fn open(&self, method: Method, link: &str) -> Response {
        self.open_with(method, link, &[]).await
    }

    /// Like [`Self::open`], with additional headers.
    pub async fn open_with(
        &self,
        method: Method,
        link: &str,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut request = self.client.request(method, link);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let fine = answer.status().is_success() || answer.status() == StatusCode::NOT_FOUND;
        assert!(fine, "{link}: {}", answer.status());
        answer
    }

    /// Opens every link of a mail, one after the other.
    pub async fn open_all(&self, method: Method, mail: &Mail) {
        for link in self.ours(mail) {
            self.open(method.clone(), &link).await;
        }
    }
}

/// The texts and links of the options, in the order of the HTML part.
pub fn options(mail: &Mail) -> Vec<(String, String)> {
    let html = scraper::Html::parse_document(&mail.html);
    let links = scraper::Selector::parse("a[href*='/v/']").unwrap();
    html.select(&links)
        .map(|a| {
            let words = a.text().collect::<String>();
            (words.trim().to_owned(), a.attr("href").unwrap().to_owned())
        })
        .collect()
}

/// The link of the option with this text.
pub fn option(mail: &Mail, words: &str) -> String {
    let found = options(mail).into_iter().find(|(w, _)| w == words);
    found
        .unwrap_or_else(|| panic!("no {words} in {}", mail.html))
        .1
}
