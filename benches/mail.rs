//! Mails per second to a relay that takes everything, as a share of what its own load generator reaches.
//!
//!     cargo bench --bench mail
//!
//! In turn, three times, medians: `smtp-source` against `smtp-sink` (the limit), then Canvass against the same sink, with
//! a durable ledger (SQLite, `synchronous=FULL`). 10,000 readers, mails of about 10 kB. Also the peak memory of the
//! sending process. Needs the two programs, which come with Postfix. Fails under a quarter of the limit.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use canvass::db::{self, Db, migrate::migrate};
use canvass::mailer::mailing::{self, Handover};
use canvass::mailer::mime::{Draft, Edition, ListHeaders, Mailbox, Slots};
use canvass::types::{Clock, EmailAddress, IssueId, NewsletterId, Purpose, Secret};

const BINARY: &str = env!("CARGO_BIN_EXE_canvass");
const READERS: usize = 10_000;
const OCTETS: usize = 10_000;
const CONNECTIONS: usize = 20;
const RUNS: usize = 3;
const LEAST_SHARE: f64 = 0.25;

fn main() {
    let Some((sink, source)) = program("smtp-sink").zip(program("smtp-source")) else {
        println!("skipped: smtp-sink and smtp-source are not installed (they come with postfix)");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut limit, mut ours, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let relay = Relay::start(&sink);
        limit.push(READERS as f64 / relay.flood(&source).as_secs_f64());
        let (took, peak) = runtime.block_on(send(relay.port));
        ours.push(READERS as f64 / took.as_secs_f64());
        peaks.push(peak);
    }
    let (limit, ours) = (median(&mut limit), median(&mut ours));
    let share = ours / limit;
    println!(
        "{READERS} readers, {OCTETS} octets a mail, {CONNECTIONS} connections, median of {RUNS}:"
    );
    println!("smtp-source: {limit:.0} mails/s");
    println!(
        "canvass:     {ours:.0} mails/s ({:.0} % of it)",
        share * 100.0
    );
    println!("peak memory while sending: {:.1} MB", median(&mut peaks));
    std::process::exit(i32::from(share < LEAST_SHARE));
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn program(name: &str) -> Option<String> {
    ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"]
        .iter()
        .map(|dir| format!("{dir}/{name}"))
        .find(|path| Path::new(path).exists())
}

/// A process that ends with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Relay {
    port: u16,
    _sink: Running,
}

impl Relay {
    fn start(sink: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command = Command::new(sink);
        // As root it wants to know as whom to run.
        if std::env::var_os("USER").is_none_or(|user| user == "root") {
            command.args(["-u", "nobody"]);
        }
        command.arg(format!("127.0.0.1:{port}")).arg("1000");
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let relay = Self {
            port,
            _sink: Running(child),
        };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        relay
    }

    fn flood(&self, source: &str) -> Duration {
        let began = Instant::now();
        let status = Command::new(source)
            .args([
                "-d",
                "-s",
                &CONNECTIONS.to_string(),
                "-m",
                &READERS.to_string(),
            ])
            .args([
                "-l",
                &OCTETS.to_string(),
                "-f",
                "news@example.org",
                "-t",
                "reader@example.org",
            ])
            .arg(format!("127.0.0.1:{}", self.port))
            .status()
            .unwrap();
        assert!(status.success());
        began.elapsed()
    }
}

/// Sends an issue with the real program: from its first mail to its last, and the peak memory in MB.
async fn send(port: u16) -> (Duration, f64) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("canvass.db").display());
    let db = Db::open(&Secret::new(url), 2).await.unwrap();
    migrate(&db).await.unwrap();
    let issue = seed(&db).await;
    let mut program = Running(
        Command::new(BINARY)
            .arg("serve")
            .env("CANVASS_DATA_DIR", dir.path())
            .env(
                "CANVASS_SECRET_KEY",
                "a secret key of at least 32 characters",
            )
            .env("CANVASS_HTTP__BIND", "127.0.0.1:0")
            .env("CANVASS_HTTP__PUBLIC_URL", "https://news.example.org")
            .env("CANVASS_MAIL__SMTP_URL", format!("smtp://127.0.0.1:{port}"))
            .env("CANVASS_MAIL__CONNECTIONS", CONNECTIONS.to_string())
            .env("CANVASS_LOG__FILTER", "warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let (started, finished) = loop {
        let sql = "SELECT started_ms, finished_ms FROM mailing WHERE issue_id = $1";
        let row = db::fetch_one(db.read(), sql, [issue.0.into()])
            .await
            .unwrap()
            .unwrap();
        let times: (Option<i64>, Option<i64>) = (
            row.try_get_by_index(0).unwrap(),
            row.try_get_by_index(1).unwrap(),
        );
        if let (Some(started), Some(finished)) = times {
            break (started, finished);
        }
        assert!(program.0.try_wait().unwrap().is_none(), "the program ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.0.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: f64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    let sent = db::fetch_one(
        db.read(),
        "SELECT COUNT(*) FROM delivery WHERE state = 2",
        [],
    );
    let sent: i64 = sent.await.unwrap().unwrap().try_get_by_index(0).unwrap();
    assert_eq!(usize::try_from(sent).unwrap(), READERS);
    let took = u64::try_from(finished - started).unwrap().max(1);
    (Duration::from_millis(took), kilobytes / 1_000.0)
}

async fn seed(db: &Db) -> IssueId {
    let now = Clock::System.now();
    let txn = db.write_txn("seed").await.unwrap();
    for sql in [
        "INSERT INTO newsletter (id, slug, name, from_name, from_address, created_ms)
         VALUES (1, 'daily', 'The daily letter', 'The newsroom', 'news@example.org', 1)"
            .to_owned(),
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {READERS})
             INSERT INTO reader (id, email_key, email, name, created_ms)
             SELECT i, 'reader' || i || '@example.org', 'reader' || i || '@example.org', 'Reader ' || i, 1 FROM n"
        ),
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms)
         SELECT 1, id, 1, 1, 1 FROM reader"
            .to_owned(),
        "INSERT INTO issue (id, newsletter_id, slug, subject, body, state, created_ms, updated_ms)
         VALUES (1, 1, 'trust', 'Trust, measured', '', 3, 1, 1)"
            .to_owned(),
    ] {
        db::run(&*txn, sql, []).await.unwrap();
    }
    let handover = Handover {
        issue: IssueId(1),
        newsletter: NewsletterId(1),
        edition: &edition(),
        not_before: now,
        expires: now + Duration::from_secs(3_600),
        now,
    };
    mailing::hand_over(&txn, &handover).await.unwrap();
    txn.commit().await.unwrap();
    IssueId(1)
}

fn edition() -> Edition {
    let mut slots = Slots::new();
    let name = slots.name("reader");
    let manage = slots.link("/manage/", Purpose::Manage, &[1]);
    let paragraph = "What readers told us about the news they read, and why it matters to them. ";
    let body = paragraph.repeat(OCTETS * 4 / 10 / paragraph.len());
    Edition::compile(Draft {
        from: Mailbox {
            name: "The newsroom".to_owned(),
            address: EmailAddress::parse("news@example.org").unwrap(),
        },
        reply_to: None,
        subject: "Trust, measured".to_owned(),
        text: format!("Hello {name}\n\n{body}\n\n{manage}\n"),
        html: format!("<p>Hello {name}</p><p>{body}</p><p><a href=\"{manage}\">Manage</a></p>\n"),
        slots,
        list: Some(ListHeaders {
            name: "The daily letter".to_owned(),
            id: "daily.news.example.org".to_owned(),
            unsubscribe: vec![1],
            help: "https://news.example.org/subscribe/daily".to_owned(),
            owner: "news@example.org".to_owned(),
            archive: None,
            feedback_id: "1:daily:issue:canvass".to_owned(),
        }),
    })
}
