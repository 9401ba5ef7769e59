//! The real program, measured from outside while it sends an issue.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use canvass::db::{self, Db};
use canvass::mailer::outbox::MailState;

use crate::relays::{Running, free_port};
use crate::seed::ISSUE;

const BINARY: &str = env!("CARGO_BIN_EXE_canvass");
const KEY: &str = "a secret key of at least 32 characters";
/// Clock ticks per second in `/proc/<pid>/stat`, the same on every current Linux.
const TICKS: f64 = 100.0;

/// The cost of an issue.
pub struct Sent {
    /// From the first batch to the last recipient's final state.
    pub took: Duration,
    /// From the start of the program to the first batch, which includes freezing the audience.
    pub until_first: Duration,
    /// Processor time of the program, user and system, in seconds.
    pub cpu_seconds: f64,
    /// Largest resident memory, in MB.
    pub peak_mb: f64,
    /// Response times of the editors' pages requested meanwhile, in milliseconds, ascending.
    pub pages_ms: Vec<f64>,
    /// From a request to subscribe until its confirmation was handed over, in milliseconds, ascending.
    pub singles_ms: Vec<f64>,
}

/// What is asked of the program while it sends.
pub struct Visits {
    /// An editor's session cookie, for pages.
    editor: String,
    /// A token of the API, for requests to subscribe.
    token: String,
}

pub struct Program {
    process: Running,
    address: String,
    began: Instant,
}

impl Program {
    pub fn command(dir: &Path, database: &str) -> Command {
        let mut command = Command::new(BINARY);
        command
            .env("CANVASS_DATA_DIR", dir)
            .env("CANVASS_DATABASE__URL", database)
            .env("CANVASS_SECRET_KEY", KEY)
            .env("CANVASS_HTTP__PUBLIC_URL", "https://news.example.org")
            .env("CANVASS_LOG__FILTER", "warn");
        command
    }

    /// Creates keys for `domain` and activates them.
    pub fn sign_as(dir: &Path, database: &str, domain: &str) {
        let dkim = |arguments: &[&str]| {
            let output = Self::command(dir, database)
                .env("CANVASS_MAIL__DNS_SERVER", "127.0.0.1:9")
                .arg("dkim")
                .args(arguments)
                .output()
                .unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let records = dkim(&["create", "--domain", domain]);
        let selectors: std::collections::BTreeSet<&str> = records
            .split_whitespace()
            .filter_map(|word| word.split_once("._domainkey."))
            .map(|(selector, _)| selector)
            .collect();
        assert_eq!(selectors.len(), 2, "{records}");
        for selector in selectors {
            dkim(&["activate", selector, "--anyway"]);
        }
    }

    pub fn serve(dir: &Path, database: &str, relay: u16, connections: usize) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let child = Self::command(dir, database)
            .arg("serve")
            .env("CANVASS_HTTP__BIND", &address)
            .env(
                "CANVASS_MAIL__SMTP_URL",
                format!("smtp://127.0.0.1:{relay}"),
            )
            .env("CANVASS_MAIL__CONNECTIONS", connections.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            process: Running(child),
            address,
            began: Instant::now(),
        }
    }

    /// Waits until the issue is finished.
    pub async fn sent(mut self, db: &Db, readers: usize, visits: Option<Visits>) -> Sent {
        let (mut before, mut until_first) = (self.cpu_seconds(), Duration::ZERO);
        let (mut pages_ms, mut singles) = (Vec::new(), None);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let took = loop {
            let (started, finished) = times(db).await;
            if let (Some(started), Some(finished)) = (started, finished) {
                break Duration::from_millis(u64::try_from(finished - started).unwrap().max(1));
            }
            match (started, &visits) {
                (None, _) => (before, until_first) = (self.cpu_seconds(), self.began.elapsed()),
                (Some(_), Some(Visits { editor, token })) => {
                    singles.get_or_insert_with(|| Singles::start(db, &self.address, token));
                    for page in ["/admin/issues/1", "/admin"] {
                        let url = format!("http://{}{page}", self.address);
                        let asked = Instant::now();
                        let got = client
                            .get(url)
                            .header("cookie", editor)
                            .send()
                            .await
                            .unwrap();
                        assert_eq!(got.status(), 200);
                        got.bytes().await.unwrap();
                        pages_ms.push(asked.elapsed().as_secs_f64() * 1_000.0);
                    }
                }
                (Some(_), None) => {}
            }
            let ended = self.process.0.try_wait().unwrap();
            assert!(ended.is_none(), "the program ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let cpu_seconds = self.cpu_seconds() - before;
        let sql = "SELECT COUNT(*) FROM delivery WHERE state = 2 AND issue_id = $1";
        let sent = db::fetch_one(db.read(), sql, [ISSUE.0.into()])
            .await
            .unwrap()
            .unwrap();
        let sent: i64 = sent.try_get_by_index(0).unwrap();
        assert_eq!(usize::try_from(sent).unwrap(), readers);
        let mut singles_ms = singles.map_or_else(Vec::new, Singles::end);
        pages_ms.sort_by(f64::total_cmp);
        singles_ms.sort_by(f64::total_cmp);
        Sent {
            took,
            until_first,
            cpu_seconds,
            peak_mb: self.peak_mb(),
            pages_ms,
            singles_ms,
        }
    }

    fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.0.id())).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1;
        let mut fields = fields.split(' ').skip(11);
        let mut next = || fields.next().unwrap().parse::<f64>().unwrap();
        (next() + next()) / TICKS
    }

    /// In MB (1,000,000 bytes).
    fn peak_mb(&self) -> f64 {
        let id = self.process.0.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<f64>().unwrap() * 1_024.0 / 1e6
    }

    /// Creates what [`sent`](Self::sent) needs to visit the program.
    pub async fn visits(&self, dir: &Path, database: &str) -> Visits {
        let editor = self.sign_in(dir, database).await;
        let output = Self::command(dir, database)
            .args(["api-token", "create", "bench"])
            .output()
            .unwrap();
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        Visits { editor, token }
    }

    /// Signs an editor in like a person: by the printed link, a password, the cookie.
    async fn sign_in(&self, dir: &Path, database: &str) -> String {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let base = format!("http://{}", self.address);
        while client.get(format!("{base}/readyz")).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let output = Self::command(dir, database)
            .args(["admin", "add", "editor@news.example"])
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let path = printed
            .split_whitespace()
            .find_map(|word| word.split_once("https://news.example.org"));
        let url = format!("{base}{}", path.unwrap().1);
        let password = "a long password for one run";
        let form = [("password", password), ("again", password)];
        let answer = client
            .post(&url)
            .header("origin", "https://news.example.org")
            .form(&form)
            .send()
            .await
            .unwrap();
        let cookie = answer.headers().get("set-cookie");
        let cookie = cookie.unwrap_or_else(|| panic!("{}", answer.status()));
        cookie
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    }
}

/// Requests to subscribe, four a second, each measured until its confirmation is handed over.
struct Singles {
    task: tokio::task::JoinHandle<()>,
    took_ms: Arc<Mutex<Vec<f64>>>,
}

impl Singles {
    fn start(db: &Db, address: &str, token: &str) -> Self {
        let took_ms = Arc::new(Mutex::new(Vec::new()));
        let (db, noted) = (db.clone(), Arc::clone(&took_ms));
        let (url, token) = (
            format!("http://{address}/api/v1/subscriptions"),
            token.to_owned(),
        );
        let task = tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            for number in 1_i64.. {
                let wish = serde_json::json!({
                    "newsletter": "daily", "email": format!("new{number}@example.net"), "consent": true,
                });
                let asked = Instant::now();
                let got = client.post(&url).bearer_auth(&token).json(&wish).send();
                assert_eq!(got.await.unwrap().status(), 202);
                while handed_over(&db).await < number {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let took = asked.elapsed();
                noted.lock().unwrap().push(took.as_secs_f64() * 1_000.0);
                tokio::time::sleep(Duration::from_millis(250).saturating_sub(took)).await;
            }
        });
        Self { task, took_ms }
    }

    /// What was measured, in milliseconds.
    fn end(self) -> Vec<f64> {
        self.task.abort();
        std::mem::take(&mut self.took_ms.lock().unwrap())
    }
}

/// How many single mails the relay has accepted.
async fn handed_over(db: &Db) -> i64 {
    let sql = "SELECT COUNT(*) FROM outbox WHERE state = $1";
    let accepted = MailState::Sent.code().into();
    let count = db::find_value(db.read(), sql, [accepted]).await.unwrap();
    count.unwrap_or_default()
}

async fn times(db: &Db) -> (Option<i64>, Option<i64>) {
    let sql = "SELECT started_ms, finished_ms FROM mailing WHERE issue_id = $1";
    let row = db::fetch_one(db.read(), sql, [ISSUE.0.into()])
        .await
        .unwrap()
        .unwrap();
    (
        row.try_get_by_index(0).unwrap(),
        row.try_get_by_index(1).unwrap(),
    )
}
