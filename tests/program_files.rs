//! Files that commands write: complete or not at all.

use std::fs::File;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::backup::{KEY, canvass, done, refused};
use crate::program;
use crate::support::app::START;
use crate::support::database::TestDatabase;
use crate::support::issues;

#[tokio::test]
async fn an_export_that_fails_leaves_the_last_one_as_it_was() {
    let database = TestDatabase::migrated().await;
    let dir = database.dir.path();
    let db = database.open().await;
    let letter = issues::newsletter(&db, "premium", START).await;
    issues::subscribe_in(&db, letter.id, 3, START).await;
    db.close().await.unwrap();
    let file = dir.join("list.csv");
    std::fs::write(&file, "the last one").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let name = file.display().to_string();
    let export = |newsletter: &str| {
        let arguments = [
            "export",
            "readers",
            "--newsletter",
            newsletter,
            "--out",
            &name,
        ];
        canvass(dir, &database.url, KEY, &arguments)
    };
    refused(&export("premum"), "there is no newsletter");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the last one");
    done(&export("premium"));
    let list = std::fs::read_to_string(&file).unwrap();
    assert_eq!(list.lines().count(), 1 + 3, "{list}");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others can read it");
    assert!(!dir.join("list.csv.part").exists());
}

#[tokio::test]
async fn an_export_replaces_no_pipe_and_no_link() {
    let database = TestDatabase::migrated().await;
    let dir = database.dir.path();
    let db = database.open().await;
    issues::newsletter(&db, "premium", START).await;
    db.close().await.unwrap();
    let pipe = dir.join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let link = dir.join("link");
    symlink(dir.join("list.csv"), &link).unwrap();
    for special in [&pipe, &link] {
        let name = special.display().to_string();
        let arguments = [
            "export",
            "readers",
            "--newsletter",
            "premium",
            "--out",
            &name,
        ];
        let output = canvass(dir, &database.url, KEY, &arguments);
        refused(&output, "is not a regular file");
    }
    let kind = |path: &Path| std::fs::symlink_metadata(path).unwrap().file_type();
    assert!(kind(&pipe).is_fifo());
    assert!(kind(&link).is_symlink());
}

/// Others who may write to the directory could have put a link there, or a file that they can read.
#[tokio::test]
async fn an_incomplete_file_is_always_a_new_one() {
    let database = TestDatabase::migrated().await;
    let dir = database.dir.path();
    let part = dir.join("first.backup.part");
    let other = dir.join("other");
    std::fs::write(&other, "somebody else's").unwrap();
    let backup = |name: &str| {
        let file = dir.join(name).display().to_string();
        canvass(dir, &database.url, KEY, &["backup", &file])
    };
    let is_private = |name: &str| {
        let made = std::fs::symlink_metadata(dir.join(name)).unwrap();
        made.is_file() && made.permissions().mode() & 0o077 == 0
    };
    symlink(&other, &part).unwrap();
    done(&backup("first.backup"));
    assert!(is_private("first.backup"));

    let part = dir.join("second.backup.part");
    std::fs::write(&part, "half of it").unwrap();
    std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o644)).unwrap();
    done(&backup("second.backup"));
    assert!(is_private("second.backup"));

    let lock = dir.join("third.backup.part.lock");
    symlink(&other, &lock).unwrap();
    refused(&backup("third.backup"), "is not a regular file");
    let left = std::fs::read_to_string(&other).unwrap();
    assert_eq!(left, "somebody else's");
}

#[tokio::test]
async fn two_backups_to_one_name_do_not_destroy_each_other() {
    let database = TestDatabase::migrated().await;
    let dir = database.dir.path();
    let name = dir.join("night.backup").display().to_string();
    let part = dir.join("night.backup.part");
    let lock = dir.join("night.backup.part.lock");
    let backup = || canvass(dir, &database.url, KEY, &["backup", &name]);
    std::fs::write(&part, "half of the other one").unwrap();
    let other = File::create(&lock).unwrap();
    other.try_lock().unwrap();
    refused(&backup(), "another command is writing this file");
    let left = std::fs::read_to_string(&part).unwrap();
    assert_eq!(left, "half of the other one");
    // It was interrupted.
    drop(other);
    done(&backup());
    assert!(!part.exists() && !lock.exists());
    refused(&backup(), "never overwritten");
}

/// Otherwise a command in the wrong directory works on a second database, and nobody notices.
#[test]
fn a_database_that_is_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().canonicalize().unwrap().join("here/canvass.db");
    let file = file.display().to_string();
    let settings = [
        ("CANVASS_DATA_DIR", "here"),
        ("CANVASS_MAIL__TRANSPORT", "mailbox"),
        ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
    ];
    let run = |arguments: &[&str]| {
        let output = program::canvass(dir.path(), arguments, &settings).output();
        done(&output.unwrap())
    };
    let add = ["admin", "add", "mara@news.example"];
    let said = run(&add);
    assert!(said.contains(&file), "{said}");
    let again = run(&add);
    assert!(!again.contains(&file), "{again}");
    let checked = run(&["check"]);
    assert!(checked.contains(&file), "{checked}");
}
