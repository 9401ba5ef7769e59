//! `canvass demo`: it shows a newcomer where to click, and touches nothing but its own data.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use reqwest::Client;

use crate::program::{Server, canvass, words};
use crate::support::database::TestDatabase;

/// Starts the demo, and returns the URLs that it prints before the line about how to stop it.
fn started(dir: &Path, settings: &[(&str, &str)]) -> (Server, Vec<String>) {
    let mut child = canvass(dir, &["demo"], settings)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let server = Server {
        child,
        url: String::new(),
    };
    let links = output
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.contains("Ctrl-C"))
        .flat_map(|line| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|word| word.starts_with("http"))
        .collect();
    (server, links)
}

/// The newcomer's first command: it prints where to click, and those pages exist.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_where_to_click() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [("CANVASS_HTTP__BIND", "127.0.0.1:0")];
    for _start in ["first", "again"] {
        let (mut server, links) = started(dir.path(), &settings);
        assert!(links.len() >= 3, "{links:?}");
        let client = Client::builder().no_proxy().build().unwrap();
        for link in links {
            let answer = client.get(&link).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{link}");
        }
        server.signal("-TERM");
        assert_eq!(server.ended().await.0, Some(0));
    }
}

/// In a container it listens on all interfaces: its mailbox is only for the editor, and it says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_others_reach_shows_them_no_mails() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [("CANVASS_HTTP__BIND", "0.0.0.0:0")];
    let (mut server, links) = started(dir.path(), &settings);
    let mailbox = links.iter().find(|link| link.ends_with("/mailbox"));
    let client = Client::builder().no_proxy().build().unwrap();
    let answer = client.get(mailbox.unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.url().path(), "/admin/sign-in");
    server.signal("-TERM");
    assert_eq!(server.ended().await.0, Some(0));
}

/// Run beside an installation, with that installation's settings in the environment and in the file.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_leaves_an_installation_alone() {
    let production = TestDatabase::migrated().await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("canvass.toml"),
        "secret_key_file = \"/nowhere/key\"\n[mail]\nsmtp_url = \"smtp://127.0.0.1:1\"\ntemplates_dir = \"/nowhere\"\n\
         [http]\npublic_url = \"https://letters.news.example\"\n",
    )
    .unwrap();
    let settings = [
        ("CANVASS_HTTP__BIND", "127.0.0.1:0"),
        ("CANVASS_DATABASE__URL", production.url.as_str()),
    ];
    let (mut server, links) = started(dir.path(), &settings);
    let ours = |link: &String| link.starts_with("http://127.0.0.1:");
    assert!(!links.is_empty() && links.iter().all(ours), "{links:?}");
    server.signal("-TERM");
    assert_eq!(server.ended().await.0, Some(0));
    let db = production.open().await;
    let rows = canvass::db::fetch_all(db.read(), "SELECT slug FROM newsletter", []);
    assert_eq!(rows.await.unwrap().len(), 0, "nothing was written there");
    let key = std::fs::read_to_string(dir.path().join("secret.key")).unwrap();
    assert!(key.len() > 32, "links are signed with a key of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_refuses_an_installations_directory() {
    let dir = tempfile::tempdir().unwrap();
    let url = [("CANVASS_DATABASE__URL", "sqlite:canvass.db")];
    let made = canvass(dir.path(), &["migrate"], &url).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", words(&made));
    let before = std::fs::read(dir.path().join("canvass.db")).unwrap();
    let demo = canvass(dir.path(), &["demo"], &url).output().unwrap();
    assert_eq!(demo.status.code(), Some(2), "{}", words(&demo));
    assert!(
        words(&demo).contains("belongs to an installation"),
        "{}",
        words(&demo)
    );
    let after = std::fs::read(dir.path().join("canvass.db")).unwrap();
    assert!(before == after, "it was not opened");
    assert!(!dir.path().join("demo.txt").exists());
}
