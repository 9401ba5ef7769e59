//! The rows of the INSERT statements in a MySQL dump, streamed, whatever the size of the statements.
//!
//! A file that ends within a statement is truncated, and is an error: half a table must not become a result.

use std::collections::HashMap;
use std::io::BufRead;

use super::latin1::decoded;
use super::tokens::{Token, Tokens, Unreadable};

/// A row: its table, its column names (empty if the dump does not give them) and its values; `None` is NULL.
pub struct Row {
    pub table: String,
    pub columns: Vec<String>,
    pub values: Vec<Option<String>>,
    /// The line it begins in.
    pub line: u64,
}

/// A dump, read once from start to end.
pub struct Dump<R> {
    tokens: Tokens<R>,
    /// The columns of each table, from CREATE TABLE, since an INSERT need not name them.
    created: HashMap<String, Vec<String>>,
    /// The table and columns of the INSERT that is being read.
    current: Option<(String, Vec<String>)>,
    /// The line in which the current statement begins.
    begun: u64,
    /// The line of an unfinished LOCK TABLES: mysqldump wraps all rows of a table in one.
    locked: Option<u64>,
}

impl<R: BufRead> Dump<R> {
    pub fn new(input: R) -> Self {
        Self {
            tokens: Tokens::new(input),
            created: HashMap::new(),
            current: None,
            begun: 1,
            locked: None,
        }
    }

    /// Whether mysqldump wrote its header but not its footer.
    pub fn misses_an_end(&self) -> bool {
        self.tokens.misses_an_end()
    }

    /// The next row of any table; `None` at the end. Unknown statements are skipped up to the next semicolon.
    ///
    /// # Errors
    /// The file cannot be read, or ends within a statement.
    pub fn next_row(&mut self) -> Result<Option<Row>, Unreadable> {
        loop {
            if let Some((table, columns)) = self.current.take() {
                match self.within()? {
                    Token::Mark(b'(') => {
                        let line = self.tokens.line();
                        let values = self.values()?;
                        let row = Row {
                            table: table.clone(),
                            columns: columns.clone(),
                            values,
                            line,
                        };
                        self.current = Some((table, columns));
                        return Ok(Some(row));
                    }
                    Token::Mark(b',') => self.current = Some((table, columns)),
                    Token::Mark(b';') => {}
                    _ => self.skip_statement()?,
                }
                continue;
            }
            let token = self.tokens.token()?;
            self.begun = self.tokens.line();
            match token {
                Token::End => {
                    return match self.locked {
                        Some(line) => Err(self.tokens.torn("LOCK TABLES", line)),
                        None => Ok(None),
                    };
                }
                Token::Word(word) if is(&word, "insert") || is(&word, "replace") => {
                    self.insert()?;
                }
                Token::Word(word) if is(&word, "create") => self.create()?,
                Token::Word(word) if is(&word, "lock") => {
                    self.locked = Some(self.begun);
                    self.skip_statement()?;
                }
                Token::Word(word) if is(&word, "unlock") => {
                    self.locked = None;
                    self.skip_statement()?;
                }
                Token::Word(word) if is(&word, "set") => self.set()?,
                Token::Mark(b';') => {}
                _ => self.skip_statement()?,
            }
        }
    }

    /// A token within a statement, where the file must not end.
    fn within(&mut self) -> Result<Token, Unreadable> {
        match self.tokens.token()? {
            Token::End => Err(self.tokens.torn("a statement", self.begun)),
            token => Ok(token),
        }
    }

    /// Reads a SET, of which only SET NAMES is needed.
    fn set(&mut self) -> Result<(), Unreadable> {
        match self.within()? {
            Token::Mark(b';') => return Ok(()),
            Token::Word(word) if is(&word, "names") => match self.within()? {
                Token::Mark(b';') => return Ok(()),
                Token::Text(set) => self.tokens.set_names(&decoded(set)),
                token => self.tokens.set_names(&token.name().unwrap_or_default()),
            },
            _ => {}
        }
        self.skip_statement()
    }

    /// Reads an INSERT up to and including VALUES.
    fn insert(&mut self) -> Result<(), Unreadable> {
        let mut table = String::new();
        let mut columns = None;
        loop {
            match self.within()? {
                Token::Word(word) if is(&word, "values") || is(&word, "value") => break,
                Token::Mark(b'(') => columns = Some(self.names()?),
                Token::Mark(b'.') => {}
                Token::Mark(b';') => return Ok(()),
                // Skips INTO, IGNORE and the database: the last name before the list is the table.
                token => match token.name() {
                    Some(name) => table = name,
                    None => return self.skip_statement(),
                },
            }
        }
        let columns = columns.or_else(|| self.created.get(&table).cloned());
        self.current = Some((table, columns.unwrap_or_default()));
        Ok(())
    }

    fn names(&mut self) -> Result<Vec<String>, Unreadable> {
        let mut names = Vec::new();
        loop {
            match self.within()? {
                Token::Mark(b')') => return Ok(names),
                Token::Mark(b';') => return Err(Unreadable::Broken(self.tokens.line())),
                token => names.extend(token.name()),
            }
        }
    }

    fn create(&mut self) -> Result<(), Unreadable> {
        let mut table = String::new();
        loop {
            match self.within()? {
                Token::Mark(b'(') => break,
                Token::Mark(b';') => return Ok(()),
                token => table = token.name().unwrap_or(table),
            }
        }
        // A column is the first name of each part, unless the part defines a key.
        let (mut columns, mut depth, mut first) = (Vec::new(), 1, true);
        loop {
            match self.within()? {
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                Token::Mark(b',') if depth == 1 => first = true,
                Token::Mark(b';') => return Ok(()),
                token if first => {
                    let key = [
                        "primary",
                        "key",
                        "unique",
                        "index",
                        "fulltext",
                        "constraint",
                    ];
                    if let Some(name) = token.name() {
                        if !key.iter().any(|key| is(&name, key)) {
                            columns.push(name);
                        }
                        first = false;
                    }
                }
                _ => {}
            }
        }
        self.created.insert(table, columns);
        self.skip_statement()
    }

    fn values(&mut self) -> Result<Vec<Option<String>>, Unreadable> {
        let mut values = Vec::new();
        let (mut value, mut depth) = (None, 0);
        loop {
            match self.within()? {
                Token::Text(text) | Token::Double(text) => {
                    value = Some(self.tokens.decoded(text)?);
                }
                // An introducer (_utf8mb4, X) precedes a text, which then replaces it.
                Token::Word(word) => value = (!is(&word, "null")).then_some(word),
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') if depth > 0 => depth -= 1,
                Token::Mark(b',') if depth == 0 => values.push(value.take()),
                Token::Mark(b')') => {
                    values.push(value);
                    return Ok(values);
                }
                Token::Mark(b';') => return Err(Unreadable::Broken(self.tokens.line())),
                Token::Mark(_) | Token::End => {}
            }
        }
    }

    fn skip_statement(&mut self) -> Result<(), Unreadable> {
        while self.within()? != Token::Mark(b';') {}
        Ok(())
    }
}

fn is(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

#[cfg(test)]
mod tests;
