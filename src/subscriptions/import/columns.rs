//! The first line of a file: which columns there are, and what they mean. Pure.

use super::gone::{self, Says};
use super::rows::HeaderRefused;

/// The most titles of ignored columns that are reported.
const NAMED: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    pub email: usize,
    pub name: Option<usize>,
    pub time_zone: Option<usize>,
    pub confirmed_at: Option<usize>,
    /// The columns that say who may be mailed: index, our name for it, and meaning.
    pub states: Vec<(usize, &'static str, Says)>,
    /// Titles of ignored columns.
    pub ignored: Vec<String>,
}

impl Columns {
    /// # Errors
    /// If this is not a list of readers, or a column about consent is not understood.
    pub fn find<'a>(header: impl Iterator<Item = &'a [u8]>) -> Result<Self, HeaderRefused> {
        const KNOWN: [&str; 4] = ["email", "name", "time_zone", "confirmed_at"];
        let mut found = [None; 4];
        let (mut seen, mut ignored, mut states) = (Vec::new(), Vec::new(), Vec::new());
        for (index, cell) in header.enumerate() {
            let typed = String::from_utf8_lossy(cell);
            let typed = typed.trim();
            let shown: String = typed.chars().take(40).collect();
            let title = typed.to_lowercase();
            if seen.len() < NAMED {
                seen.push(shown.to_lowercase());
            }
            if let Some(known) = KNOWN.iter().position(|k| *k == title) {
                if found[known].replace(index).is_some() {
                    return Err(HeaderRefused::Twice(KNOWN[known]));
                }
            } else if let Some((name, says)) = gone::says(&title) {
                states.push((index, name, says));
            } else if gone::looks_alike(&title) {
                return Err(HeaderRefused::State(shown));
            } else if !shown.is_empty() {
                ignored.push(shown);
            }
        }
        let [email, name, time_zone, confirmed_at] = found;
        let Some(email) = email else {
            return Err(HeaderRefused::NoEmail(seen.join(", ")));
        };
        let more = ignored.len().saturating_sub(NAMED);
        if more > 0 {
            ignored.truncate(NAMED);
            ignored.push(format!("{more} more"));
        }
        Ok(Self {
            email,
            name,
            time_zone,
            confirmed_at,
            states,
            ignored,
        })
    }
}
