//! From files to polls: detects the type of each file, the tables in it, and whether it is complete.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::carried::Found;
use super::dump::Dump;
use super::run::{Order, Stopped};
use super::sheets::Sheet;
use super::tables::{Fields, Orphans, Rows, System, Table};
use super::tokens::Unreadable;
use super::wp_polls::WpPolls;
use super::yop::Yop;

/// The content of the files.
pub struct Content {
    pub polls: Vec<Found>,
    pub orphans: Orphans,
    /// Files of mysqldump that lack its footer.
    pub without_end: Vec<String>,
}

enum Tables {
    WpPolls(Box<WpPolls>),
    Yop(Box<Yop>),
}

impl Tables {
    fn of(from: System) -> Self {
        match from {
            System::WpPolls => Self::WpPolls(Box::default()),
            System::Yop => Self::Yop(Box::default()),
        }
    }

    fn take(&mut self, prefix: &str, table: Table, row: &Fields) {
        match self {
            Self::WpPolls(tables) => tables.take(prefix, table, row),
            Self::Yop(tables) => tables.take(prefix, table, row),
        }
    }

    fn polls(self) -> (Vec<Found>, Orphans) {
        match self {
            Self::WpPolls(tables) => tables.polls(),
            Self::Yop(tables) => tables.polls(),
        }
    }
}

/// What all files together have said so far.
struct Input {
    from: System,
    tables: Tables,
    rows: Rows,
}

impl Input {
    /// Adds a row, named `name` and in line `line` for the operator. Files that overlap, such as a dump of the site and
    /// one of the table, are refused: their counts may be of different days.
    fn take(
        &mut self,
        (prefix, table): (&str, Table),
        row: &Fields,
        (name, line): (&str, u64),
    ) -> Result<(), Unreadable> {
        let id = row.number(self.from.key(table));
        if !self.rows.add(prefix, table, id) {
            return Err(Unreadable::Twice {
                table: name.to_owned(),
                id,
                line,
            });
        }
        self.tables.take(prefix, table, row);
        Ok(())
    }
}

/// The content of one file.
struct FileRead {
    /// Rows of the system's tables.
    rows: u64,
    misses_an_end: bool,
}

/// Reads all files of an import.
///
/// # Errors
/// The first file that cannot be imported, and why.
pub fn read(order: &Order) -> Result<Content, Stopped> {
    let mut input = Input {
        from: order.from,
        tables: Tables::of(order.from),
        rows: Rows::default(),
    };
    let mut without_end = Vec::new();
    for path in &order.files {
        let name = path.display().to_string();
        let read = read_file(path, &mut input).map_err(|e| Stopped::Read(name.clone(), e))?;
        if read.rows == 0 {
            return Err(match order.from {
                System::WpPolls => Stopped::Nothing(name, "WP-Polls (…pollsq, …pollsa, …pollsip)"),
                System::Yop => Stopped::Nothing(
                    name,
                    "YOP Poll (…yoppoll_polls and so on); versions before 6 used other tables, so update the plugin first to have it move its polls",
                ),
            });
        }
        if read.misses_an_end {
            without_end.push(name);
        }
    }
    let (polls, orphans) = input.tables.polls();
    Ok(Content {
        polls,
        orphans,
        without_end,
    })
}

/// What Windows programs put before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn read_file(path: &Path, all: &mut Input) -> Result<FileRead, Unreadable> {
    let mut input = BufReader::with_capacity(1 << 16, File::open(path)?);
    let head = input.fill_buf()?;
    if let Some(other) = kind(head) {
        return Err(Unreadable::Other(other));
    }
    if head.starts_with(BYTE_ORDER_MARK) {
        input.consume(BYTE_ORDER_MARK.len());
    }
    let from = all.from;
    let mut rows = 0;
    if path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("csv"))
    {
        let mut sheet = Sheet::open(input)?;
        let Some(table) = from.sheet(sheet.columns()) else {
            return Ok(FileRead {
                rows,
                misses_an_end: false,
            });
        };
        while let Some(values) = sheet.next_row()? {
            let line = sheet.line();
            check("the table", line, sheet.columns().len(), values.len())?;
            let row = Fields::of(sheet.columns(), values);
            all.take(("", table), &row, ("the table", line))?;
            rows += 1;
        }
        // A table without rows still counts as a table.
        return Ok(FileRead {
            rows: rows.max(1),
            misses_an_end: false,
        });
    }
    let mut dump = Dump::new(input);
    while let Some(mut row) = dump.next_row()? {
        let Some((prefix, table)) = from.table(&row.table) else {
            continue;
        };
        if row.columns.is_empty() {
            let known = from.columns(table).iter();
            row.columns = known.map(|name| (*name).to_owned()).collect();
        }
        if row.columns.is_empty() {
            return Err(Unreadable::NoColumns(row.table));
        }
        check(&row.table, row.line, row.columns.len(), row.values.len())?;
        let fields = Fields::of(&row.columns, row.values);
        all.take((&prefix, table), &fields, (&row.table, row.line))?;
        rows += 1;
    }
    Ok(FileRead {
        rows,
        misses_an_end: dump.misses_an_end(),
    })
}

fn check(table: &str, line: u64, wanted: usize, found: usize) -> Result<(), Unreadable> {
    if wanted == found {
        return Ok(());
    }
    Err(Unreadable::Row {
        table: table.to_owned(),
        line,
        found,
        wanted,
    })
}

/// The type of a file by its first bytes, if it is neither a dump nor a sheet.
fn kind(head: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 7] = [
        (b"\x1f\x8b", "is compressed: unpack it first (gunzip)"),
        (b"PK\x03\x04", "is compressed: unpack it first (unzip)"),
        (b"BZh", "is compressed: unpack it first (bunzip2)"),
        (b"\xfd7zXZ", "is compressed: unpack it first (unxz)"),
        (
            b"\x28\xb5\x2f\xfd",
            "is compressed: unpack it first (unzstd)",
        ),
        // The text went through the console's code page, so letters beyond ASCII may be damaged.
        (
            b"\xff\xfe",
            "is in UTF-16, as PowerShell writes with “>”, which may have changed letters: dump again with --result-file=dump.sql",
        ),
        (
            b"\xfe\xff",
            "is in UTF-16: dump again in UTF-8, with --result-file=dump.sql",
        ),
    ];
    if head.is_empty() {
        return Some("is empty");
    }
    let found = KINDS.iter().find(|(begins, _)| head.starts_with(begins));
    found.map(|(_, words)| *words)
}
