//! Text on its way into a page.

/// The words with a capital first letter, to begin a line.
#[must_use]
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// Escapes text for HTML and XML, in elements and in attributes between double quotes.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape(text, &mut out);
    out
}

/// Like [`escaped`], at the end of `out`.
pub fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_a_capital_and_the_rest_stays() {
        for (words, line) in [
            ("", ""),
            ("no such address", "No such address"),
            ("élan Vital", "Élan Vital"),
        ] {
            assert_eq!(capital(words), line);
        }
    }

    #[test]
    fn nothing_of_a_text_is_markup() {
        let text = "<b>Fish & \"Chips\"</b>";
        let escaped = escaped(text);
        assert_eq!(escaped, "&lt;b&gt;Fish &amp; &quot;Chips&quot;&lt;/b&gt;");
    }
}
