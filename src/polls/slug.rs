//! Names in links.

/// A name in links made of a question: its ASCII letters and digits, words joined by hyphens, cut at a word.
pub fn slug_of(question: &str) -> String {
    let mut slug = String::new();
    let plain = question.to_lowercase();
    let words = plain
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    for word in words {
        if slug.len() + word.len() >= 60 {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(word);
    }
    if slug.is_empty() { "poll".into() } else { slug }
}
