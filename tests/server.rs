//! The server as a whole: probes, the headers of every response, how it ends.

use std::time::Duration;

use canvass::app::{App, Role, StartError};
use canvass::db::lock::FileLock;
use canvass::db::{AccessError, Backend};
use canvass::types::{Clock, Random};

use crate::support::app::{START, TestApp};
use crate::support::dump::Dump;

#[tokio::test]
async fn it_is_alive_ready_and_counted() {
    let app = TestApp::start().await;
    let reader = app.reader();
    for path in ["/healthz", "/readyz"] {
        reader.get(path).await.expect(200);
    }
    let numbers = reader.get("/metrics").await.expect(200);
    assert!(numbers.body.contains("# TYPE canvass_"), "{}", numbers.body);
    assert_eq!(app.app.clock.now(), START);
    app.advance(Duration::from_secs(1));
    assert_eq!(app.app.clock.now(), START + Duration::from_secs(1));
}

#[tokio::test]
async fn what_is_not_there_is_a_page_for_people_and_json_for_scripts() {
    let app = TestApp::start().await;
    let reader = app.reader();
    let page = reader.get(&app.url("/nothing/here")).await.expect(404);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let page = page.says("There is nothing here");
    assert_eq!(page.attributes("html", "lang"), ["en"]);
    // There is a link onwards, and it leads to a page even before there is anything to read.
    let front = reader
        .follow(&page, "Go to the front page")
        .await
        .expect(200);
    front.says("There are no newsletters yet");
    app.newsletter("morning").await;
    let front = reader.get("/").await.expect(200);
    assert!(!front.text().contains("no newsletters yet"));
    reader.follow(&front, "Subscribe").await.expect(200);
    reader.follow(&front, "Past issues").await.expect(200);

    let answer = reader.get("/api/v1/nothing").await.expect(404);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_second_process_on_the_same_database_is_refused() {
    let app = TestApp::start_with(|config| config.log.filter = "off".to_owned()).await;
    let mut config = app.app.config.clone();
    // A second installation with a copied configuration: a directory of its own, but the same database.
    let own = tempfile::tempdir().unwrap();
    config.data_dir = own.path().to_owned();
    let second = App::build(config, Role::Server, Clock::manual(START), Random::System).await;
    if Backend::Sqlite == app.app.db.backend() {
        match second {
            Err(error @ StartError::Access(AccessError::Lock(_))) => {
                let words = error.to_string();
                assert!(
                    words.contains("in use by another canvass process"),
                    "{words}"
                );
            }
            other => panic!("not refused: {:?}", other.map(drop)),
        }
    } else {
        second.expect("several nodes share a PostgreSQL database");
    }
}

/// A bounce pipe or a long import must not keep a server from starting.
#[tokio::test]
async fn a_server_starts_beside_a_command_and_waits_for_one_that_migrates() {
    let app = TestApp::start().await;
    let config = app.app.config.clone();
    // The database lives as long as the directory.
    let database = app.stop().await;
    let tool = App::build(config.clone(), Role::Tool, Clock::System, Random::System)
        .await
        .unwrap();
    let server = App::build(config.clone(), Role::Server, Clock::System, Random::System)
        .await
        .expect("a command that is at work holds no lock");
    let beside = App::build(config.clone(), Role::Tool, Clock::System, Random::System)
        .await
        .unwrap();
    drop((tool, server, beside));
    if Backend::Sqlite == database.open().await.backend() {
        let migrating = FileLock::take(&config.database_file().unwrap()).unwrap();
        tokio::spawn(async move {
            // Nothing shows that somebody waits for a file lock.
            tokio::time::sleep(Duration::from_millis(700)).await;
            drop(migrating);
        });
    }
    App::build(config, Role::Server, Clock::System, Random::System)
        .await
        .expect("it waits for a moment");
}

#[tokio::test]
async fn a_stop_is_quick_and_leaves_everything() {
    let app = TestApp::start().await;
    app.newsletter("morning").await;
    app.poll("trust").await;
    let secret = app.api_token().await;
    assert!(secret.len() > 32, "{secret}");
    assert_eq!(app.count("SELECT COUNT(*) FROM newsletter").await, 1);
    assert!(app.mails_to("r@example.org").await.is_empty());
    let before = Dump::of(&app.app.db).await;
    let began = tokio::time::Instant::now();
    let database = app.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    let after = Dump::of(&database.open().await).await;
    assert_eq!(before.differences(&after, &[]), Vec::<String>::new());
    assert_eq!(after.rows("poll"), 1);
}
