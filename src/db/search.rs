//! Case-insensitive substring search, also for letters outside ASCII.

use super::Backend;

/// The condition that `column` contains `text`, using parameter `$place`, and the value of that parameter.
///
/// PostgreSQL folds the letters that the database's locale knows, on both sides; under `C` only ASCII letters are
/// folded. SQLite's `LOWER` and `LIKE` know only ASCII, so its `GLOB` gets a character class for each letter.
pub fn containing(backend: Backend, column: &str, place: usize, text: &str) -> (String, String) {
    let mut pattern = String::new();
    match backend {
        Backend::Postgres => {
            for c in text.chars() {
                if matches!(c, '\\' | '%' | '_') {
                    pattern.push('\\');
                }
                pattern.push(c);
            }
            let condition = format!("LOWER({column}) LIKE LOWER(${place}) ESCAPE '\\'");
            (condition, format!("%{pattern}%"))
        }
        Backend::Sqlite => {
            for c in text.chars() {
                let cases: String = std::iter::once(c)
                    .chain(c.to_lowercase())
                    .chain(c.to_uppercase())
                    .collect();
                // A letter whose other case is written with two letters, like ß, is matched as it is.
                let one = c.to_lowercase().count() == 1 && c.to_uppercase().count() == 1;
                match c {
                    '*' | '?' | '[' => pattern.push_str(&format!("[{c}]")),
                    c if c.is_alphabetic() && one => pattern.push_str(&format!("[{cases}]")),
                    c => pattern.push(c),
                }
            }
            (format!("{column} GLOB ${place}"), format!("*{pattern}*"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_text_and_no_pattern() {
        let (condition, pattern) = containing(Backend::Sqlite, "title", 2, "ü*[a-ß]?");
        assert_eq!(condition, "title GLOB $2");
        assert_eq!(pattern, "*[üüÜ][*][[][aaA]-ß][?]*");
        let (condition, pattern) = containing(Backend::Postgres, "title", 1, "50 %_\\Ü");
        assert_eq!(condition, "LOWER(title) LIKE LOWER($1) ESCAPE '\\'");
        assert_eq!(pattern, "%50 \\%\\_\\\\Ü%");
    }
}
