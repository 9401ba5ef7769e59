//! The words, texts and marks of a dump, one by one, and where in the file they stand.

use std::io::{self, BufRead};

use super::latin1::decoded;

/// Longer values than any column of these tables needs; what is behind is dropped, so memory stays bounded.
const LONGEST_VALUE: usize = 1 << 20;
/// As much of a line of comment as is looked at.
const COMMENT: usize = 40;

/// Why a file cannot be taken. It follows the file's name.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error(
        "is cut short: it ends at byte {end} within {what} that begins in line {line}. Dump or download it again"
    )]
    Torn {
        what: &'static str,
        line: u64,
        end: u64,
    },
    #[error("is damaged: a statement ends within a row, in line {0}. Dump it again")]
    Broken(u64),
    #[error(
        "is damaged: the row of {table} in line {line} has {found} values for {wanted} columns"
    )]
    Row {
        table: String,
        line: u64,
        found: usize,
        wanted: usize,
    },
    #[error(
        "does not name the columns of {0}: dump it without --no-create-info, or with --complete-insert"
    )]
    NoColumns(String),
    #[error("{0}")]
    Other(&'static str),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Text(Vec<u8>),
    /// Between double quotes: a text, or with `ANSI_QUOTES` a name; what is read then decides.
    Double(Vec<u8>),
    Mark(u8),
    End,
}

impl Token {
    /// What can name a table or a column.
    pub fn name(self) -> Option<String> {
        match self {
            Self::Word(word) => Some(word),
            Self::Double(name) => Some(decoded(name)),
            _ => None,
        }
    }
}

/// A file, read once.
pub struct Tokens<R> {
    input: R,
    line: u64,
    at: u64,
    /// Dumps that mysqldump began in this file, and those it said were completed.
    begun: u64,
    completed: u64,
}

impl<R: BufRead> Tokens<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: 1,
            at: 0,
            begun: 0,
            completed: 0,
        }
    }

    /// The line that is being read, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// What it means that the file ends here, within `what`.
    pub fn torn(&self, what: &'static str, line: u64) -> Unreadable {
        Unreadable::Torn {
            what,
            line,
            end: self.at,
        }
    }

    /// Whether mysqldump says of itself that it began, and does not say that it came to its end.
    pub fn misses_an_end(&self) -> bool {
        self.begun > self.completed
    }

    /// The next token.
    ///
    /// # Errors
    /// What reading said, and an end within a text or a comment.
    pub fn token(&mut self) -> Result<Token, Unreadable> {
        loop {
            let Some(byte) = self.next()? else {
                return Ok(Token::End);
            };
            match byte {
                b if b.is_ascii_whitespace() => {}
                b'#' => self.line_of_comment()?,
                b'-' if self.peek()? == Some(b'-') => self.line_of_comment()?,
                b'/' if self.peek()? == Some(b'*') => self.comment()?,
                b'\'' => return Ok(Token::Text(self.text(b'\'')?)),
                b'"' => return Ok(Token::Double(self.text(b'"')?)),
                b'`' => return Ok(Token::Word(decoded(self.text(b'`')?))),
                b if is_word(b) => return self.word(b),
                mark => return Ok(Token::Mark(mark)),
            }
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    fn next(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.input.consume(1);
            self.at += 1;
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }

    fn line_of_comment(&mut self) -> io::Result<()> {
        let mut said = Vec::new();
        while let Some(byte) = self.next()?.filter(|byte| *byte != b'\n') {
            if said.len() < COMMENT {
                said.push(byte);
            }
        }
        let says = |words: &str| said.starts_with(words.as_bytes());
        // The first mark of `--` is read already.
        self.begun += u64::from(says("- MySQL dump ") || says("- MariaDB dump "));
        self.completed += u64::from(says("- Dump completed"));
        Ok(())
    }

    /// Also `/*!40101 … */`: what the server would run in there are settings.
    fn comment(&mut self) -> Result<(), Unreadable> {
        let line = self.line;
        self.next()?;
        let mut last = 0;
        while let Some(byte) = self.next()? {
            if last == b'*' && byte == b'/' {
                return Ok(());
            }
            last = byte;
        }
        Err(self.torn("a comment", line))
    }

    fn text(&mut self, quote: u8) -> Result<Vec<u8>, Unreadable> {
        let line = self.line;
        let mut text = Vec::new();
        while let Some(byte) = self.next()? {
            let byte = match byte {
                b'\\' if quote != b'`' => match self.next()? {
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(b'0') => 0,
                    Some(b'b') => 8,
                    Some(b'Z') => 26,
                    Some(other) => other,
                    None => break,
                },
                b if b == quote => {
                    if self.peek()? != Some(quote) {
                        return Ok(text);
                    }
                    self.next()?;
                    quote
                }
                other => other,
            };
            if text.len() < LONGEST_VALUE {
                text.push(byte);
            }
        }
        Err(self.torn("a text", line))
    }

    fn word(&mut self, first: u8) -> Result<Token, Unreadable> {
        let mut word = vec![first];
        // A point parts names, but belongs to a number.
        let number = first.is_ascii_digit() || matches!(first, b'-' | b'+');
        while let Some(byte) = self
            .peek()?
            .filter(|b| is_word(*b) || (number && *b == b'.'))
        {
            self.next()?;
            if word.len() < LONGEST_VALUE {
                word.push(byte);
            }
        }
        if let Some(hex) = word.strip_prefix(b"0x")
            && let Ok(bytes) = data_encoding::HEXLOWER_PERMISSIVE.decode(hex)
        {
            return Ok(Token::Text(bytes));
        }
        if word.eq_ignore_ascii_case(b"x") && self.peek()? == Some(b'\'') {
            self.next()?;
            let hex = self.text(b'\'')?;
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(&hex);
            return Ok(Token::Text(bytes.unwrap_or_default()));
        }
        Ok(Token::Word(decoded(word)))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-' | b'+') || byte >= 0x80
}
