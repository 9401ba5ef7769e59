//! The run of an import: one thread reads the file, the runtime writes batches, with a bounded queue between them.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::gone::Gone;
use super::progress::Progress;
use super::report::Report;
use super::rows::{BadRow, HeaderRefused, Row, Rows};
use super::store::{self, Fate, Ready, Target};
use crate::db::{Db, DbErr};
use crate::newsletters;
use crate::subscriptions::reader_name::ReaderName;
use crate::subscriptions::store::consent_texts;
use crate::types::{Clock, Keys, UnixMillis};

/// Rows per transaction: large enough to amortise the commit, small enough that other writers hardly wait.
const BATCH: usize = 1000;
/// Batches that may wait for the database.
const AHEAD: usize = 2;
/// How many bad rows are shown one by one if they are also written to a report.
const SHOWN: u64 = 20;

/// What to import, and where.
#[derive(Debug, Clone)]
pub struct Order {
    pub file: PathBuf,
    /// The slug of the newsletter.
    pub newsletter: String,
    /// The consent text that these readers agreed to, or a description of how and where they did.
    pub consent: String,
    /// The file for the report of the rows that did not become a subscription, as CSV.
    pub report: Option<PathBuf>,
}

/// The result of an import. The counts add up to the rows of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub subscribed: u64,
    pub already_there: u64,
    pub left_before: u64,
    pub suppressed: u64,
    /// According to the file they left or never confirmed, or the file is not understood.
    pub gone: u64,
    /// According to the file they bounced, complained or were blocked: their addresses are suppressed now.
    pub gone_for_good: u64,
    /// According to the file they are gone, but they are subscribed here.
    pub stay_here: u64,
    pub bad: u64,
    /// Titles of ignored columns.
    pub ignored: Vec<String>,
}

/// Why an import could not run, or stopped. Committed batches stay; running it again is safe and continues.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    #[error("{0} cannot be read: {1}")]
    Read(String, io::Error),
    #[error("{0}: {1}")]
    Header(String, HeaderRefused),
    #[error("{0} shows who has left, so it has to be read twice: give a file, not a pipe")]
    Pipe(String),
    #[error("there is no newsletter “{0}”; create it first")]
    NoNewsletter(String),
    #[error(
        "--consent is empty: give the text that these readers agreed to, or how and where they agreed"
    )]
    NoConsent,
    #[error("{0} cannot be written: {1}")]
    Report(String, io::Error),
    #[error(
        "the database refused a batch: {0}; nothing that was reported as done is lost; run the import again to continue"
    )]
    Database(#[from] DbErr),
}

impl Summary {
    /// The number of rows that were processed.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let kept_out = self.left_before + self.suppressed + self.gone + self.gone_for_good;
        self.subscribed + self.already_there + self.stay_here + kept_out + self.bad
    }

    fn count(&mut self, fate: Fate) {
        *match fate {
            Fate::Subscribed => &mut self.subscribed,
            Fate::AlreadyThere => &mut self.already_there,
            Fate::LeftBefore => &mut self.left_before,
            Fate::Suppressed => &mut self.suppressed,
            Fate::Gone(gone) if gone.suppression().is_some() => &mut self.gone_for_good,
            Fate::Gone(_) => &mut self.gone,
            Fate::StaysHere => &mut self.stay_here,
        } += 1;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>11} rows", self.rows())?;
        writeln!(f, "{:>11} subscribed", self.subscribed)?;
        writeln!(
            f,
            "{:>11} were already subscribed, or are in the file twice",
            self.already_there
        )?;
        writeln!(
            f,
            "{:>11} not subscribed: they had left, bounced or complained",
            self.left_before
        )?;
        writeln!(
            f,
            "{:>11} not subscribed: their address is suppressed",
            self.suppressed
        )?;
        for (n, words) in [
            (
                self.gone,
                "not subscribed: the file says that they left or never confirmed, or is unclear",
            ),
            (
                self.gone_for_good,
                "not subscribed, and suppressed: the file says that they bounced, complained or were blocked",
            ),
            (
                self.stay_here,
                "remain subscribed here, although the file says that they left",
            ),
        ] {
            if n > 0 {
                writeln!(f, "{n:>11} {words}")?;
            }
        }
        write!(f, "{:>11} bad", self.bad)?;
        if !self.ignored.is_empty() {
            write!(f, "\nIgnored columns: {}", self.ignored.join(", "))?;
        }
        Ok(())
    }
}

enum Message {
    /// Rows to write, and the offset in the file after them.
    Batch(Vec<Ready>, u64),
    Bad(BadRow),
    Failed(io::Error),
}

/// Imports `order.file`, and writes progress and bad rows to `terminal` (standard error).
///
/// # Errors
/// [`Stopped`]; the batches before that are committed.
pub async fn run(
    db: &Db,
    keys: &Keys,
    clock: &Clock,
    order: &Order,
    terminal: &mut dyn Write,
) -> Result<Summary, Stopped> {
    if order.consent.trim().is_empty() {
        return Err(Stopped::NoConsent);
    }
    let name = order.file.display().to_string();
    let now = clock.now();
    let opened = Opened::of(order, now)?;
    let target = target(db, order, now).await?;
    let mut report = Report::open(order.report.as_deref())?;
    report.ignored(&opened.ignored)?;
    let (to_writer, mut from_reader) = mpsc::channel(AHEAD);
    let hashes = keys.clone();
    let (rows, says_who_left) = (opened.rows, opened.says_who_left);
    let reader = tokio::task::spawn_blocking(move || {
        let read = if says_who_left {
            gone_in(rows, &hashes)
        } else {
            Ok((Whole::new(), rows))
        };
        match read {
            Ok((gone, rows)) => read_file(rows, &hashes, now, &gone, &to_writer),
            Err(error) => drop(to_writer.blocking_send(Message::Failed(error))),
        }
    });

    let mut summary = Summary {
        ignored: opened.ignored,
        ..Summary::default()
    };
    let mut progress = Progress::new(opened.size, clock.clone());
    while let Some(message) = from_reader.recv().await {
        match message {
            Message::Bad(row) => {
                summary.bad += 1;
                report.bad(&row)?;
                if order.report.is_none() || summary.bad <= SHOWN {
                    progress.line(terminal, &row.to_string());
                } else if summary.bad == SHOWN + 1 {
                    progress.line(terminal, "further bad rows are only in the report");
                }
            }
            Message::Failed(error) => return Err(Stopped::Read(name, error)),
            Message::Batch(batch, offset) => {
                let txn = db.write_txn("import readers").await?;
                let fates = store::write(db.backend(), &txn, &target, &batch, clock.now()).await?;
                txn.commit().await?;
                for (row, fate) in batch.iter().zip(fates) {
                    settle(row, fate, &mut summary, &mut report)?;
                }
                progress.advance(terminal, offset, summary.rows());
            }
        }
    }
    progress.finish();
    // The reading thread has closed the channel, so it is done; join it to notice a panic, which would have cut the
    // file short.
    reader
        .await
        .map_err(|_| Stopped::Read(name, io::Error::other("a bug in this program")))?;
    report.close()?;
    Ok(summary)
}

/// The file, with its header read.
struct Opened {
    rows: Rows<File>,
    /// In bytes.
    size: u64,
    /// Whether a column says who left, so that the file has to be read twice.
    says_who_left: bool,
    /// The columns that are not understood.
    ignored: Vec<String>,
}

impl Opened {
    fn of(order: &Order, now: UnixMillis) -> Result<Self, Stopped> {
        let name = || order.file.display().to_string();
        let file = File::open(&order.file).map_err(|e| Stopped::Read(name(), e))?;
        let found = file.metadata().map_err(|e| Stopped::Read(name(), e))?;
        let rows = Rows::open(file, now.timestamp()).map_err(|e| Stopped::Header(name(), e))?;
        let columns = rows.columns();
        let (ignored, says_who_left) = (columns.ignored.clone(), !columns.states.is_empty());
        if says_who_left && !found.is_file() {
            return Err(Stopped::Pipe(name()));
        }
        Ok(Self {
            rows,
            size: found.len(),
            says_who_left,
            ignored,
        })
    }
}

/// Counts and reports what became of a reader, once for each row of the file that names them.
fn settle(
    row: &Ready,
    fate: Fate,
    summary: &mut Summary,
    report: &mut Report,
) -> Result<(), Stopped> {
    let again = row.again.iter().map(|&line| (line, fate.again()));
    for (line, fate) in std::iter::once((row.line, fate)).chain(again) {
        summary.count(fate);
        report.fate(line, fate)?;
    }
    Ok(())
}

async fn target(db: &Db, order: &Order, now: UnixMillis) -> Result<Target, Stopped> {
    let newsletter = newsletters::by_slug(db.read(), &order.newsletter)
        .await?
        .ok_or_else(|| Stopped::NoNewsletter(order.newsletter.clone()))?;
    let txn = db.write_txn("import consent").await?;
    let consent_text = consent_texts::keep(&txn, newsletter.id, order.consent.trim(), now)
        .await?
        .id;
    txn.commit().await?;
    let file = order
        .file
        .file_name()
        .map_or_else(String::new, |f| f.to_string_lossy().into_owned());
    Ok(Target {
        newsletter: newsletter.id,
        consent_text,
        page: format!("import of {file}"),
    })
}

/// The readers who are gone according to any row of the file, by the keyed hash of the address. It does not matter what
/// other rows say, or where in the file they are.
type Whole = HashMap<Vec<u8>, Gone>;

/// Makes a first pass over the file to collect them, and returns the rows, rewound. Memory grows with the number of
/// readers who are gone, not with the file.
fn gone_in(mut rows: Rows<File>, keys: &Keys) -> io::Result<(Whole, Rows<File>)> {
    let mut whole = Whole::new();
    while let Some(row) = rows.read_next()? {
        let said = match row {
            Ok(row) => row.gone.map(|gone| (row.address, gone)),
            Err(bad) => bad.unclear.map(|address| (address, Gone::Unclear)),
        };
        if let Some((address, gone)) = said {
            let hash = keys.address_hash(address.key()).to_vec();
            let known = whole.entry(hash).or_insert(gone);
            *known = gone.max(*known);
        }
    }
    let rows = rows.again().map_err(io::Error::other)?;
    Ok((whole, rows))
}

/// Reads to the end of the file, or until the receiver is gone.
fn read_file(
    mut rows: Rows<File>,
    keys: &Keys,
    now: UnixMillis,
    gone: &Whole,
    to: &mpsc::Sender<Message>,
) {
    let mut batch = Batch::default();
    loop {
        let message = match rows.read_next() {
            Ok(Some(Ok(row))) => {
                batch.add(row, keys, now, gone);
                if batch.rows.len() < BATCH {
                    continue;
                }
                Message::Batch(batch.take(), rows.offset())
            }
            Ok(Some(Err(bad))) => Message::Bad(bad),
            Ok(None) => {
                let _ = to.blocking_send(Message::Batch(batch.take(), rows.offset()));
                return;
            }
            Err(error) => {
                let _ = to.blocking_send(Message::Failed(error));
                return;
            }
        };
        if to.blocking_send(message).is_err() {
            return;
        }
    }
}

/// Rows of distinct readers: one statement must not contain the same reader twice.
#[derive(Default)]
struct Batch {
    rows: Vec<Ready>,
    places: HashMap<String, usize>,
}

impl Batch {
    fn add(&mut self, row: Row, keys: &Keys, now: UnixMillis, gone: &Whole) {
        let key = row.address.key().to_owned();
        if let Some(&place) = self.places.get(&key) {
            self.rows[place].again.push(row.line);
            return;
        }
        self.places.insert(key.clone(), self.rows.len());
        let hash = keys.address_hash(row.address.key()).to_vec();
        self.rows.push(Ready {
            line: row.line,
            again: Vec::new(),
            gone: gone.get(&hash).copied(),
            hash,
            email: row.address.as_str().to_owned(),
            key,
            name: row.name.map_or_else(String::new, ReaderName::into_string),
            time_zone: row.time_zone,
            confirmed: row.confirmed_at.map_or(now, UnixMillis::from),
        });
    }

    /// Takes the rows in the order of their keys: neighbours in the index are written together, and two imports at once
    /// cannot deadlock.
    fn take(&mut self) -> Vec<Ready> {
        self.places.clear();
        let mut rows = std::mem::replace(&mut self.rows, Vec::with_capacity(BATCH));
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        rows
    }
}
