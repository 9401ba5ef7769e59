//! The few tables that are read, and only the columns that are needed: no address, name or cookie of
//! a voter leaves this file.

use std::collections::BTreeMap;
use std::fmt;

/// The system the polls come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    WpPolls,
    Yop,
}

/// A table, by the end of its name: sites choose the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    Questions,
    Answers,
    Log,
    Polls,
    Elements,
    Subelements,
    Votes,
}

const WP_POLLS: &[(&str, &str, Table)] = &[
    ("pollsq", "pollq_id", Table::Questions),
    ("pollsa", "polla_aid", Table::Answers),
    ("pollsip", "pollip_id", Table::Log),
];

const YOP: &[(&str, &str, Table)] = &[
    ("yoppoll_polls", "total_submited_answers", Table::Polls),
    ("yoppoll_elements", "etext", Table::Elements),
    ("yoppoll_subelements", "stext", Table::Subelements),
    ("yoppoll_votes", "vote_data", Table::Votes),
];

impl System {
    fn tables(self) -> &'static [(&'static str, &'static str, Table)] {
        match self {
            Self::WpPolls => WP_POLLS,
            Self::Yop => YOP,
        }
    }

    /// The table with this name, and its prefix: `wp_`, or `wp_2_` for a second site.
    pub fn table(self, name: &str) -> Option<(String, Table)> {
        self.tables().iter().find_map(|(end, _, table)| {
            let prefix = name.strip_suffix(end)?;
            // `wp_yoppoll_polls` ends with `polls` too; a prefix must end at a word boundary.
            (prefix.is_empty() || prefix.ends_with('_')).then(|| (prefix.to_owned(), *table))
        })
    }

    /// The table from which a sheet with these columns was exported.
    pub fn sheet(self, columns: &[String]) -> Option<Table> {
        self.tables()
            .iter()
            .find(|(_, column, _)| columns.iter().any(|c| c == column))
            .map(|(_, _, table)| *table)
    }

    /// The columns of a table in order, if they are the same in all versions: a dump need not name them.
    pub fn columns(self, table: Table) -> &'static [&'static str] {
        match (self, table) {
            (Self::WpPolls, Table::Questions) => &[
                "pollq_id",
                "pollq_question",
                "pollq_timestamp",
                "pollq_totalvotes",
                "pollq_active",
                "pollq_expiry",
                "pollq_multiple",
                "pollq_totalvoters",
            ],
            (Self::WpPolls, Table::Answers) => {
                &["polla_aid", "polla_qid", "polla_answers", "polla_votes"]
            }
            (Self::WpPolls, Table::Log) => &[
                "pollip_id",
                "pollip_qid",
                "pollip_aid",
                "pollip_ip",
                "pollip_host",
                "pollip_timestamp",
                "pollip_user",
                "pollip_userid",
            ],
            _ => &[],
        }
    }

    /// The column that identifies a row of a table.
    pub fn key(self, table: Table) -> &'static str {
        match (self, table) {
            (Self::WpPolls, Table::Questions) => "pollq_id",
            (Self::WpPolls, Table::Answers) => "polla_aid",
            (Self::WpPolls, Table::Log) => "pollip_id",
            _ => "id",
        }
    }

    /// The name on the command line and in the key of a poll.
    pub fn name(self) -> &'static str {
        match self {
            Self::WpPolls => "wp-polls",
            Self::Yop => "yop",
        }
    }
}

/// The numbers of answers and votes for polls that are not in the files, by table prefix and poll id.
#[derive(Debug, Default)]
pub struct Orphans(BTreeMap<(String, u64), u64>);

impl Orphans {
    pub fn add(&mut self, poll: (String, u64), rows: u64) {
        *self.0.entry(poll).or_default() += rows;
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Orphans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMED: usize = 5;
        let rows: u64 = self.0.values().sum();
        let named = self.0.keys().take(NAMED);
        let named: Vec<String> = named.map(|(prefix, id)| format!("{prefix}{id}")).collect();
        write!(
            f,
            "{rows} rows of answers and votes belong to polls that are not in the file: {}",
            named.join(", ")
        )?;
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// The rows read so far. A row that comes again would count twice.
#[derive(Debug, Default)]
pub struct Rows(BTreeMap<(String, Table), Ids>);

impl Rows {
    /// Adds a row; `false` if it was there. A row without a number is not recognised.
    pub fn add(&mut self, prefix: &str, table: Table, id: u64) -> bool {
        let ids = self.0.entry((prefix.to_owned(), table)).or_default();
        id == 0 || ids.add(id)
    }
}

/// Numbers, 64 by 64 as bits: those of a table are nearly consecutive, and there can be millions.
#[derive(Debug, Default)]
struct Ids(BTreeMap<u64, u64>);

impl Ids {
    fn add(&mut self, id: u64) -> bool {
        let (bits, bit) = (self.0.entry(id / 64).or_default(), 1 << (id % 64));
        let is_new = *bits & bit == 0;
        *bits |= bit;
        is_new
    }
}

/// The values of a row, by column name.
pub struct Fields(BTreeMap<String, String>);

impl Fields {
    pub fn of(columns: &[String], values: Vec<Option<String>>) -> Self {
        let pairs = columns.iter().cloned().zip(values);
        Self(
            pairs
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
        )
    }

    /// The text in a column; empty if it is NULL or missing.
    pub fn text(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }

    /// A whole number; 0 if there is none. Negative counts are 0.
    pub fn number(&self, column: &str) -> u64 {
        self.text(column).trim().parse().unwrap_or(0)
    }

    /// A whole number that may be negative.
    pub fn signed(&self, column: &str) -> i64 {
        self.text(column).trim().parse().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_new_once_in_each_table() {
        let mut rows = Rows::default();
        for id in [1, 63, 64, 65, 1_000_000, u64::MAX] {
            assert!(rows.add("wp_", Table::Log, id));
            assert!(!rows.add("wp_", Table::Log, id));
            assert!(rows.add("wp_2_", Table::Log, id));
            assert!(rows.add("wp_", Table::Answers, id));
        }
        assert!(rows.add("wp_", Table::Log, 0) && rows.add("wp_", Table::Log, 0));
    }

    #[test]
    fn tables_are_found_whatever_stands_before_them() {
        let found = |system: System, name| system.table(name);
        assert_eq!(
            found(System::WpPolls, "wp_pollsip"),
            Some(("wp_".into(), Table::Log))
        );
        assert_eq!(
            found(System::WpPolls, "blog_2_pollsq"),
            Some(("blog_2_".into(), Table::Questions))
        );
        assert_eq!(found(System::WpPolls, "wp_mypollsq"), None);
        assert_eq!(
            found(System::Yop, "x_yoppoll_subelements"),
            Some(("x_".into(), Table::Subelements))
        );
        assert_eq!(found(System::Yop, "wp_pollsq"), None);
    }
}
