//! Cells of CSV files that spreadsheets open.

/// CSV injection (OWASP): a cell that starts like a formula is run as one. An apostrophe in front makes it text.
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
