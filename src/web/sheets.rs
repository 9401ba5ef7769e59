//! Cells of CSV files that may be opened in a spreadsheet.

/// Prevents CSV injection (OWASP): a spreadsheet executes a cell that starts like a formula. A leading apostrophe
/// makes it text.
#[must_use]
pub fn defused(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
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
        ] {
            assert_eq!(defused(cell.to_owned()), format!("'{cell}"));
        }
        assert_eq!(defused("anna@example.org".to_owned()), "anna@example.org");
    }
}
