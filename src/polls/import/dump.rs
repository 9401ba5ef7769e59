//! Rows of the INSERT statements of a MySQL dump, one by one, whatever the size of the statements.

use std::collections::HashMap;
use std::io::{self, BufRead};

use super::latin1::decoded;

/// Longer values than any column of these tables needs; what is behind is dropped, so memory stays bounded.
const LONGEST_VALUE: usize = 1 << 20;

/// A row: its table, its column names, its values; `None` is NULL.
pub struct Row {
    pub table: String,
    pub columns: Vec<String>,
    pub values: Vec<Option<String>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(Vec<u8>),
    Mark(u8),
    End,
}

/// A dump, read to the end once.
pub struct Dump<R> {
    input: R,
    /// The columns of each table, from CREATE TABLE: inserts need not name them.
    created: HashMap<String, Vec<String>>,
    /// The table and columns of the INSERT that is being read.
    current: Option<(String, Vec<String>)>,
}

impl<R: BufRead> Dump<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            created: HashMap::new(),
            current: None,
        }
    }

    /// The next row of any table; `None` at the end. What is not understood is passed over to the next semicolon.
    ///
    /// # Errors
    /// What reading the file said.
    pub fn next_row(&mut self) -> io::Result<Option<Row>> {
        loop {
            if let Some((table, columns)) = self.current.take() {
                match self.token()? {
                    Token::Mark(b'(') => {
                        let values = self.values()?;
                        let row = Row {
                            table: table.clone(),
                            columns: columns.clone(),
                            values,
                        };
                        self.current = Some((table, columns));
                        return Ok(Some(row));
                    }
                    Token::Mark(b',') => self.current = Some((table, columns)),
                    Token::Mark(b';') => {}
                    Token::End => return Ok(None),
                    _ => self.skip_statement()?,
                }
                continue;
            }
            match self.token()? {
                Token::End => return Ok(None),
                Token::Word(word) if is(&word, "insert") || is(&word, "replace") => {
                    self.insert()?;
                }
                Token::Word(word) if is(&word, "create") => self.create()?,
                Token::Mark(b';') => {}
                _ => self.skip_statement()?,
            }
        }
    }

    /// Up to and including VALUES.
    fn insert(&mut self) -> io::Result<()> {
        let mut table = String::new();
        let mut columns = None;
        loop {
            match self.token()? {
                Token::Word(word) if is(&word, "values") || is(&word, "value") => break,
                // INTO, IGNORE, the database: the last word before the list is the table.
                Token::Word(word) => table = word,
                Token::Mark(b'(') => columns = Some(self.names()?),
                Token::Mark(b'.') => {}
                Token::Mark(b';') | Token::End => return Ok(()),
                _ => return self.skip_statement(),
            }
        }
        let columns = columns.or_else(|| self.created.get(&table).cloned());
        self.current = Some((table, columns.unwrap_or_default()));
        Ok(())
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        loop {
            match self.token()? {
                Token::Word(name) => names.push(name),
                Token::Mark(b')') | Token::End => return Ok(names),
                _ => {}
            }
        }
    }

    fn create(&mut self) -> io::Result<()> {
        let mut table = String::new();
        loop {
            match self.token()? {
                Token::Word(word) => table = word,
                Token::Mark(b'(') => break,
                Token::Mark(b';') | Token::End => return Ok(()),
                _ => {}
            }
        }
        // A column is the first word of each part, unless it is a key.
        let (mut columns, mut depth, mut first) = (Vec::new(), 1, true);
        loop {
            match self.token()? {
                Token::Word(word) if first => {
                    let key = [
                        "primary",
                        "key",
                        "unique",
                        "index",
                        "fulltext",
                        "constraint",
                    ];
                    if !key.iter().any(|key| is(&word, key)) {
                        columns.push(word);
                    }
                    first = false;
                }
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                Token::Mark(b',') if depth == 1 => first = true,
                Token::End => break,
                _ => {}
            }
        }
        self.created.insert(table, columns);
        self.skip_statement()
    }

    fn values(&mut self) -> io::Result<Vec<Option<String>>> {
        let mut values = Vec::new();
        let mut value = None;
        loop {
            match self.token()? {
                Token::Text(text) => value = Some(decoded(text)),
                // An introducer (_utf8mb4, X) stands before a text, which then replaces it.
                Token::Word(word) => value = (!is(&word, "null")).then_some(word),
                Token::Mark(b',') => values.push(value.take()),
                Token::Mark(b')') => {
                    values.push(value);
                    return Ok(values);
                }
                Token::End => return Ok(values),
                Token::Mark(_) => {}
            }
        }
    }

    fn skip_statement(&mut self) -> io::Result<()> {
        loop {
            if matches!(self.token()?, Token::Mark(b';') | Token::End) {
                return Ok(());
            }
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    fn bump(&mut self) {
        self.input.consume(1);
    }

    fn next(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.bump();
        }
        Ok(byte)
    }

    fn token(&mut self) -> io::Result<Token> {
        loop {
            let Some(byte) = self.next()? else {
                return Ok(Token::End);
            };
            match byte {
                b if b.is_ascii_whitespace() => {}
                b'#' => self.line()?,
                b'-' if self.peek()? == Some(b'-') => self.line()?,
                b'/' if self.peek()? == Some(b'*') => self.comment()?,
                b'\'' => return Ok(Token::Text(self.text(b'\'')?)),
                b'`' | b'"' => {
                    let name = self.text(byte)?;
                    return Ok(if byte == b'"' {
                        Token::Text(name)
                    } else {
                        Token::Word(decoded(name))
                    });
                }
                b if is_word(b) => return self.word(b),
                mark => return Ok(Token::Mark(mark)),
            }
        }
    }

    fn line(&mut self) -> io::Result<()> {
        while !matches!(self.next()?, None | Some(b'\n')) {}
        Ok(())
    }

    /// Also `/*!40101 … */`: what the server would run in there are settings.
    fn comment(&mut self) -> io::Result<()> {
        self.bump();
        let mut last = 0;
        while let Some(byte) = self.next()? {
            if last == b'*' && byte == b'/' {
                break;
            }
            last = byte;
        }
        Ok(())
    }

    fn text(&mut self, quote: u8) -> io::Result<Vec<u8>> {
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
                        break;
                    }
                    self.bump();
                    quote
                }
                other => other,
            };
            if text.len() < LONGEST_VALUE {
                text.push(byte);
            }
        }
        Ok(text)
    }

    fn word(&mut self, first: u8) -> io::Result<Token> {
        let mut word = vec![first];
        // A point parts names, but belongs to a number.
        let number = first.is_ascii_digit() || matches!(first, b'-' | b'+');
        while let Some(byte) = self
            .peek()?
            .filter(|b| is_word(*b) || (number && *b == b'.'))
        {
            self.bump();
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
            self.bump();
            let hex = self.text(b'\'')?;
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(&hex);
            return Ok(Token::Text(bytes.unwrap_or_default()));
        }
        Ok(Token::Word(decoded(word)))
    }
}

fn is(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-' | b'+') || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(sql: &[u8]) -> Vec<(String, Vec<String>, Vec<Option<String>>)> {
        let mut dump = Dump::new(sql);
        std::iter::from_fn(|| dump.next_row().expect("memory is read"))
            .map(|row| (row.table, row.columns, row.values))
            .collect()
    }

    #[test]
    fn a_dump_as_mysqldump_writes_it() {
        let sql = b"-- MySQL dump 10.13; it's a comment\n/*!40101 SET NAMES utf8mb4 */;\nDROP TABLE IF EXISTS `a`;\n\
            CREATE TABLE `a` (\n  `id` int(10) NOT NULL AUTO_INCREMENT,\n  `t` enum('x','y;') DEFAULT ',',\n  PRIMARY KEY (`id`),\n  KEY `k` (`t`,`id`)\n) ENGINE=InnoDB COMMENT='a;b';\n\
            LOCK TABLES `a` WRITE;\n/*!40000 ALTER TABLE `a` DISABLE KEYS */;\n\
            INSERT INTO `a` VALUES (1,'it\\'s; \\\"so\\\"\\n(''x'')'),(-2,NULL),(3,0x4869);\nUNLOCK TABLES;\n\
            INSERT IGNORE INTO `db`.`b` (`x`, y) VALUES\n(_binary 'q', X'4869'),\n(1.5e+3, 'caf\xe9 \x80');";
        let some = |text: &str| Some(text.to_owned());
        let columns = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            rows(sql),
            [
                (
                    "a".to_owned(),
                    columns(&["id", "t"]),
                    vec![some("1"), some("it's; \"so\"\n('x')")]
                ),
                (
                    "a".to_owned(),
                    columns(&["id", "t"]),
                    vec![some("-2"), None]
                ),
                (
                    "a".to_owned(),
                    columns(&["id", "t"]),
                    vec![some("3"), some("Hi")]
                ),
                (
                    "b".to_owned(),
                    columns(&["x", "y"]),
                    vec![some("q"), some("Hi")]
                ),
                (
                    "b".to_owned(),
                    columns(&["x", "y"]),
                    vec![some("1.5e+3"), some("café €")]
                ),
            ]
        );
    }

    #[test]
    fn a_dump_that_was_cut_off_ends() {
        let sql = b"INSERT INTO t (a) VALUES ('one'),('tw";
        assert_eq!(rows(sql)[0].2, [Some("one".to_owned())]);
        assert!(rows(b"CREATE TABLE t (a").is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_upset_it(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            rows(&bytes);
        }

        #[test]
        fn whatever_a_dump_holds_comes_out_again(text in "\\PC*") {
            let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
            let sql = format!("INSERT INTO t (a, b) VALUES ('{escaped}', 7);");
            let found = rows(sql.as_bytes());
            prop_assert_eq!(&found[0].2, &vec![Some(text), Some("7".to_owned())]);
        }

        #[test]
        fn broken_statements_do_not_hide_the_next(junk in "[a-z(,') ;`]{0,40}") {
            rows(format!("{junk}\n").as_bytes());
        }
    }
}
