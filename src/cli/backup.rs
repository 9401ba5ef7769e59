//! `canvass backup` and `canvass restore`: one file that holds everything but the secret key.
//!
//! A backup is made while the servers run. What is restored believes what it believed then, a mail that was sent since to be due: so
//! everything that would leave is held back for a person to decide on, before anything can start.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::out::tell;
use super::postgres_tools::Tool;
use super::{Failed, missing_key};
use crate::app::check_key;
use crate::config::{Config, sqlite_url};
use crate::db::lock::FileLock;
use crate::db::migrate::{MigrateError, is_new, migrate_restored};
use crate::db::{Backend, Db, end_restore, restored_file};
use crate::types::{Clock, Secret};
use crate::{digests, mailer};

/// What editors read beside what was held back.
const WHY: &str = "restored from a backup";

pub async fn backup(config: Config, to: &Path) -> Result<(), Failed> {
    if to.exists() {
        return Err(used(
            to,
            "exists already, and a backup is never overwritten",
        ));
    }
    let (url, file) = (config.database_url(), config.database_file());
    if let Some(file) = file {
        if restored_file(&file).exists() {
            return Err(other(MigrateError::Restoring));
        }
        if !file.exists() {
            return Err(used(&file, "is not there, so there is nothing to back up"));
        }
    }
    let part = beside(to, ".part");
    // For its owner alone: it holds addresses. A part that was left behind by a stop is of no use to anybody.
    create(&part)?;
    let done = dump(&url, &part).await;
    if let Err(failed) = done.and_then(|()| put(&part, to)) {
        let _ = std::fs::remove_file(&part);
        return Err(failed);
    }
    let size = std::fs::metadata(to)?.len();
    tell!(
        "{} holds the whole database ({} kB). It does not hold the secret key: keep that too, in another place.",
        to.display(),
        size.div_ceil(1_000)
    );
    Ok(())
}

/// The database as it is: its schema is not brought up to date, so that a backup can be made before an update.
async fn dump(url: &Secret, part: &Path) -> Result<(), Failed> {
    if url.expose().starts_with("sqlite:") {
        let db = Db::open(url, 2).await.map_err(other)?;
        db.copy_into(part).await?;
        return db.close().await.map_err(Failed::from);
    }
    let how = ["--format=custom", "--no-owner", "--no-privileges", "--file"];
    Tool::find("pg_dump")?.run(url, &how, part)
}

/// `from`: none when the database itself was put back by other means.
pub async fn restore(config: Config, from: Option<&Path>, replace: bool) -> Result<(), Failed> {
    if config.secret_key.is_empty() {
        return Err(Failed::Config(missing_key()));
    }
    if let Some(from) = from
        && let Err(error) = File::open(from)
    {
        return Err(used(from, &error.to_string()));
    }
    match config.database_file() {
        Some(file) => restore_file(&config, &file, from, replace).await,
        None => restore_postgres(&config, from).await,
    }
}

async fn restore_file(
    config: &Config,
    file: &Path,
    from: Option<&Path>,
    replace: bool,
) -> Result<(), Failed> {
    let _lock = FileLock::take(file).map_err(other)?;
    let Some(from) = from else {
        if restored_file(file).exists() {
            return Err(other(MigrateError::Restoring));
        }
        let held = hold_back(config, &config.database_url()).await?;
        held.tell();
        return Ok(());
    };
    if file.exists() && !replace {
        let there = "is there already; with --replace it is set aside, not deleted";
        return Err(used(file, there));
    }
    let fresh = beside(file, ".restoring");
    clear(&fresh)?;
    let copied = create(&fresh).and_then(|mut to| {
        let copied = std::io::copy(&mut File::open(from)?, &mut to);
        copied.map(drop).map_err(Failed::from)
    });
    let done = match copied {
        Ok(()) => prepare(config, from, &fresh).await,
        Err(failed) => Err(failed),
    };
    match done.and_then(|held| Ok((held, swap(&fresh, file)?))) {
        // Only now: whoever reads that it is done starts the server.
        Ok((held, aside)) => {
            held.tell();
            if let Some(aside) = aside {
                tell!("What was there is kept as {}.", aside.display());
            }
            Ok(())
        }
        Err(failed) => {
            let _ = clear(&fresh);
            Err(failed)
        }
    }
}

/// Makes a copy of a backup ready to be served: whole, ours, under our key, with the schema of this version, and with nothing due.
async fn prepare(config: &Config, from: &Path, fresh: &Path) -> Result<Held, Failed> {
    let url = sqlite_url(fresh);
    let db = Db::open(&url, 2)
        .await
        .map_err(|error| no_backup(from, &error))?;
    db.look_over()
        .await
        .map_err(|error| no_backup(from, &error))?;
    db.close().await?;
    hold_back(config, &url).await
}

/// A database that is filled in several steps must not be served between them: it is marked until nothing in it is due, and emptied
/// again when that fails. Whatever ends this program in between, the mark stays, and the next restore begins anew.
async fn restore_postgres(config: &Config, from: Option<&Path>) -> Result<(), Failed> {
    let url = config.database_url();
    let db = Db::open(&url, 1).await.map_err(other)?;
    let others = db.others_connected().await?;
    if others > 0 {
        return Err(Failed::Used(format!(
            "{others} connections to this database are open: stop every server first"
        )));
    }
    let Some(from) = from else {
        if db.restore_begun().await? {
            return Err(other(MigrateError::Restoring));
        }
        db.close().await?;
        let held = hold_back(config, &url).await?;
        held.tell();
        return Ok(());
    };
    let tool = Tool::find("pg_restore")?;
    if !db.begin_restore().await? {
        let empty = "the database has tables already: restore into a new one (createdb)";
        return Err(Failed::Used(empty.to_owned()));
    }
    let how = [
        "--exit-on-error",
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
    ];
    let done = match tool.run(&url, &how, from) {
        Ok(()) if is_new(&db).await? => Err(no_backup(from, &"it has no tables of Canvass")),
        Ok(()) => hold_back(config, &url).await,
        Err(failed) => Err(failed),
    };
    match done {
        Ok(held) => {
            held.tell();
            db.close().await.map_err(Failed::from)
        }
        Err(failed) => {
            if let Err(error) = db.undo_restore().await {
                tell!("canvass: what was restored could not be taken out again: {error}");
            }
            Err(failed)
        }
    }
}

/// What would have left by itself.
struct Held {
    paused: u64,
    scheduled: u64,
    dropped: u64,
}

impl Held {
    fn tell(&self) {
        tell!(
            "Restored. Held back: {} issues that were going out are paused, {} scheduled ones wait for a person, {} single mails are \
             dropped. deploy/backup.md says what to look at before they go on.",
            self.paused,
            self.scheduled,
            self.dropped
        );
    }
}

/// Brings the schema up to date, and holds back what would leave by itself. Fails under another secret key than the one the database was
/// made with.
async fn hold_back(config: &Config, url: &Secret) -> Result<Held, Failed> {
    let db = Db::open(url, 2).await.map_err(other)?;
    migrate_restored(&db).await.map_err(other)?;
    check_key(config, &db).await?;
    let now = Clock::System.now();
    let txn = db.write_txn("restore").await?;
    let paused = mailer::mailing::pause_all(&txn, WHY).await?;
    let dropped = mailer::outbox::drop_all(&txn, WHY, now).await?;
    let held = digests::hold_all(&txn, WHY, now).await?;
    end_restore(&db, &txn).await?;
    txn.commit().await?;
    if db.backend() == Backend::Sqlite {
        db.settle().await?;
    }
    db.close().await?;
    Ok(Held {
        paused,
        scheduled: held,
        dropped,
    })
}

/// Puts the new database in the place of the old one, which is kept beside it with its log: under the name that is returned. Whatever ends
/// this program meanwhile, nothing can be served that is not whole: see [`restored_file`].
fn swap(fresh: &Path, file: &Path) -> Result<Option<PathBuf>, Failed> {
    let at = jiff::Timestamp::from_millisecond(Clock::System.now().0).map_or_else(
        |_| String::new(),
        |at| at.strftime("%Y%m%dT%H%M%SZ").to_string(),
    );
    let aside = beside(file, &format!(".before-restore-{at}"));
    let ready = restored_file(file);
    let unfinished = ready.exists();
    put(fresh, &ready)?;
    match set_aside(file, &aside) {
        Ok(moved) => {
            put(&ready, file)?;
            Ok(moved.then_some(aside))
        }
        Err(failed) => {
            // Everything is where it was. After an earlier restore that was not finished, that is not enough to be served.
            if !unfinished {
                std::fs::remove_file(&ready)?;
            }
            Err(failed)
        }
    }
}

/// Gives a database and its logs another name. Its logs also where it is gone itself: SQLite would read them into whatever comes into its
/// place. False: there was nothing. If it fails, all of them have their old names.
fn set_aside(file: &Path, aside: &Path) -> Result<bool, Failed> {
    let mut moved = Vec::new();
    for ending in ["-wal", "-shm", "-journal", ""] {
        let (from, to) = (beside(file, ending), beside(aside, ending));
        match std::fs::rename(&from, &to) {
            Ok(()) => moved.push((from, to)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                for (from, to) in moved.iter().rev() {
                    std::fs::rename(to, from)?;
                }
                return Err(error.into());
            }
        }
    }
    sync_dir(file)?;
    Ok(!moved.is_empty())
}

/// Renames, durably.
fn put(from: &Path, to: &Path) -> Result<(), Failed> {
    File::open(from)?.sync_all()?;
    std::fs::rename(from, to)?;
    sync_dir(to)
}

/// Makes the names in a file's directory durable.
fn sync_dir(file: &Path) -> Result<(), Failed> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

fn create(file: &Path) -> Result<File, Failed> {
    let created = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file);
    created.map_err(|error| used(file, &error.to_string()))
}

fn clear(file: &Path) -> std::io::Result<()> {
    for name in ["", "-wal", "-shm"] {
        match std::fs::remove_file(beside(file, name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn no_backup(file: &Path, error: &dyn std::fmt::Display) -> Failed {
    used(file, &format!("is no backup of Canvass: {error}"))
}

fn used(file: &Path, what: &str) -> Failed {
    Failed::Used(format!("{}: {what}", file.display()))
}

fn other(error: impl std::fmt::Display) -> Failed {
    Failed::Other(error.to_string())
}
