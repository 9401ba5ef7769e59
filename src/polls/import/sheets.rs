//! The rows of a table exported as CSV, with the column names in the first row.

use std::io::{self, BufRead};

/// A sheet, read once from start to end.
pub struct Sheet<R> {
    reader: csv::Reader<R>,
    columns: Vec<String>,
    line: u64,
}

impl<R: BufRead> Sheet<R> {
    /// Reads the header. phpMyAdmin separates columns by commas or semicolons.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(mut input: R) -> io::Result<Self> {
        let start = input.fill_buf()?;
        let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
        let count = |mark: u8| line.iter().filter(|b| **b == mark).count();
        let delimiter = if count(b';') > count(b',') {
            b';'
        } else {
            b','
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .escape(Some(b'\\'))
            .flexible(true)
            .from_reader(input);
        let columns = reader.byte_headers()?.iter();
        let columns = columns
            .map(|name| super::latin1::decoded(name.to_vec()))
            .map(|name| name.trim().to_owned())
            .collect();
        Ok(Self {
            reader,
            columns,
            line: 1,
        })
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The line in which the last row began, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next row. A cell that holds only `NULL` is NULL.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_row(&mut self) -> io::Result<Option<Vec<Option<String>>>> {
        let mut record = csv::ByteRecord::new();
        if !self.reader.read_byte_record(&mut record)? {
            return Ok(None);
        }
        self.line = record.position().map_or(self.line, csv::Position::line);
        let cell =
            |bytes: &[u8]| (bytes != b"NULL").then(|| super::latin1::decoded(bytes.to_vec()));
        Ok(Some(record.iter().map(cell).collect()))
    }
}
