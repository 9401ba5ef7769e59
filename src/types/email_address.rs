//! An email address, parsed where it enters the program.
//!
//! Stricter than RFC 5322 and than the checks of mail libraries: an address that passes is safe in `RCPT TO`, in a
//! header and in a CSV file.
//!
//! - local part: a dot-atom of printable ASCII (RFC 5321 §4.1.2), at most 64 octets. Quoted local parts are legal and
//!   refused: hardly anyone has one, many relays refuse them, and they are the usual carrier of header injection.
//! - domain: the A-label form (UTS 46, strict, STD 3 rules), at least two labels, no IP literal, no all-numeric
//!   TLD.
//! - the whole: at most 254 octets (RFC 5321 §4.5.3.1.3, errata 1690).
//!
//! A local part outside ASCII needs a relay that supports SMTPUTF8. It has an error of its own, so that the reader
//! learns why.

use std::fmt;
use std::hash::{Hash, Hasher};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

const LONGEST_LOCAL_PART: usize = 64;
const LONGEST_ADDRESS: usize = 254;

/// An address that mail can be sent to. Two are equal when their [`key`](Self::key)s are.
#[derive(Clone)]
pub struct EmailAddress {
    mailbox: String,
    key: String,
    typed: String,
}

/// Why a text is not an address that we can mail. The message is for the person who typed it and never repeats the
/// text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefused {
    #[error("Enter your email address.")]
    Empty,
    #[error("An email address needs an @, like name@example.org.")]
    NoAt,
    #[error("There is nothing before the @.")]
    NoLocalPart,
    #[error("There is nothing after the @.")]
    NoDomain,
    #[error("The part before the @ has a character that an email address cannot have.")]
    LocalCharacter,
    #[error("The part before the @ cannot begin or end with a dot, or have two in a row.")]
    LocalDots,
    #[error("Addresses with quotation marks cannot be used here. Please give another one.")]
    QuotedLocalPart,
    #[error(
        "The part before the @ has letters beyond a–z, which our mail service cannot send to yet. Please give another address."
    )]
    NonAsciiLocalPart,
    #[error("The part before the @ is longer than 64 characters.")]
    LocalTooLong,
    #[error("The part after the @ is not a domain name, like example.org.")]
    Domain,
    #[error("The part after the @ is not complete: it needs an ending, like .org.")]
    SingleLabel,
    #[error("An IP address cannot be used after the @. Please give an address with a domain name.")]
    IpLiteral,
    #[error("The ending of the domain cannot be a number.")]
    NumericTopLevel,
    #[error("No mail can ever reach that domain.")]
    Unreachable,
    #[error("The address is longer than 254 characters.")]
    TooLong,
}

impl EmailAddress {
    /// Parses an address that must be exact: no surrounding space, no display name, no comment.
    ///
    /// # Errors
    /// The first [`AddressRefused`] that applies.
    pub fn parse(text: &str) -> Result<Self, AddressRefused> {
        if text.is_empty() {
            return Err(AddressRefused::Empty);
        }
        // Checked before anything is allocated or normalised; no acceptable address in any script is this long.
        if text.len() > 4 * LONGEST_ADDRESS {
            return Err(AddressRefused::TooLong);
        }
        if text.starts_with('"') && text.contains("\"@") {
            return Err(AddressRefused::QuotedLocalPart);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(AddressRefused::NoAt)?;
        check_local_part(local)?;
        let domain = domain_to_ascii(domain)?;
        let mailbox = format!("{local}@{domain}");
        if mailbox.len() > LONGEST_ADDRESS {
            return Err(AddressRefused::TooLong);
        }
        Ok(Self {
            key: mailbox.to_ascii_lowercase(),
            mailbox,
            typed: text.to_owned(),
        })
    }

    /// Parses what a person typed or pasted. Surrounding white space is dropped, but line breaks are refused: no
    /// browser sends them from a one-line field, so they are an injection attempt.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_typed(text: &str) -> Result<Self, AddressRefused> {
        Self::parse(text.trim_matches(|c: char| {
            c.is_whitespace() && !matches!(c, '\r' | '\n' | '\u{2028}' | '\u{2029}')
        }))
    }

    /// The address for the envelope and the headers: local part as typed, domain as A-label, ASCII only.
    pub fn as_str(&self) -> &str {
        &self.mailbox
    }

    /// What the person typed, for showing it back to them.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The canonical form, all lower case, which is unique. RFC 5321 allows case-sensitive local parts, but no
    /// provider of any size has them, and a reader who types a capital must not get two copies. Rules of single
    /// providers (dots, plus) are not applied.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The domain as A-label, in lower case.
    pub fn domain(&self) -> &str {
        self.mailbox
            .rsplit_once('@')
            .map_or("", |(_, domain)| domain)
    }
}

fn check_local_part(local: &str) -> Result<(), AddressRefused> {
    if local.is_empty() {
        return Err(AddressRefused::NoLocalPart);
    }
    if local.contains('"') {
        return Err(AddressRefused::QuotedLocalPart);
    }
    let mut foreign = false;
    for c in local.chars() {
        if c.is_ascii() {
            if c != '.' && !is_atext(c) {
                return Err(AddressRefused::LocalCharacter);
            }
        } else if c.is_alphanumeric() {
            foreign = true;
        } else if !is_mark(c) {
            return Err(AddressRefused::LocalCharacter);
        } else {
            foreign = true;
        }
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err(AddressRefused::LocalDots);
    }
    if foreign {
        return Err(AddressRefused::NonAsciiLocalPart);
    }
    if local.len() > LONGEST_LOCAL_PART {
        return Err(AddressRefused::LocalTooLong);
    }
    Ok(())
}

/// `atext` of RFC 5321 §4.1.2 (by reference to RFC 5322 §3.2.3).
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// Combining marks; they only decide which error is shown.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

fn domain_to_ascii(domain: &str) -> Result<String, AddressRefused> {
    if domain.is_empty() {
        return Err(AddressRefused::NoDomain);
    }
    if domain.starts_with('[') {
        return Err(AddressRefused::IpLiteral);
    }
    let ascii = Uts46::new()
        .to_ascii(
            domain.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::Check,
            DnsLength::Verify,
        )
        .map_err(|_| AddressRefused::Domain)?;
    if ascii.contains("xn--") && !is_registrable(&ascii) {
        return Err(AddressRefused::Domain);
    }
    let top = match ascii.rsplit_once('.') {
        Some((_, top)) => top,
        None => return Err(AddressRefused::SingleLabel),
    };
    if top.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AddressRefused::NumericTopLevel);
    }
    // Reserved names, for which no mail server can exist (RFC 6761, 6762, 7686, 9476; `arpa` holds no mailboxes).
    // `.test` and `.example` are accepted, because people try Canvass out with them.
    if matches!(
        top,
        "invalid" | "localhost" | "local" | "onion" | "alt" | "arpa"
    ) {
        return Err(AddressRefused::Unreachable);
    }
    Ok(ascii.into_owned())
}

/// UTS 46 accepts symbols that IDNA 2008, and with it every registry, refuses (RFC 5892 §2: letters, digits, marks,
/// and a few signs that may only stand between letters).
fn is_registrable(ascii: &str) -> bool {
    let (unicode, valid) =
        Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    let between_letters = |c| {
        matches!(
            c,
            '\u{b7}' | '\u{375}' | '\u{5f3}' | '\u{5f4}' | '\u{30fb}' | '\u{200c}' | '\u{200d}'
        )
    };
    valid.is_ok()
        && unicode.chars().all(|c| {
            c.is_alphanumeric() || is_mark(c) || matches!(c, '-' | '.') || between_letters(c)
        })
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for EmailAddress {}

impl Hash for EmailAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

/// Redacted, so that an address never shows in a log line by accident. There is no `Display` for the same reason.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

#[cfg(test)]
mod tests;
