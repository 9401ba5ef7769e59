//! Splits a stream of bytes into CSV records (RFC 4180) so that a broken row costs only itself.
//!
//! With a parser that is lenient about quotation marks, one forgotten `"` produces a record that swallows the rest of
//! the file. Here, if the quoting of a record is wrong, or it is longer than [`LONGEST_RECORD`], only its first *line*
//! is skipped, and reading goes on at the next one. Memory is bounded by the longest record, whatever the file holds.

use std::io::{self, Read};
use std::ops::Range;

/// Longer than any row of a list of readers, short enough to be read ahead.
pub(super) const LONGEST_RECORD: usize = 64 * 1024;
const BUFFER: usize = 4 * LONGEST_RECORD;

/// A piece of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A record; its fields are in the [`Records`] until the next call.
    Record,
    /// A line that is neither a record nor the start of one; it is skipped.
    Broken(Broken),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    Quotes,
    TooLong,
}

pub(super) struct Records<R> {
    input: R,
    ended: bool,
    buffer: Vec<u8>,
    at: usize,
    line: u64,
    lines_in_piece: u64,
    delimiter: u8,
    text: Vec<u8>,
    fields: Vec<Range<usize>>,
    offset: u64,
}

impl<R: Read> Records<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            ended: false,
            buffer: Vec::with_capacity(BUFFER),
            at: 0,
            line: 1,
            lines_in_piece: 0,
            delimiter: b',',
            text: Vec::new(),
            fields: Vec::new(),
            offset: 0,
        }
    }

    /// The underlying input, at whatever position it is.
    pub fn into_input(self) -> R {
        self.input
    }

    /// Sets the delimiter of fields from now on (default `,`).
    pub fn set_delimiter(&mut self, delimiter: u8) {
        self.delimiter = delimiter;
    }

    /// The physical line, counted from 1, on which the last piece began.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The number of bytes of the input that have been consumed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The fields of the last record, unquoted.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.fields.iter().map(|range| &self.text[range.clone()])
    }

    pub fn field(&self, index: usize) -> Option<&[u8]> {
        self.fields
            .get(index)
            .map(|range| &self.text[range.clone()])
    }

    /// The next bytes, for inspecting the beginning of the file; at most the length of one record.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn peek(&mut self) -> io::Result<&[u8]> {
        self.fill()?;
        let ahead = &self.buffer[self.at..];
        Ok(&ahead[..ahead.len().min(LONGEST_RECORD)])
    }

    /// Skips bytes that are not part of the table (a byte order mark).
    pub fn skip(&mut self, count: usize) {
        self.advance(count);
    }

    /// Reads the next piece.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn read_next(&mut self) -> io::Result<Piece> {
        self.line += self.lines_in_piece;
        self.lines_in_piece = 0;
        self.fill()?;
        let ahead = &self.buffer[self.at..];
        if ahead.is_empty() {
            return Ok(Piece::End);
        }
        let ahead = &ahead[..ahead.len().min(LONGEST_RECORD)];
        self.text.clear();
        self.fields.clear();
        let complete = self.ended && self.buffer.len() - self.at <= LONGEST_RECORD;
        match split(
            ahead,
            complete,
            self.delimiter,
            &mut self.text,
            &mut self.fields,
        ) {
            Some(length) => {
                self.lines_in_piece = count_lines(&ahead[..length]);
                self.advance(length);
                Ok(Piece::Record)
            }
            None => self.pass_over_line(),
        }
    }

    fn pass_over_line(&mut self) -> io::Result<Piece> {
        self.lines_in_piece = 1;
        let mut passed = 0;
        loop {
            let ahead = &self.buffer[self.at..];
            if let Some(end) = ahead.iter().position(|b| matches!(b, b'\n' | b'\r')) {
                let crlf = ahead[end] == b'\r' && ahead.get(end + 1) == Some(&b'\n');
                self.advance(end + 1 + usize::from(crlf));
                passed += end;
                break;
            }
            passed += ahead.len();
            self.advance(ahead.len());
            if self.ended {
                break;
            }
            self.fill()?;
        }
        Ok(Piece::Broken(if passed >= LONGEST_RECORD {
            Broken::TooLong
        } else {
            Broken::Quotes
        }))
    }

    fn advance(&mut self, count: usize) {
        self.at += count;
        self.offset += count as u64;
    }

    /// Fills the buffer with at least a whole record, or all that is left.
    fn fill(&mut self) -> io::Result<()> {
        // Two bytes more, so that a CR LF is never split.
        if self.ended || self.buffer.len() - self.at >= LONGEST_RECORD + 2 {
            return Ok(());
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let wanted = (BUFFER - self.buffer.len()) as u64;
        let read = (&mut self.input)
            .take(wanted)
            .read_to_end(&mut self.buffer)?;
        self.ended = (read as u64) < wanted;
        Ok(())
    }
}

/// Splits off the record at the head of `ahead`. Returns its length with the line end, or `None` if its quoting is
/// wrong or its end is not in the buffer. `complete`: the file ends where `ahead` ends.
fn split(
    ahead: &[u8],
    complete: bool,
    delimiter: u8,
    text: &mut Vec<u8>,
    fields: &mut Vec<Range<usize>>,
) -> Option<usize> {
    let mut at = 0;
    loop {
        let start = text.len();
        if ahead.get(at) == Some(&b'"') {
            at = unquote(ahead, at + 1, text)?;
            fields.push(start..text.len());
        } else {
            let rest = &ahead[at..];
            let length = rest
                .iter()
                .position(|&b| b == delimiter || b == b'\n' || b == b'\r')
                .unwrap_or(rest.len());
            text.extend_from_slice(&rest[..length]);
            fields.push(start..text.len());
            at += length;
        }
        match ahead.get(at) {
            Some(&b) if b == delimiter => at += 1,
            Some(b'\n') => return Some(at + 1),
            Some(b'\r') => return Some(at + 1 + usize::from(ahead.get(at + 1) == Some(&b'\n'))),
            // Text after a closing quotation mark.
            Some(_) => return None,
            None => return complete.then_some(at),
        }
    }
}

/// Copies a quoted field; returns the position after its closing mark.
fn unquote(ahead: &[u8], mut at: usize, text: &mut Vec<u8>) -> Option<usize> {
    loop {
        let rest = &ahead[at..];
        let length = rest.iter().position(|&b| b == b'"')?;
        text.extend_from_slice(&rest[..length]);
        at += length + 1;
        if ahead.get(at) != Some(&b'"') {
            return Some(at);
        }
        text.push(b'"');
        at += 1;
    }
}

fn count_lines(record: &[u8]) -> u64 {
    let mut lines = 0;
    let mut previous = 0;
    for &b in record {
        if b == b'\r' || (b == b'\n' && previous != b'\r') {
            lines += 1;
        }
        previous = b;
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(input: &[u8]) -> Vec<(u64, Result<Vec<String>, Broken>)> {
        let mut records = Records::new(input);
        let mut out = Vec::new();
        loop {
            match records.read_next().expect("bytes can be read") {
                Piece::End => return out,
                Piece::Broken(why) => out.push((records.line(), Err(why))),
                Piece::Record => {
                    let fields = records
                        .fields()
                        .map(|f| String::from_utf8_lossy(f).into_owned())
                        .collect();
                    out.push((records.line(), Ok(fields)));
                }
            }
        }
    }

    fn row(line: u64, fields: &[&str]) -> (u64, Result<Vec<String>, Broken>) {
        (line, Ok(fields.iter().map(|&f| f.to_owned()).collect()))
    }

    #[test]
    fn every_kind_of_line_end_ends_a_record() {
        assert_eq!(
            read_all(b"a,b\nc,d\r\ne,f\rg,h"),
            [
                row(1, &["a", "b"]),
                row(2, &["c", "d"]),
                row(3, &["e", "f"]),
                row(4, &["g", "h"])
            ]
        );
    }

    #[test]
    fn quoted_fields_hold_delimiters_line_ends_and_doubled_marks() {
        assert_eq!(
            read_all(b"a,\"x,\"\"y\"\"\r\nz\",b\nc\n"),
            [row(1, &["a", "x,\"y\"\r\nz", "b"]), row(3, &["c"])]
        );
    }

    #[test]
    fn a_mark_inside_an_unquoted_field_is_a_character() {
        assert_eq!(read_all(b"O\"Brien,5\"\n"), [row(1, &["O\"Brien", "5\""])]);
    }

    #[test]
    fn a_mark_never_closed_costs_its_own_line_only() {
        assert_eq!(
            read_all(b"a\n\"b,x\nc,y\nd,\"z\"\ne"),
            [
                row(1, &["a"]),
                (2, Err(Broken::Quotes)),
                row(3, &["c", "y"]),
                row(4, &["d", "z"]),
                row(5, &["e"])
            ]
        );
    }

    #[test]
    fn an_endless_line_costs_itself_and_a_bounded_buffer() {
        let mut input = b"a\n".to_vec();
        input.extend(std::iter::repeat_n(b'x', 3 * BUFFER + 17));
        input.extend(b"\r\nb\n");
        let mut records = Records::new(input.as_slice());
        let mut seen = Vec::new();
        loop {
            let piece = records.read_next().expect("bytes can be read");
            seen.push((records.line(), piece));
            assert!(records.buffer.capacity() <= 2 * BUFFER);
            if piece == Piece::End {
                break;
            }
        }
        assert_eq!(
            seen,
            [
                (1, Piece::Record),
                (2, Piece::Broken(Broken::TooLong)),
                (3, Piece::Record),
                (4, Piece::End)
            ]
        );
        assert_eq!(records.offset(), input.len() as u64);
    }

    #[test]
    fn the_last_line_may_lack_its_end_and_the_file_may_be_empty() {
        assert_eq!(read_all(b""), []);
        assert_eq!(read_all(b"a,"), [row(1, &["a", ""])]);
        assert_eq!(read_all(b"\"open"), [(1, Err(Broken::Quotes))]);
    }

    proptest! {
        #[test]
        fn what_a_csv_writer_writes_is_read_back(table in prop::collection::vec(prop::collection::vec("[ -~é\r\n\",]{0,12}", 1..5), 1..40)) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for fields in &table {
                writer.write_record(fields).expect("memory can be written");
            }
            let bytes = writer.into_inner().expect("memory can be written");
            let read: Vec<_> = read_all(&bytes).into_iter().map(|(_, fields)| fields.expect("a record")).collect();
            prop_assert_eq!(read, table);
        }

        #[test]
        fn any_bytes_are_read_to_their_end(input in prop::collection::vec(prop::sample::select(b"a,\"\r\n;\xff".to_vec()), 0..200)) {
            let mut records = Records::new(input.as_slice());
            let mut pieces = 0;
            while records.read_next().expect("bytes can be read") != Piece::End {
                pieces += 1;
                prop_assert!(pieces <= input.len());
            }
            prop_assert_eq!(records.offset(), input.len() as u64);
        }
    }
}
