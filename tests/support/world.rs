//! An app with data of every kind, for tests that walk over all of it.

use std::time::Duration;

use canvass::db;
use canvass::newsletters::Newsletter;
use canvass::subscriptions::unsubscribe_token;
use canvass::types::varint::pack;
use canvass::types::{Purpose, ReaderId};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::json;

use canvass::polls::{Definition, Kind, Order, Picture, QuestionText, ScaleText};

use super::app::TestApp;
use super::editor::{invited, signed_in};
use super::inbox::Mail;
use super::issues::{hand_over, subscribe, until};
use super::reader::Reader;
use super::routes::Route;
use super::wait::PATIENCE;
use crate::polls_linked::WORDS;
use crate::polls_pictures::{png, upload};
use crate::polls_sample::draw;

const HOUR: Duration = Duration::from_secs(60 * 60);
/// A subscriber of "morning" who reads mails.
const FIRST: &str = "first@example.org";
/// The minimum number of subscribers from whom a sample can be drawn.
const SMALLEST: i64 = 30;

/// The sender of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitor {
    Stranger,
    Editor,
    Script,
}

impl Visitor {
    pub const ALL: [Self; 3] = [Self::Stranger, Self::Editor, Self::Script];
}

/// The app, and values for the parameters of its URLs.
pub struct World {
    pub app: TestApp,
    token: String,
    client: Client,
    editor: Reader,
    csrf: String,
    /// Values by the name of the parameter: real ones first.
    values: Vec<(&'static str, String)>,
    /// Query strings of routes that need one.
    queries: Vec<(&'static str, String)>,
}

impl World {
    pub async fn build() -> Self {
        let app = TestApp::start().await;
        let newsletter = app.newsletter("morning").await;
        let poll = app
            .poll_with("trust", |poll| {
                poll.newsletter = Some(newsletter.id);
                poll.linking = Some(WORDS.to_owned());
            })
            .await;
        app.poll_with("kinds", |poll| {
            every_kind(poll);
            poll.questions[0].options[0].picture = Some(Picture {
                path: "/assets/icon.svg".into(),
                alt: "A ballot".into(),
                size: Some((32, 32)),
            });
        })
        .await;
        let mail = b"Subject: x\r\nContent-Type: text/html\r\n\r\n<p>x";
        app.capture("r@example.org", "x", mail).await;
        let token = app.api_token().await;
        let (mut values, first) = subscribed(&app).await;
        let own: String =
            form_urlencoded::byte_serialize(app.app.config.origin().as_bytes()).collect();
        let (mine, answer) = left_an_answer(&app).await;
        values.push(("token", mine));
        let data = asked_for_data(&app, &first).await;
        values.push(("token", data));
        // The links of a mailed poll: an option, the whole question, the hidden one.
        let keys = &app.app.keys;
        for token in [
            keys.seal(Purpose::Vote, &pack(&[poll.0, 1, 1, 1])),
            keys.seal(Purpose::Vote, &pack(&[poll.0, 0, 1, 1])),
            keys.seal(Purpose::Canary, &pack(&[poll.0, 1, 1])),
            unsubscribe_token(keys, newsletter.id, ReaderId(1)),
        ] {
            values.push(("token", token));
        }
        let editor = signed_in(&app).await;
        let invitation = invited(&app, "new@lindenpost.example").await;
        values.push(("token", last_part(&invitation)));
        let picture = picture(&editor).await;
        values.push(("name", last_part(&picture)));
        mailed(&app, &newsletter).await;
        let draft = draft(&app, &token).await;
        draw(&editor, "trust", SMALLEST).await.expect(200);
        let frame = editor.get("/admin/settings").await.expect(200);
        let csrf = frame.attributes("input[name=csrf]", "value").pop();
        values.extend([
            ("poll", "trust".to_owned()),
            ("poll", "kinds".to_owned()),
            ("newsletter", "morning".to_owned()),
            ("slug", "trust".to_owned()),
            ("slug", "kinds".to_owned()),
            ("slug", "morning".to_owned()),
            ("poll", "trust-sample".to_owned()),
            ("slug", "trust-sample".to_owned()),
            ("slug", "tram".to_owned()),
            ("issue", "trust--measured".to_owned()),
            ("colour", "0e5f5b.css".to_owned()),
            ("id", "1".to_owned()),
            ("id", draft.to_string()),
            ("issue", "1".to_owned()),
            ("reader", "1".to_owned()),
            ("name", "reader.css".to_owned()),
            ("file", "poll.json".to_owned()),
            ("file", "results.csv".to_owned()),
        ]);
        Self {
            // A request over a connection that was just closed after a refusal may wait for ever in the client
            // (hyperium/hyper#4122): then a silence would not be the server's.
            client: Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(0)
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            app,
            token,
            editor,
            csrf: csrf.unwrap_or_default(),
            values,
            queries: vec![
                ("/v/{token}/mine", format!("answer={answer}")),
                ("/oembed", format!("url={own}%2Fp%2Ftrust")),
            ],
        }
    }

    /// A request by this visitor, from one of our own pages.
    pub fn request(&self, visitor: Visitor, method: Method, path: &str) -> RequestBuilder {
        let client = match visitor {
            Visitor::Editor => self.editor.client(),
            Visitor::Stranger | Visitor::Script => &self.client,
        };
        let request = client
            .request(method, self.app.url(path))
            .header("origin", &*self.app.app.config.origin())
            .header("sec-fetch-site", "same-origin");
        match visitor {
            Visitor::Stranger | Visitor::Editor => request,
            Visitor::Script => request.bearer_auth(&self.token),
        }
    }

    /// Sends a request, without waiting for the end of the body, which may be endless.
    pub async fn send(&self, visitor: Visitor, method: Method, path: &str) -> Response {
        let sent = self.request(visitor, method, path).send();
        let answer = tokio::time::timeout(PATIENCE, sent).await;
        answer.expect("an answer in time").unwrap()
    }

    /// The URLs of a route, with existing and non-existing values.
    pub fn urls(&self, route: &Route) -> Vec<String> {
        let mut urls = vec![String::new()];
        for segment in route.path.split('/').skip(1) {
            let name = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
            let values = match name {
                Some(name) => self.values(name.trim_start_matches('*')),
                None => vec![segment.to_owned()],
            };
            urls = urls
                .iter()
                .flat_map(|url| values.iter().map(move |v| format!("{url}/{v}")))
                .collect();
        }
        let queries = self.queries.iter().filter(|(of, _)| *of == route.path);
        let with: Vec<String> = queries
            .flat_map(|(_, query)| urls.iter().map(move |url| format!("{url}?{query}")))
            .collect();
        urls.extend(with);
        urls
    }

    /// The API token of a script.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The CSRF token, which every form of an editor needs.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Values to try for a parameter: the existing ones, or one that does not exist.
    fn values(&self, parameter: &str) -> Vec<String> {
        let known: Vec<String> = self
            .values
            .iter()
            .filter(|(name, _)| *name == parameter)
            .map(|(_, value)| value.clone())
            .collect();
        known.into_iter().chain(["unknown".to_owned()]).collect()
    }
}

/// A question of each kind.
pub fn every_kind(poll: &mut Definition) {
    poll.questions[0].other = Some("Another answer".into());
    poll.questions[0].none = Some("None of these".into());
    poll.questions[0].order = Order::Random;
    poll.questions.push(QuestionText {
        text: "How good is the tram?".into(),
        kind: Kind::Rating,
        scale: Some(ScaleText {
            from: 0,
            to: 10,
            low: "not at all".into(),
            high: "as good as can be".into(),
        }),
        ..QuestionText::default()
    });
    poll.questions.push(QuestionText {
        text: "Where shall the capital be?".into(),
        kind: Kind::Ranked,
        max_choices: 0,
        options: ["Memphis", "Nashville", "Chattanooga", "Knoxville"]
            .map(Into::into)
            .into(),
        ..QuestionText::default()
    });
}

/// Subscribes one reader completely, and another without the confirmation. Returns
/// every token that was mailed meanwhile: each is then tried on every route, its own
/// and those of other purposes.
async fn subscribed(app: &TestApp) -> (Vec<(&'static str, String)>, Reader) {
    let reader = app.reader();
    let mut mails = Vec::new();
    for address in [FIRST, "second@example.org"] {
        let form = reader
            .get("/subscribe/morning")
            .await
            .expect(200)
            .the_form();
        app.advance(Duration::from_secs(5));
        let form = form.fill("email", address).tick("consent", "1");
        reader.submit(form).await.expect(200);
        mails.push(app.mail_to(address, 1).await);
    }
    let page = reader.get(&mails[0].link("/confirm/")).await.expect(200);
    let done = reader.submit(page.the_form()).await.expect(200);
    // The unconfirmed one first, because a GET could still confirm it.
    let mut tokens: Vec<String> = mails.iter().rev().flat_map(Mail::links).collect();
    tokens.extend(done.links().into_iter().map(|(href, _)| href));
    tokens.retain(|link| {
        ["/confirm/", "/unsubscribe/", "/manage/"]
            .iter()
            .any(|p| link.contains(p))
    });
    tokens.dedup();
    let tokens = tokens.iter().map(|link| ("token", last_part(link)));
    (tokens.collect(), reader)
}

fn last_part(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// A subscribed reader answers in another browser and gives the address. Returns the two tokens of the link in the
/// mail, which makes that answer the reader's own.
async fn left_an_answer(app: &TestApp) -> (String, String) {
    app.advance(HOUR);
    let browser = app.reader();
    let form = browser.get("/p/trust").await.expect(200).the_form();
    let form = form.choose("option", "1").fill("email", FIRST);
    let form = form.tick("consent", "1");
    browser.submit(form).await.expect(200);
    let link = app.mail_to(FIRST, 2).await.link("/v/");
    let (path, answer) = link.split_once("/mine?answer=").unwrap();
    (last_part(path), answer.to_owned())
}

/// The token that shows, exports and erases a reader's data, requested on the preferences page.
async fn asked_for_data(app: &TestApp, reader: &Reader) -> String {
    app.advance(HOUR);
    let manage = app.mail_to(FIRST, 2).await.link("/manage/");
    let page = reader.get(&manage).await.expect(200);
    let form = page.the_form().button("action", "data");
    reader.submit(form).await.expect(200);
    last_part(&app.mail_to(FIRST, 3).await.link("/data/"))
}

/// An issue that was sent to all subscribers, with a picture of ours and one of another site.
async fn mailed(app: &TestApp, newsletter: &Newsletter) {
    subscribe(app, newsletter, SMALLEST).await;
    let issue = hand_over(app, newsletter, Duration::ZERO).await;
    until(app, issue, |now| now.finished.is_some()).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let body =
        "![A ballot](/assets/icon.svg)\n\n![The harbour](https://pictures.example/harbour.png)";
    let sql = "UPDATE issue SET body = $1 WHERE id = $2";
    db::run(&*txn, sql, [body.into(), issue.0.into()])
        .await
        .unwrap();
    txn.commit().await.unwrap();
}

/// An issue that is being written.
async fn draft(app: &TestApp, token: &str) -> i64 {
    let draft = json!({ "newsletter": "morning", "subject": "Not yet", "body": "# Hello" });
    let request = Client::new()
        .post(app.url("/api/v1/issues"))
        .bearer_auth(token)
        .json(&draft);
    assert_eq!(request.send().await.unwrap().status(), 201);
    app.count("SELECT MAX(id) FROM issue").await
}

/// The URL of a picture beside an option of a draft.
async fn picture(editor: &Reader) -> String {
    let page = editor.get("/admin/polls/new").await.expect(200);
    let form = page.form("main form.form").fill("slug", "tram");
    let form = form.fill("question.1", "Which tram?");
    editor
        .submit(form.with_options(1, &["Old", "New"]))
        .await
        .expect(200);
    let path = "/admin/polls/tram/pictures";
    let page = editor.get(path).await.expect(200);
    let fields = [("option", "1"), ("alt", "A tram")];
    let sent = upload(editor, &page, &fields, &png(64, 64)).await;
    assert_eq!(sent.status(), 303);
    let page = editor.get(path).await.expect(200);
    page.attributes("img.picture", "src").remove(0)
}
