//! Cells of CSV files that may be opened in a spreadsheet.

/// Prevents CSV injection (OWASP): a spreadsheet executes a cell that starts like a formula. A leading apostrophe
/// makes it text. Some spreadsheets take full-width signs for the others.
#[must_use]
pub fn defused(cell: String) -> String {
    const STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if cell.starts_with(STARTS) {
        format!("'{cell}")
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_defused() {
        for cell in [
            "=1+1@example.org",
            "+a@example.org",
            "-a@example.org",
            "@SUM(A1)",
            "\t=1+1",
            "\r=1+1",
            "\n=1+1",
            "＝1+1",
            "＋1",
            "－1",
            "＠SUM(A1)",
        ] {
            assert_eq!(defused(cell.to_owned()), format!("'{cell}"));
        }
        for cell in ["anna@example.org", "a\n=b", "一＝二", ""] {
            assert_eq!(defused(cell.to_owned()), cell);
        }
    }
}
