//! Import of readers who opted in elsewhere: no good row is lost, every bad one is reported, and it is safe to repeat.

use std::fmt::Write as _;
use std::path::PathBuf;

use canvass::db::{Db, fetch_all, run};
use canvass::subscriptions::import::{self, Order, Stopped, Summary};
use canvass::types::{Clock, EmailAddress, Keys, Secret, UnixMillis};

use crate::support::database::TestDatabase;

const NOW: UnixMillis = UnixMillis(1_767_225_600_000); // 2026-01-01

struct Desk {
    database: TestDatabase,
    db: Db,
    keys: Keys,
    clock: Clock,
}

impl Desk {
    async fn open() -> Self {
        let database = TestDatabase::migrated().await;
        let db = database.open().await;
        let txn = db.write_txn("test").await.unwrap();
        run(
            &*txn,
            "INSERT INTO newsletter (slug, name, from_name, from_address, created_ms) \
             VALUES ('premium', 'Premium', 'Premium', 'news@example.org', 0)",
            [],
        )
        .await
        .unwrap();
        txn.commit().await.unwrap();
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).unwrap();
        Self {
            database,
            db,
            keys,
            clock: Clock::manual(NOW),
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.database.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn order(&self, content: impl AsRef<[u8]>) -> Order {
        Order {
            file: self.file("readers.csv", content),
            newsletter: "premium".to_owned(),
            consent: "Ticked the box on the old site.".to_owned(),
            report: None,
        }
    }

    async fn import(&self, order: &Order) -> (Summary, String) {
        let mut terminal = Vec::new();
        let summary = import::run(&self.db, &self.keys, &self.clock, order, &mut terminal)
            .await
            .unwrap();
        (summary, String::from_utf8(terminal).unwrap())
    }

    async fn rows(&self, sql: &str) -> Vec<String> {
        fetch_all(self.db.read(), sql, [])
            .await
            .unwrap()
            .iter()
            .map(|row| row.try_get_by_index(0).unwrap())
            .collect()
    }

    async fn count(&self, table: &str) -> i64 {
        let rows = fetch_all(self.db.read(), format!("SELECT COUNT(*) FROM {table}"), [])
            .await
            .unwrap();
        rows[0].try_get_by_index(0).unwrap()
    }

    async fn write(&self, sql: &str) {
        let txn = self.db.write_txn("test").await.unwrap();
        run(&*txn, sql, []).await.unwrap();
        txn.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_list_becomes_readers_subscriptions_and_evidence() {
    let desk = Desk::open().await;
    let order = desk.order(
        "email,name,time_zone,confirmed_at\n\
         Anna@Example.org,Anna,Europe/Berlin,2024-02-29T12:00:00Z\n\
         bo@bücher.example,,,\n",
    );
    let (summary, terminal) = desk.import(&order).await;
    assert_eq!(
        summary,
        Summary {
            subscribed: 2,
            ..Summary::default()
        }
    );
    assert_eq!(terminal, "");
    assert_eq!(
        desk.rows("SELECT email_key || '|' || email || '|' || name || '|' || COALESCE(time_zone, '-') FROM reader ORDER BY id").await,
        [
            "anna@example.org|Anna@example.org|Anna|Europe/Berlin",
            "bo@xn--bcher-kva.example|bo@xn--bcher-kva.example||-",
        ]
    );
    assert_eq!(
        desk.rows(
            "SELECT s.state || '|' || s.confirmed_ms || '|' || c.requested_ms || '|' || c.confirmed_ms || '|' || c.source || '|' || c.page || '|' || t.body \
             FROM subscription s JOIN consent c ON c.reader_id = s.reader_id JOIN consent_text t ON t.id = c.consent_text_id ORDER BY s.reader_id"
        )
        .await,
        [
            "1|1709208000000|1709208000000|1709208000000|import|import of readers.csv|Ticked the box on the old site.",
            "1|1767225600000|1767225600000|1767225600000|import|import of readers.csv|Ticked the box on the old site.",
        ]
    );
}

/// 100,000 rows with every kind of fault among them: each fault is reported with its line, and all other rows are
/// imported.
#[tokio::test]
async fn a_hundred_thousand_rows_with_bad_ones_among_them_are_reported_exactly() {
    let desk = Desk::open().await;
    let mut file = String::from("email,name,confirmed_at\r\n");
    let mut expected = Vec::new();
    let mut line = 2;
    for n in 0..100_000 {
        let bad = match n % 1000 {
            137 => Some((format!("reader{n}.example.org,x,"), "an @", 1)),
            338 => Some((format!("\"reader{n}@example.org,x,"), "quotation mark", 1)),
            539 => Some((
                format!("reader{n}@example.org,x,soon"),
                "confirmed_at: not a time",
                1,
            )),
            740 => Some((format!("reader{n}@exa_mple.org,x,"), "not a domain name", 1)),
            _ => None,
        };
        match bad {
            Some((row, reason, lines)) => {
                write!(file, "{row}\r\n").unwrap();
                expected.push((line, reason));
                line += lines;
            }
            None if n % 500 == 3 => {
                write!(file, "reader{n}@example.org,\"two\r\nlines\",\r\n").unwrap();
                line += 2;
            }
            None => {
                write!(file, "reader{n}@example.org,Reader {n},2024-05-01\r\n").unwrap();
                line += 1;
            }
        }
    }
    let mut order = desk.order(file);
    order.report = Some(desk.database.dir.path().join("report.csv"));
    let (summary, terminal) = desk.import(&order).await;
    assert_eq!(
        summary,
        Summary {
            subscribed: 99_600,
            bad: 400,
            ..Summary::default()
        }
    );
    assert_eq!(desk.count("subscription").await, 99_600);
    assert_eq!(desk.count("consent").await, 99_600);
    let shown = terminal
        .lines()
        .filter(|line| line.starts_with("line "))
        .count();
    assert_eq!(shown, 20, "the rest is in the report");

    let report = std::fs::read_to_string(order.report.clone().unwrap()).unwrap();
    let mut rows = report.lines();
    assert_eq!(rows.next(), Some("line,outcome,reason"));
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), expected.len());
    for (row, (line, reason)) in rows.iter().zip(&expected) {
        assert!(
            row.starts_with(&format!("{line},bad,")) && row.contains(reason),
            "{row} should be line {line}: {reason}"
        );
    }
}

#[tokio::test]
async fn importing_twice_changes_nothing() {
    let desk = Desk::open().await;
    let mut file = String::from("email\n");
    for n in 0..2_500 {
        writeln!(file, "reader{n}@example.org").unwrap();
    }
    let order = desk.order(file);
    desk.import(&order).await;
    let (summary, _) = desk.import(&order).await;
    assert_eq!(
        summary,
        Summary {
            already_there: 2_500,
            ..Summary::default()
        }
    );
    assert_eq!(desk.count("subscription").await, 2_500);
    assert_eq!(desk.count("consent").await, 2_500);
    assert_eq!(desk.count("consent_text").await, 1);
}

#[tokio::test]
async fn nobody_is_brought_back_by_an_import() {
    let desk = Desk::open().await;
    let order = desk.order("email\nactive@example.org\nleft@example.org\nbounced@example.org\n");
    desk.import(&order).await;
    desk.write("UPDATE subscription SET state = 2 WHERE reader_id = (SELECT id FROM reader WHERE email_key = 'left@example.org')").await;
    desk.write("UPDATE subscription SET state = 4 WHERE reader_id = (SELECT id FROM reader WHERE email_key = 'bounced@example.org')").await;
    let gone = EmailAddress::parse("gone@example.org").unwrap();
    let hash = desk.keys.address_hash(gone.key());
    let txn = desk.db.write_txn("test").await.unwrap();
    run(
        &*txn,
        "INSERT INTO suppression (address_hash, reason, created_ms) VALUES ($1, 2, 0)",
        [hash.to_vec().into()],
    )
    .await
    .unwrap();
    txn.commit().await.unwrap();

    let mut order = desk.order("email\nactive@example.org\nleft@example.org\nbounced@example.org\nGONE@example.org\nnew@example.org\nnew@example.org\n");
    order.report = Some(desk.database.dir.path().join("report.csv"));
    let (summary, _) = desk.import(&order).await;
    assert_eq!(
        summary,
        Summary {
            subscribed: 1,
            already_there: 2,
            left_before: 2,
            suppressed: 1,
            ..Summary::default()
        }
    );
    assert_eq!(summary.rows(), 6);
    assert_eq!(
        desk.rows("SELECT r.email_key || ' ' || s.state FROM subscription s JOIN reader r ON r.id = s.reader_id ORDER BY 1").await,
        ["active@example.org 1", "bounced@example.org 4", "left@example.org 2", "new@example.org 1"]
    );
    assert_eq!(desk.count("suppression").await, 1);
    let report = std::fs::read_to_string(order.report.unwrap()).unwrap();
    assert!(
        report.contains("5,kept out,the address is suppressed"),
        "{report}"
    );
    assert!(report.contains("7,already there,"), "{report}");
    assert!(!report.contains('@'), "no address in the report:\n{report}");
}

#[tokio::test]
async fn a_later_import_fills_gaps_and_overwrites_nothing() {
    let desk = Desk::open().await;
    desk.import(&desk.order("email,name\nanna@example.org,Anna\n"))
        .await;
    desk.import(&desk.order("email,name,time_zone\nanna@example.org,ANNA M,Asia/Tokyo\n"))
        .await;
    assert_eq!(
        desk.rows("SELECT name || ' ' || time_zone FROM reader")
            .await,
        ["Anna Asia/Tokyo"]
    );
}

#[tokio::test]
async fn what_cannot_be_imported_is_said_and_changes_nothing() {
    let desk = Desk::open().await;
    let good = desk.order("email\nanna@example.org\n");
    let mut sink = Vec::new();
    for (order, words) in [
        (
            Order {
                file: "no/such/file.csv".into(),
                ..good.clone()
            },
            "cannot be read",
        ),
        (
            Order {
                newsletter: "other".to_owned(),
                ..good.clone()
            },
            "no newsletter “other”",
        ),
        (
            Order {
                consent: "  ".to_owned(),
                ..good.clone()
            },
            "--consent",
        ),
        (
            Order {
                report: Some("no/such/dir/report.csv".into()),
                ..good.clone()
            },
            "cannot be written",
        ),
    ] {
        let stopped = import::run(&desk.db, &desk.keys, &desk.clock, &order, &mut sink)
            .await
            .unwrap_err();
        assert!(stopped.to_string().contains(words), "{stopped}");
    }
    let header = desk.order("mail\nanna@example.org\n");
    let stopped = import::run(&desk.db, &desk.keys, &desk.clock, &header, &mut sink)
        .await
        .unwrap_err();
    assert!(matches!(stopped, Stopped::Header(..)), "{stopped}");
    assert_eq!(desk.count("reader").await, 0);
}

#[tokio::test]
async fn what_is_exported_can_be_imported_and_holds_active_readers_only() {
    let desk = Desk::open().await;
    let order = desk.order(
        "email,name,time_zone,confirmed_at\n\
         =anna@example.org,\"O\"\"Brien, Anna\",Europe/Berlin,2024-02-29T12:00:00.123Z\n\
         left@example.org,,,\n\
         bo@bücher.example,,,2024-01-01\n",
    );
    desk.import(&order).await;
    desk.write("UPDATE subscription SET state = 2 WHERE reader_id = (SELECT id FROM reader WHERE email_key = 'left@example.org')").await;
    let mut exported = Vec::new();
    let count = canvass::subscriptions::export_readers(&desk.db, "premium", false, &mut exported)
        .await
        .unwrap();
    assert_eq!(count, 2);
    let text = String::from_utf8(exported.clone()).unwrap();
    assert_eq!(
        text,
        "email,name,time_zone,confirmed_at\n\
         =anna@example.org,\"O\"\"Brien, Anna\",Europe/Berlin,2024-02-29T12:00:00.123Z\n\
         bo@xn--bcher-kva.example,,,2024-01-01T00:00:00.000Z\n"
    );
    let other = Desk::open().await;
    let (summary, _) = other.import(&other.order(&exported)).await;
    assert_eq!((summary.subscribed, summary.bad), (2, 0));

    let mut defused = Vec::new();
    canvass::subscriptions::export_readers(&desk.db, "premium", true, &mut defused)
        .await
        .unwrap();
    assert!(
        String::from_utf8(defused)
            .unwrap()
            .contains("\n'=anna@example.org,")
    );
}
