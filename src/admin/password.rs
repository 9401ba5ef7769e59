//! The rules for passwords (NIST SP 800-63B §5.1.1.2): length counts, composition does not.
//!
//! No digits or symbols are required, nothing expires, every character is allowed, and pasting works. Refused are
//! passwords that an attacker would guess first: the well-known ones that are long enough, and those made of the
//! address, the product's name, one repeated piece or a keyboard row.

use unicode_normalization::UnicodeNormalization;

/// The fewest characters of a password.
const SHORTEST_PASSWORD: usize = 12;
/// The most characters: far more than any passphrase has, and a limit on the work of hashing.
const LONGEST_PASSWORD: usize = 256;

/// Character sequences that are easy to type; they are matched in both directions.
const RUNS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn",
];

/// Words that common long passwords consist of.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "letmein",
    "iloveyou",
    "welcome",
    "administrator",
    "admin",
    "changeme",
    "secret",
    "trustno",
    "monkey",
    "dragon",
    "football",
    "baseball",
    "sunshine",
    "princess",
    "superman",
    "batman",
    "starwars",
    "whatever",
    "hello",
    "login",
    "master",
    "newsletter",
    "canvass",
    "editor",
    "newsroom",
    "qwerty",
    "azerty",
    "qwertz",
    "abc",
    "test",
    "default",
    "temp",
    "please",
    "mein",
    "ilove",
    "love",
];

/// A password in the form that is hashed: NFKC, so that the same keys give the same password on every system.
#[derive(Clone)]
pub struct Password(String);

/// Why a new password is refused. The message is for the person choosing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefused {
    #[error(
        "Use at least 12 characters. Four or five words that do not belong together are easy to remember."
    )]
    TooShort,
    #[error("Use at most 256 characters.")]
    TooLong,
    #[error(
        "That is one of the first passwords that an attacker would guess. Choose words that only you would put together."
    )]
    Guessable,
}

impl Password {
    /// A password as typed for signing in. Only its length is limited: the rules are for new passwords.
    #[must_use]
    pub fn typed(text: &str) -> Option<Self> {
        (text.chars().take(LONGEST_PASSWORD + 1).count() <= LONGEST_PASSWORD)
            .then(|| Self(text.nfkc().collect()))
    }

    /// A new password for the editor with the address `email`.
    ///
    /// # Errors
    /// The first [`PasswordRefused`] that applies.
    pub fn choose(text: &str, email: &str) -> Result<Self, PasswordRefused> {
        let password = Self::typed(text).ok_or(PasswordRefused::TooLong)?;
        if password.0.chars().count() < SHORTEST_PASSWORD {
            return Err(PasswordRefused::TooShort);
        }
        if is_guessable(&password.0.to_lowercase(), &email.to_lowercase()) {
            return Err(PasswordRefused::Guessable);
        }
        Ok(password)
    }

    /// The bytes to hash.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Removes everything that is easy to guess and looks at the rest: a good password keeps at least six letters or
/// digits.
fn is_guessable(password: &str, email: &str) -> bool {
    let mut left = password.to_owned();
    let own = email
        .split(['@', '.', '+', '-', '_'])
        .filter(|part| part.chars().count() >= 3);
    for word in own.chain(COMMON.iter().copied()) {
        left = left.replace(word, " ");
    }
    let left = without_runs(&left);
    let mut distinct: Vec<char> = left
        .chars()
        .filter(|c| c.is_alphanumeric() || !c.is_ascii())
        .collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len() < 5
}

/// Removes every piece of four or more characters that follows a sequence, in either direction.
fn without_runs(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let run = (4..=chars.len() - at)
            .take_while(|&n| is_run(&chars[at..at + n]))
            .last();
        match run {
            Some(n) => at += n,
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

fn is_run(piece: &[char]) -> bool {
    let forwards: String = piece.iter().collect();
    let backwards: String = piece.iter().rev().collect();
    RUNS.iter()
        .any(|row| row.contains(&forwards) || row.contains(&backwards))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMAIL: &str = "mara.lindt@lindenpost.example";

    #[test]
    fn ordinary_phrases_and_random_strings_pass() {
        for good in [
            "correct horse battery staple",
            "tram linden orange 4",
            "x7!kQ29vLm#2",
            "füchse im regen laufen",
            "密码可以是任何语言的十二字",
            "                 ab cd ef",
        ] {
            assert!(Password::choose(good, EMAIL).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_a_guesser_tries_first_is_refused() {
        for bad in [
            "password1234",
            "Password123456!",
            "123456789012",
            "qwertyuiop12",
            "aaaaaaaaaaaaaaaa",
            "abababababababab",
            "1q2w3e4r5t6y",
            "987654321098",
            "mara.lindt2026",
            "lindenpost-lindenpost",
            "canvassadmin1",
            "letmeinplease",
        ] {
            assert_eq!(
                Password::choose(bad, EMAIL).err(),
                Some(PasswordRefused::Guessable),
                "{bad}"
            );
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(
            Password::choose("short", EMAIL).err(),
            Some(PasswordRefused::TooShort)
        );
        assert_eq!(
            Password::choose("äöüßéèçñ漢字", EMAIL).err(),
            Some(PasswordRefused::TooShort)
        );
        assert_eq!(
            Password::choose(&"xy7".repeat(100), EMAIL).err(),
            Some(PasswordRefused::TooLong)
        );
        assert!(Password::typed(&"a".repeat(LONGEST_PASSWORD)).is_some());
        assert!(Password::typed(&"a".repeat(1_000_000)).is_none());
    }

    #[test]
    fn the_same_keys_give_the_same_password() {
        let (composed, decomposed) = ("caf\u{e9} tram linden", "cafe\u{301} tram linden");
        let bytes = |text| Password::typed(text).map(|p| p.bytes().to_vec());
        assert_eq!(bytes(composed), bytes(decomposed));
    }

    #[test]
    fn never_prints_itself() {
        assert_eq!(
            format!("{:?}", Password::typed("hunter2")),
            "Some([redacted])"
        );
    }
}
