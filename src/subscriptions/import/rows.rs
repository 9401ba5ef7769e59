//! From CSV records to readers: the header, and what each cell may hold.

use std::io::{self, Read};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::super::reader_name::{NameRefused, ReaderName};
use super::columns::Columns;
use super::gone::{self, Gone};
use super::records::{Broken, Piece, Records};
use crate::types::{AddressRefused, EmailAddress};

/// One row that can be imported.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// The line of the file on which it begins, counted from 1.
    pub line: u64,
    pub address: EmailAddress,
    pub name: Option<ReaderName>,
    /// A name of the IANA time zone database.
    pub time_zone: Option<String>,
    /// When the reader confirmed elsewhere.
    pub confirmed_at: Option<Timestamp>,
    /// Why the reader is not to be subscribed, if the file says so; then nothing else was read of the row.
    pub gone: Option<Gone>,
}

/// One row that cannot. It says the line and the reason, not the address: reports are mailed about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadRow {
    pub line: u64,
    pub reason: BadReason,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReason {
    #[error("a quotation mark is not closed, or text follows after it")]
    Quotes,
    #[error("longer than 65,536 bytes")]
    TooLong,
    #[error("there is no email cell: the row has too few cells")]
    NoCell,
    #[error("email: {0}")]
    Address(AddressRefused),
    #[error("name: {0}")]
    Name(NameRefused),
    #[error("{0}: not UTF-8 (save the file as “CSV UTF-8”)")]
    NotUtf8(&'static str),
    #[error("time_zone: not a name of the time zone database, like Europe/Berlin")]
    TimeZone,
    #[error("confirmed_at: not a time like 2025-03-31T09:30:00Z or 2025-03-31")]
    Time,
    #[error("confirmed_at: lies in the future")]
    Future,
    #[error("{0}: {1} does not say whether they may be written to")]
    State(&'static str, String),
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
    #[error("the column “{0}” stands twice in the first line")]
    Twice(&'static str),
    #[error(
        "the column “{0}” seems to say who may not be written to, and is none that is understood: name it status, unsubscribed_at or bounced_at \
         if that is what it says, or take it out of the file; nothing was imported"
    )]
    State(String),
    #[error(
        "the first line cannot be read as CSV: a quotation mark is not closed, or it is too long"
    )]
    Broken,
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
    /// Reads the header: column names in any order and case, separated by `,`, `;` or a tab; columns that mean nothing to us are
    /// ignored, and named in [`Rows::columns`]. `now`: confirmations after it are refused.
    ///
    /// # Errors
    /// [`HeaderRefused`] when this is no list of readers.
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
        // Spreadsheets of half of Europe write semicolons. The header has no cell that could hold one.
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

    /// The next row, good or bad; `None` at the end. Empty lines are passed over.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn read_next(&mut self) -> io::Result<Option<Result<Row, BadRow>>> {
        loop {
            let piece = self.records.read_next()?;
            let line = self.records.line();
            let read = match piece {
                Piece::End => return Ok(None),
                Piece::Broken(Broken::Quotes) => Err(BadReason::Quotes),
                Piece::Broken(Broken::TooLong) => Err(BadReason::TooLong),
                Piece::Record if self.records.fields().all(|f| f.trim_ascii().is_empty()) => {
                    continue;
                }
                Piece::Record => self.row(line),
            };
            return Ok(Some(read.map_err(|reason| BadRow { line, reason })));
        }
    }

    /// What the first line says.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Bytes of the file that have been read, for showing progress.
    pub fn offset(&self) -> u64 {
        self.records.offset()
    }

    fn row(&self, line: u64) -> Result<Row, BadReason> {
        let email = self
            .cell("email", Some(self.columns.email))?
            .ok_or(BadReason::NoCell)?;
        let address = EmailAddress::from_typed(email).map_err(BadReason::Address)?;
        if let Some(gone) = self.gone()? {
            return Ok(Row {
                line,
                address,
                name: None,
                time_zone: None,
                confirmed_at: None,
                gone: Some(gone),
            });
        }
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

    /// The weightiest of what the columns say; all of them have to be understood.
    fn gone(&self) -> Result<Option<Gone>, BadReason> {
        let mut heard = None;
        for (index, name, says) in &self.columns.states {
            let cell = self.cell(name, Some(*index))?.unwrap_or_default();
            let said = gone::read(*says, cell)
                .map_err(|gone::Unknown(shown)| BadReason::State(name, shown))?;
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

/// The canonical spelling of a time zone's name, if there is one.
fn time_zone_name(text: &str) -> Option<String> {
    // Names of the database are short; a look-up of anything else would only fill its cache.
    if text.len() > 64 || !text.is_ascii() {
        return None;
    }
    TimeZone::get(text).ok()?.iana_name().map(str::to_owned)
}

/// RFC 3339, or a date or date and time without a zone, which is taken as UTC.
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
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().expect("a time")
    }

    fn read(input: impl AsRef<[u8]>) -> (Vec<Row>, Vec<String>) {
        let mut rows = Rows::open(input.as_ref(), now()).expect("a list of readers");
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        while let Some(row) = rows.read_next().expect("bytes can be read") {
            match row {
                Ok(row) => good.push(row),
                Err(row) => bad.push(row.to_string()),
            }
        }
        (good, bad)
    }

    fn addresses(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| row.address.as_str()).collect()
    }

    #[test]
    fn columns_come_in_any_order_with_a_byte_order_mark_and_crlf() {
        let (good, bad) = read(
            "\u{feff}Name,ignored, E\u{2d}Mail,confirmed_at,EMAIL,time_zone\r\n\
             \"Ørsted, Anna\",x,y,2024-02-29T23:59:59+01:00,anna@example.org,europe/berlin\r\n",
        );
        assert_eq!(bad, Vec::<String>::new());
        assert_eq!(good.len(), 1);
        assert_eq!(good[0].line, 2);
        assert_eq!(good[0].address.as_str(), "anna@example.org");
        assert_eq!(
            good[0].name.as_ref().map(ReaderName::as_str),
            Some("Ørsted, Anna")
        );
        assert_eq!(good[0].time_zone.as_deref(), Some("Europe/Berlin"));
        assert_eq!(
            good[0].confirmed_at,
            Some("2024-02-29T22:59:59Z".parse().expect("a time"))
        );
    }

    #[test]
    fn semicolons_and_tabs_separate_too() {
        assert_eq!(
            addresses(&read("email;name\na@example.org;x,y\n").0),
            ["a@example.org"]
        );
        assert_eq!(
            addresses(&read("name\temail\nx\ta@example.org\n").0),
            ["a@example.org"]
        );
        assert_eq!(
            addresses(&read("email\na@example.org\n").0),
            ["a@example.org"]
        );
    }

    #[test]
    fn every_bad_row_says_its_line_and_reason_and_no_good_one_is_lost() {
        let mut file = b"email,name,time_zone,confirmed_at\n".to_vec();
        file.extend(b"a@example.org,Anna\n"); // 2
        file.extend(b"nobody,Bo\n"); // 3
        file.extend(b"\n"); // 4: passed over
        file.extend(b"\"c@example.org,unclosed\n"); // 5
        file.extend(b"d@example.org,\"two\nlines\"\n"); // 6 and 7
        file.extend(b"e@example.org,\xe9\n"); // 8
        file.extend(b"f@example.org,,Mars/Base\n"); // 9
        file.extend(b"g@example.org,,,yesterday\n"); // 10
        file.extend(b"h@example.org,,,2030-01-01\n"); // 11
        file.extend(b",Ida\n"); // 12
        file.extend(b"j@example.org,x,UTC,2020-01-01 10:00:00,more,cells\n"); // 13
        file.extend("ké@example.org,x\n".as_bytes()); // 14
        file.extend(b"l@example.org"); // 15
        let (good, bad) = read(&file);
        assert_eq!(
            addresses(&good),
            [
                "a@example.org",
                "d@example.org",
                "j@example.org",
                "l@example.org"
            ]
        );
        assert_eq!(
            good.iter().map(|r| r.line).collect::<Vec<_>>(),
            [2, 6, 13, 15]
        );
        assert_eq!(
            good[1].name.as_ref().map(ReaderName::as_str),
            Some("two lines")
        );
        assert_eq!(
            bad,
            [
                "line 3: email: An email address needs an @, like name@example.org.",
                "line 5: a quotation mark is not closed, or text follows after it",
                "line 8: name: not UTF-8 (save the file as “CSV UTF-8”)",
                "line 9: time_zone: not a name of the time zone database, like Europe/Berlin",
                "line 10: confirmed_at: not a time like 2025-03-31T09:30:00Z or 2025-03-31",
                "line 11: confirmed_at: lies in the future",
                "line 12: email: Enter your email address.",
                "line 14: email: The part before the @ has letters beyond a–z, which our mail service cannot send to yet. Please give another address.",
            ]
        );
    }

    #[test]
    fn columns_about_consent_are_read_and_others_named() {
        let file = "email,status,Note,deleted_at\na@example.org,active,x,\nb@example.org,pending,x,2023-01-01\nc@example.org,odd,x,\n";
        let (good, bad) = read(file);
        let gone: Vec<_> = good.iter().map(|row| row.gone).collect();
        assert_eq!(gone, [None, Some(Gone::Left)], "the weightiest");
        assert_eq!(
            bad,
            ["line 4: status: “odd” does not say whether they may be written to"]
        );
        let rows = Rows::open(file.as_bytes(), now()).expect("a list");
        assert_eq!(rows.columns().ignored, ["Note"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_in_a_foreign_column_do_no_harm() {
        let (good, bad) = read(b"email,city\na@example.org,M\xfcnchen\n");
        assert_eq!((good.len(), bad.len()), (1, 0));
    }

    #[test]
    fn a_file_that_is_no_list_of_readers_says_what_was_found() {
        let refused = |input: &[u8]| match Rows::open(input, now()) {
            Ok(_) => panic!("accepted"),
            Err(refused) => refused.to_string(),
        };
        assert!(refused(b"").contains("empty"));
        assert!(refused(b"\xef\xbb\xbf").contains("empty"));
        assert!(refused(b"\xff\xfee\0m\0").contains("UTF-16"));
        assert!(refused(b"mail,name\n").ends_with("it has: mail, name"));
        assert!(refused(b"email,Email\n").contains("twice"));
        assert!(refused(b"email,UNSUB_REASON\n").contains("“UNSUB_REASON”"));
        assert!(refused(b"\"email\nx").contains("quotation mark"));
    }
}
