//! Words for a link, made from a title in any script. The language is not known: `für` becomes `fur`, not `fuer`.

use deunicode::deunicode_with_tofu;

/// The maximum length of the words, in characters.
const LONGEST: usize = 60;

/// The words of a title in ASCII, in lower case, joined by hyphens and cut at a word boundary: `Größe?` becomes
/// `grosse`, `選挙` becomes `xuan-ju`. Empty if nothing in the title can be transliterated.
#[must_use]
pub fn link_words(title: &str) -> String {
    let plain = deunicode_with_tofu(title, " ").to_ascii_lowercase();
    // "don't" becomes one word.
    let plain = plain.replace('\'', "");
    let mut words = String::new();
    for word in plain.split(|c: char| !c.is_ascii_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        if words.len() + word.len() >= LONGEST {
            // A script without spaces may give a single long word: its beginning is better than nothing.
            if words.is_empty() {
                words.push_str(&word[..LONGEST]);
            }
            break;
        }
        if !words.is_empty() {
            words.push('-');
        }
        words.push_str(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_gives_words() {
        for (title, words) in [
            ("Do you trust the media?", "do-you-trust-the-media"),
            ("Tempo 30 für alle?", "tempo-30-fur-alle"),
            ("Größe: does it count?", "grosse-does-it-count"),
            ("¿Qué?", "que"),
            ("Vous l’avez vu ?", "vous-lavez-vu"),
            ("Łódź", "lodz"),
            ("Доверяете ли вы СМИ?", "doveriaete-li-vy-smi"),
            ("選挙", "xuan-ju"),
            ("Εμπιστεύεστε;", "empisteueste"),
            (" – ?! ", ""),
        ] {
            assert_eq!(link_words(title), words, "{title}");
        }
    }

    #[test]
    fn words_are_cut_at_a_word() {
        let cut = link_words(&"word ".repeat(100));
        assert!(cut.len() <= LONGEST && cut.ends_with("-word"), "{cut}");
        assert_eq!(link_words(&"x".repeat(200)).len(), LONGEST);
        for title in [
            "𝒳\u{202e}\u{0}\u{fffd}",
            "👍🏽 or 👎",
            "ﷺ".repeat(40).as_str(),
        ] {
            let words = link_words(title);
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(words.chars().all(plain), "{words}");
            assert!(!words.starts_with('-') && !words.ends_with('-'), "{words}");
        }
    }
}
