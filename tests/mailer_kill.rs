//! `kill -9` in the middle of an issue: the real program, a server that records what it took before it answers, and
//! a verdict by the recorder.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use canvass::db::{self, Db};
use canvass::types::{IssueId, UnixMillis};

use crate::support::database::TestDatabase;
use crate::support::issues;
use crate::support::smtp_server::{Act, At, SmtpServer};

const READERS: i64 = 240;
const CONNECTIONS: usize = 4;
const KILLS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that dies with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(database: &TestDatabase, server: &SmtpServer, in_doubt: &str) -> Program {
    let child = Command::new(env!("CARGO_BIN_EXE_canvass"))
        .arg("serve")
        .env("CANVASS_DATA_DIR", database.dir.path())
        .env("CANVASS_DATABASE__URL", &database.url)
        .env(
            "CANVASS_SECRET_KEY",
            "a secret key of at least 32 characters",
        )
        .env("CANVASS_HTTP__BIND", "127.0.0.1:0")
        .env("CANVASS_HTTP__PUBLIC_URL", "https://news.example.org")
        .env("CANVASS_MAIL__TRANSPORT", "smtp")
        .env("CANVASS_MAIL__SMTP_URL", server.url())
        .env("CANVASS_MAIL__CONNECTIONS", CONNECTIONS.to_string())
        .env("CANVASS_MAIL__IN_DOUBT", in_doubt)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Program(child)
}

/// On PostgreSQL a dead node's leases run out after a minute; the test does not wait for it.
async fn let_leases_run_out(db: &Db) {
    if db.backend() == db::Backend::Postgres {
        let txn = db.write_txn("test").await.unwrap();
        let sql = "UPDATE mail_batch SET lease_until_ms = 0 WHERE state = 1";
        db::run(&*txn, sql, []).await.unwrap();
        txn.commit().await.unwrap();
    }
}

async fn finished(db: &Db, issue: IssueId) -> bool {
    let sql = "SELECT state FROM mailing WHERE issue_id = $1";
    let row = db::fetch_one(db.read(), sql, [issue.0.into()])
        .await
        .unwrap()
        .unwrap();
    row.try_get_by_index::<i16>(0).unwrap() == 4
}

async fn in_state(db: &Db, state: i16) -> i64 {
    let sql = "SELECT COUNT(*) FROM delivery WHERE state = $1";
    let row = db::fetch_one(db.read(), sql, [state.into()])
        .await
        .unwrap()
        .unwrap();
    row.try_get_by_index(0).unwrap()
}

/// Ends the program several times, lets it finish, and gives how often each recipient's mail was taken.
async fn survive(
    in_doubt: &str,
    signal: &str,
) -> (BTreeMap<String, Vec<String>>, Db, TestDatabase) {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(10)), None);
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    let now = UnixMillis(1_772_442_000_000);
    let newsletter = issues::newsletter(&db, now).await;
    issues::subscribe_in(&db, newsletter.id, READERS, now).await;
    let issue = issues::hand_over_in(&db, &newsletter, now, UnixMillis(i64::MAX / 2)).await;
    for kill in 1..=KILLS {
        let mut program = start(&database, &server, in_doubt);
        server.wait_for(kill * 50, PATIENCE).await;
        let id = program.0.id().to_string();
        let asked = std::time::Instant::now();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        tokio::task::block_in_place(|| program.0.wait()).unwrap();
        assert!(
            asked.elapsed() < Duration::from_secs(10),
            "{:?}",
            asked.elapsed()
        );
        let_leases_run_out(&db).await;
    }
    let _program = start(&database, &server, in_doubt);
    let end = tokio::time::Instant::now() + PATIENCE;
    while !finished(&db, issue).await {
        assert!(
            tokio::time::Instant::now() < end,
            "{} mails",
            server.count()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in server.received() {
        taken.entry(mail.to).or_default().push(mail.message_id);
    }
    for ids in taken.values() {
        assert!(
            ids.iter().all(|id| *id == ids[0] && !id.is_empty()),
            "{ids:?}"
        );
    }
    (taken, db, database)
}

fn duplicates(taken: &BTreeMap<String, Vec<String>>) -> usize {
    taken.values().map(|ids| ids.len() - 1).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nobody_and_doubles_at_most_one_mail_a_connection() {
    let (taken, db, _database) = survive("resend", "-KILL").await;
    assert_eq!(
        taken.len(),
        usize::try_from(READERS).unwrap(),
        "nobody is lost"
    );
    let twice = duplicates(&taken);
    println!("{KILLS} kills, {CONNECTIONS} connections: {twice} sent twice");
    assert!(twice <= KILLS * CONNECTIONS, "{twice} were sent twice");
    assert_eq!(in_state(&db, 2).await, READERS, "the ledger agrees");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_doubles_nobody_where_doubts_are_held() {
    let (taken, db, _database) = survive("hold", "-KILL").await;
    assert_eq!(duplicates(&taken), 0);
    let (sent, unknown) = (in_state(&db, 2).await, in_state(&db, 5).await);
    println!("{KILLS} kills, {CONNECTIONS} connections: {unknown} unknown");
    assert_eq!(sent + unknown, READERS, "everybody has a final state");
    assert!(usize::try_from(unknown).unwrap() <= KILLS * CONNECTIONS);
    assert!(taken.len() >= usize::try_from(sent).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_nobody_and_doubles_nobody() {
    let (taken, db, _database) = survive("resend", "-TERM").await;
    assert_eq!(
        (taken.len(), duplicates(&taken)),
        (usize::try_from(READERS).unwrap(), 0)
    );
    assert_eq!(in_state(&db, 2).await, READERS);
}
