//! From CSV records to readers: the header, and what each cell may hold.

use std::io::{self, Read, Seek};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::super::reader_name::{NameRefused, ReaderName};
use super::columns::Columns;
use super::gone::{self, Gone, Unknown};
use super::records::{Broken, Piece, Records};
use crate::types::{AddressRefused, EmailAddress};

/// One row that can be imported.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// The line of the file on which it begins, counted from 1.
    pub line: u64,
    pub address: EmailAddress,
    pub name: Option<ReaderName>,
    /// A name from the IANA time zone database.
    pub time_zone: Option<String>,
    /// When the reader confirmed elsewhere.
    pub confirmed_at: Option<Timestamp>,
    /// Why the reader is not to be subscribed, if the file says so; then the rest of the row is not read.
    pub gone: Option<Gone>,
}

/// One row that cannot be imported. It names the line and the reason but not the address, because reports get mailed
/// around.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadRow {
    pub line: u64,
    pub reason: BadReason,
    /// The address, if the row is bad because its consent is not understood: no other row for it can make up for that.
    pub unclear: Option<EmailAddress>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReason {
    #[error("a quotation mark is not closed, or is followed by text")]
    Quotes,
    #[error("longer than 65,536 bytes")]
    TooLong,
    #[error("the row has too few cells: the email is missing")]
    NoCell,
    #[error("email: {0}")]
    Address(AddressRefused),
    #[error("name: {0}")]
    Name(NameRefused),
    #[error("{0}: not UTF-8 (save the file as “CSV UTF-8”)")]
    NotUtf8(&'static str),
    #[error("time_zone: not a name from the time zone database, such as Europe/Berlin")]
    TimeZone,
    #[error("confirmed_at: not a time such as 2025-03-31T09:30:00Z or 2025-03-31")]
    Time,
    #[error("confirmed_at: is in the future")]
    Future,
    #[error(
        "{0}: {1} does not show whether the reader may be mailed; rename the column if it means something else"
    )]
    State(&'static str, Unknown),
}

/// Why a file is not a list of readers at all.
#[derive(Debug, thiserror::Error)]
pub enum HeaderRefused {
    #[error("the file is empty; the first line must name the columns, one of them “email”")]
    Empty,
    #[error("the file is in UTF-16; save it as “CSV UTF-8” and try again")]
    Utf16,
    #[error("the first line must name the columns and have exactly one “email”; it has: {0}")]
    NoEmail(String),
    #[error("the first line has the column “{0}” twice")]
    Twice(&'static str),
    #[error(
        "the column “{0}” seems to show who may not be mailed, but is not a known one: rename it to status, unsubscribed_at or bounced_at \
         if that is its meaning, or remove it from the file; nothing was imported"
    )]
    State(String),
    #[error(
        "the first line is not valid CSV: a quotation mark is not closed, or the line is too long"
    )]
    Broken,
    #[error("the file was changed while it was being read; run the import again")]
    Changed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the rows of a file one by one.
pub struct Rows<R> {
    records: Records<R>,
    columns: Columns,
    now: Timestamp,
}

impl<R: Read> Rows<R> {
    /// Reads the header: column names in any order and case, separated by `,`, `;` or a tab. Unknown columns are
    /// ignored, and named in [`Rows::columns`]. `now`: later confirmations are refused.
    ///
    /// # Errors
    /// [`HeaderRefused`] if this is not a list of readers.
    pub fn open(input: R, now: Timestamp) -> Result<Self, HeaderRefused> {
        let mut records = Records::new(input);
        let head = records.peek()?;
        if head.is_empty() {
            return Err(HeaderRefused::Empty);
        }
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(HeaderRefused::Utf16);
        }
        if head.starts_with("\u{feff}".as_bytes()) {
            records.skip(3);
        }
        let first_line = records
            .peek()?
            .split(|b| matches!(b, b'\n' | b'\r'))
            .next()
            .unwrap_or_default();
        // Spreadsheets in many European locales write semicolons. No cell of the header can contain one.
        let delimiter = [b',', b';', b'\t']
            .into_iter()
            .max_by_key(|d| (first_line.iter().filter(|b| *b == d).count(), *d == b','));
        records.set_delimiter(delimiter.unwrap_or(b','));
        match records.read_next()? {
            Piece::Record => {}
            Piece::Broken(_) => return Err(HeaderRefused::Broken),
            Piece::End => return Err(HeaderRefused::Empty),
        }
        let columns = Columns::find(records.fields())?;
        Ok(Self {
            records,
            columns,
            now,
        })
    }

    /// The next row, good or bad; `None` at the end. Empty lines are skipped.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn read_next(&mut self) -> io::Result<Option<Result<Row, BadRow>>> {
        loop {
            let piece = self.records.read_next()?;
            let line = self.records.line();
            let broken = match piece {
                Piece::End => return Ok(None),
                Piece::Broken(Broken::Quotes) => BadReason::Quotes,
                Piece::Broken(Broken::TooLong) => BadReason::TooLong,
                Piece::Record if self.records.fields().all(|f| f.trim_ascii().is_empty()) => {
                    continue;
                }
                Piece::Record => return Ok(Some(self.row(line))),
            };
            return Ok(Some(Err(BadRow::new(line, broken))));
        }
    }

    /// The columns named by the first line.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Bytes of the file that have been read, for showing progress.
    pub fn offset(&self) -> u64 {
        self.records.offset()
    }

    fn row(&self, line: u64) -> Result<Row, BadRow> {
        let bad = |reason| BadRow::new(line, reason);
        let address = self.address().map_err(bad)?;
        match self.gone() {
            Err(reason) => Err(BadRow {
                unclear: Some(address),
                ..bad(reason)
            }),
            Ok(None) => self.welcome(line, address).map_err(bad),
            Ok(gone) => Ok(Row {
                line,
                address,
                name: None,
                time_zone: None,
                confirmed_at: None,
                gone,
            }),
        }
    }

    fn address(&self) -> Result<EmailAddress, BadReason> {
        let email = self
            .cell("email", Some(self.columns.email))?
            .ok_or(BadReason::NoCell)?;
        EmailAddress::from_typed(email).map_err(BadReason::Address)
    }

    /// The row of a reader who may be subscribed.
    fn welcome(&self, line: u64, address: EmailAddress) -> Result<Row, BadReason> {
        let name = match self.cell("name", self.columns.name)? {
            Some(text) => ReaderName::parse(text).map_err(BadReason::Name)?,
            None => None,
        };
        let time_zone = match self
            .cell("time_zone", self.columns.time_zone)?
            .map(str::trim)
        {
            None | Some("") => None,
            Some(text) => Some(time_zone_name(text).ok_or(BadReason::TimeZone)?),
        };
        let confirmed_at = match self
            .cell("confirmed_at", self.columns.confirmed_at)?
            .map(str::trim)
        {
            None | Some("") => None,
            Some(text) => Some(instant(text).ok_or(BadReason::Time)?),
        };
        if confirmed_at.is_some_and(|at| at > self.now) {
            return Err(BadReason::Future);
        }
        Ok(Row {
            line,
            address,
            name,
            time_zone,
            confirmed_at,
            gone: None,
        })
    }

    /// The most serious reason among the columns; all of them have to be understood.
    fn gone(&self) -> Result<Option<Gone>, BadReason> {
        let mut heard = None;
        for (index, name, says) in &self.columns.states {
            let cell = self.cell(name, Some(*index))?.unwrap_or_default();
            let said = gone::read(*says, cell).map_err(|cell| BadReason::State(name, cell))?;
            heard = heard.max(said);
        }
        Ok(heard)
    }

    fn cell(&self, name: &'static str, column: Option<usize>) -> Result<Option<&str>, BadReason> {
        match column.and_then(|column| self.records.field(column)) {
            None => Ok(None),
            Some(bytes) => std::str::from_utf8(bytes)
                .map(Some)
                .map_err(|_| BadReason::NotUtf8(name)),
        }
    }
}

impl<R: Read + Seek> Rows<R> {
    /// Starts again at the first row of the same open file, even if another file has replaced it in the directory.
    ///
    /// # Errors
    /// [`HeaderRefused`] if it cannot be read again, or its first line has changed.
    pub fn again(self) -> Result<Self, HeaderRefused> {
        let mut input = self.records.into_input();
        input.rewind()?;
        let again = Self::open(input, self.now)?;
        if again.columns != self.columns {
            return Err(HeaderRefused::Changed);
        }
        Ok(again)
    }
}

impl BadRow {
    fn new(line: u64, reason: BadReason) -> Self {
        Self {
            line,
            reason,
            unclear: None,
        }
    }
}

/// The canonical spelling of a time zone's name, if there is one.
fn time_zone_name(text: &str) -> Option<String> {
    // Names in the database are short; looking up anything else would only fill its cache.
    if text.len() > 64 || !text.is_ascii() {
        return None;
    }
    TimeZone::get(text).ok()?.iana_name().map(str::to_owned)
}

/// Parses RFC 3339, or a date or a date and time without a zone, which is taken as UTC.
fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let at = text
        .parse::<DateTime>()
        .or_else(|_| text.parse::<Date>().map(|d| d.at(0, 0, 0, 0)))
        .ok()?;
    at.to_zoned(TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests;
