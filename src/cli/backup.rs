//! `canvass backup` and `canvass restore`: a single file with everything except the secret key.
//!
//! A backup is made while the servers run. A restored database still believes that mails are due which were sent
//! after the backup. So everything that would be sent is held back for a person to decide on, before a server can
//! start.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::out::tell;
use super::part::{Part, beside, put, sync_dir};
use super::postgres_tools::Tool;
use super::{Failed, missing_key};
use crate::app::StartError;
use crate::config::{Config, sqlite_url};
use crate::db::lock::FileLock;
use crate::db::migrate::{MigrateError, is_new, migrate_restored};
use crate::db::{Backend, Db, Role, end_restore, note_place, restored_file, with_pepper};
use crate::types::{Clock, Keys, Random, Secret};
use crate::{digests, mailer};

/// The reason that editors read beside a mail that was dropped.
const DROPPED: &str = "restored from a backup";
/// The same beside an issue that was paused.
const PAUSED: &str = "the database was restored from a backup, and some of those who are waiting here may have got it since";
/// The same beside an issue that was held: a sentence.
const HELD: &str = "The database was restored from a backup, and it may have gone out since.";

pub async fn backup(config: Config, to: &Path) -> Result<(), Failed> {
    refuse_existing(to)?;
    let (url, file) = (config.database_url(), config.database_file());
    if let Some(file) = file {
        if restored_file(&file).exists() {
            return Err(other(MigrateError::Restoring));
        }
        if !file.exists() {
            return Err(used(
                &file,
                "does not exist, so there is nothing to back up",
            ));
        }
    }
    let part = Part::of(to)?;
    // Another backup to this name may have ended meanwhile.
    refuse_existing(to)?;
    dump(&url, part.path()).await?;
    part.put(to)?;
    let size = std::fs::metadata(to)?.len();
    tell!(
        "{} contains the whole database ({} kB). It does not contain the secret key: keep a copy of that in another place.",
        to.display(),
        size.div_ceil(1_000)
    );
    Ok(())
}

fn refuse_existing(to: &Path) -> Result<(), Failed> {
    let there = "already exists, and a backup is never overwritten";
    match to.exists() {
        true => Err(used(to, there)),
        false => Ok(()),
    }
}

/// Dumps the database as it is. The schema is not migrated, so that a backup can be made before an update.
async fn dump(url: &Secret, part: &Path) -> Result<(), Failed> {
    if url.expose().starts_with("sqlite:") {
        let db = Db::open(url, 2).await.map_err(other)?;
        db.copy_into(part).await?;
        return db.close().await.map_err(Failed::from);
    }
    let how = ["--format=custom", "--no-owner", "--no-privileges", "--file"];
    Tool::find("pg_dump")?.run(url, &how, part)
}

/// Restores the backup `from`, or if that is `None`, a database that was put back by other means.
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
        let there = "already exists; with --replace it is set aside, not deleted";
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
        // Only now, because a person who reads that it is done will start the server.
        Ok((held, aside)) => {
            held.tell();
            if let Some(aside) = aside {
                tell!("The previous database is kept as {}.", aside.display());
            }
            Ok(())
        }
        Err(failed) => {
            let _ = clear(&fresh);
            Err(failed)
        }
    }
}

/// Prepares a copy of a backup for use: checks that it is intact, a Canvass database, and made with our key;
/// migrates it to this version; and holds back everything that is due.
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

/// A PostgreSQL database is filled in several steps and must not be served in between. It is marked until nothing
/// in it is due, and emptied again on failure. If this program is interrupted, the mark stays, and the next restore
/// starts over.
async fn restore_postgres(config: &Config, from: Option<&Path>) -> Result<(), Failed> {
    let url = config.database_url();
    let db = Db::open(&url, 1).await.map_err(other)?;
    let others = db.others_connected().await?;
    if others > 0 {
        return Err(Failed::Used(format!(
            "there are {others} open connections to this database: stop every server first"
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
        let empty = "the database already has tables: restore into a new one (createdb)";
        return Err(Failed::Used(empty.to_owned()));
    }
    let how = [
        "--exit-on-error",
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
    ];
    let done = match tool.run(&url, &how, from) {
        Ok(()) if is_new(&db).await? => Err(no_backup(from, &"it has none of Canvass’s tables")),
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
                tell!("canvass: the restored data could not be removed again: {error}");
            }
            Err(failed)
        }
    }
}

/// What would otherwise have been sent without anybody's action.
struct Held {
    paused: usize,
    scheduled: u64,
    dropped: u64,
}

impl Held {
    fn tell(&self) {
        tell!(
            "Restored. Held back: {} issues that were being sent are paused, {} scheduled ones wait for somebody to decide, {} single mails \
             are dropped. deploy/backup.md says what to check before you continue.",
            self.paused,
            self.scheduled,
            self.dropped
        );
    }
}

/// Migrates the schema, and holds back everything that would be sent automatically. Fails if the database was made
/// with another secret key.
async fn hold_back(config: &Config, url: &Secret) -> Result<Held, Failed> {
    let db = Db::open(url, 2).await.map_err(other)?;
    migrate_restored(&db).await.map_err(other)?;
    let keys = Keys::new(&config.secret_key).map_err(StartError::SecretKey)?;
    with_pepper(keys, &db, &Random::System, Role::Tool)
        .await
        .map_err(StartError::from)?;
    let now = Clock::System.now();
    let place = db.place().await?;
    let txn = db.write_txn("restore").await?;
    let paused = mailer::mailing::pause_all(&txn, PAUSED, now).await?;
    let dropped = mailer::outbox::drop_all(&txn, DROPPED, now).await?;
    let held = digests::hold_all(&txn, HELD, now).await?;
    if let Some(place) = place {
        // Otherwise the first server would hold everything once more.
        note_place(&txn, &place).await?;
    }
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

/// Replaces the old database with the new one. The old one is kept beside it with its log, under the name that is
/// returned. If this program is interrupted, no half-replaced database can be served: see [`restored_file`].
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
            // Everything is where it was before. After an earlier unfinished restore that is still not fit to be
            // served.
            if !unfinished {
                std::fs::remove_file(&ready)?;
            }
            Err(failed)
        }
    }
}

/// Renames a database and its logs. The logs are renamed even if the database itself is missing, because SQLite
/// would apply them to whatever takes its place. Returns false if there was nothing. On failure everything gets its
/// old name back.
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

fn no_backup(file: &Path, error: &dyn std::fmt::Display) -> Failed {
    used(file, &format!("is not a Canvass backup: {error}"))
}

fn used(file: &Path, what: &str) -> Failed {
    Failed::Used(format!("{}: {what}", file.display()))
}

fn other(error: impl std::fmt::Display) -> Failed {
    Failed::Other(error.to_string())
}
