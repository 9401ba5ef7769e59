//! The tokens of a dump, one by one, with their position in the file.

use std::io::{self, BufRead};

use super::latin1::decoded;

/// The longest value kept: more than any column of these tables needs. The rest is dropped, so
/// that memory stays bounded.
const LONGEST_VALUE: usize = 1 << 20;
/// The number of bytes of a comment line that are examined.
const COMMENT: usize = 40;

/// Why a file cannot be imported. The message follows the file's name.
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
    #[error(
        "has row {id} of {table} again, in line {line}: give each table once, from a single dump of the site"
    )]
    Twice { table: String, id: u64, line: u64 },
    #[error(
        "is in the character set {0}: convert it to UTF-8 first (iconv), or dump again with --default-character-set=utf8mb4"
    )]
    CharacterSet(String),
    #[error("{0}")]
    Other(&'static str),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Text(Vec<u8>),
    /// In double quotes: a text, or a name under `ANSI_QUOTES`; the parser decides by the context.
    Double(Vec<u8>),
    Mark(u8),
    End,
}

impl Token {
    /// The name of a table or a column, if the token can be one.
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
    /// The number of dumps that mysqldump started in this file, and of those it completed.
    begun: u64,
    completed: u64,
    /// The character set of the texts, from SET NAMES, if it is not one that is understood.
    unknown_set: Option<String>,
}

impl<R: BufRead> Tokens<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: 1,
            at: 0,
            begun: 0,
            completed: 0,
            unknown_set: None,
        }
    }

    /// The current line, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The error for a file that ends here, within `what`.
    pub fn torn(&self, what: &'static str, line: u64) -> Unreadable {
        Unreadable::Torn {
            what,
            line,
            end: self.at,
        }
    }

    /// Whether mysqldump wrote its header but not its footer.
    pub fn misses_an_end(&self) -> bool {
        self.begun > self.completed
    }

    /// Notes the character set of the texts from here on.
    pub fn set_names(&mut self, set: &str) {
        let known = ["utf8", "latin1", "ascii", "binary", "default"];
        let set = set.to_ascii_lowercase();
        let is_known = known.iter().any(|known| set.starts_with(known));
        self.unknown_set = (!is_known).then_some(set);
    }

    /// A text of a row. If it is not in UTF-8 and the dump names another character set than latin1, it cannot be read.
    ///
    /// # Errors
    /// The character set.
    pub fn decoded(&self, text: Vec<u8>) -> Result<String, Unreadable> {
        match &self.unknown_set {
            Some(set) => String::from_utf8(text).map_err(|_| Unreadable::CharacterSet(set.clone())),
            None => Ok(decoded(text)),
        }
    }

    /// The next token.
    ///
    /// # Errors
    /// The file cannot be read, or ends within a text or a comment.
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
        // The first dash of `--` is already read.
        self.begun += u64::from(says("- MySQL dump ") || says("- MariaDB dump "));
        self.completed += u64::from(says("- Dump completed"));
        Ok(())
    }

    /// Also skips `/*!40101 … */`: what the server would execute there are only settings. One of them is needed:
    /// `SET NAMES`.
    fn comment(&mut self) -> Result<(), Unreadable> {
        let line = self.line;
        self.next()?;
        let (mut last, mut said) = (0, Vec::new());
        while let Some(byte) = self.next()? {
            if last == b'*' && byte == b'/' {
                let said = String::from_utf8_lossy(&said).to_ascii_lowercase();
                let words: Vec<&str> = said.split_whitespace().collect();
                if let [version, "set", "names", set, ..] = words[..]
                    && version.starts_with('!')
                {
                    self.set_names(set.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
                }
                return Ok(());
            }
            if said.len() < COMMENT {
                said.push(byte);
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
        // A dot separates names, but is part of a number.
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
