//! Readers who must not be mailed any more, according to the exports of other systems. Pure.
//!
//! The columns are those of Ghost, listmonk, Mailchimp, Substack, Beehiiv, Buttondown, Keila and others. An unknown
//! value is refused, because consent must not be guessed.

use jiff::Timestamp;

use self::Gone::{Blocked, Bounced, Complained, Left, Unconfirmed};
use self::Says::{Is, May, State};
use crate::subscriptions::model::Suppression;

/// Why a reader is not to be subscribed. If there are several reasons, the last in this order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gone {
    /// What the file says is not understood.
    Unclear,
    /// Never confirmed the address.
    Unconfirmed,
    Left,
    Bounced,
    /// Was blocked by the operator of the list.
    Blocked,
    Complained,
}

impl Gone {
    /// The words in a report.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unclear => "the file: another row about this reader is unclear",
            Self::Unconfirmed => "the file says: never confirmed",
            Self::Left => "the file says: has left",
            Self::Bounced => "the file says: bounced; suppressed",
            Self::Blocked => "the file says: blocked; suppressed",
            Self::Complained => "the file says: complained; suppressed",
        }
    }

    /// The reason for which the address has to be suppressed, if it has to be.
    pub fn suppression(self) -> Option<Suppression> {
        match self {
            Self::Unclear | Self::Unconfirmed | Self::Left => None,
            Self::Bounced => Some(Suppression::HardBounce),
            Self::Blocked => Some(Suppression::Editor),
            Self::Complained => Some(Suppression::Complaint),
        }
    }
}

/// The meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// A word: `active`, `unsubscribed`.
    State,
    /// Yes or a time: may be mailed. No or empty: this.
    May(Gone),
    /// Yes or a time: this. No or empty: may be mailed.
    Is(Gone),
}

/// The titles that are understood, and the meaning of their columns.
const COLUMNS: [(&str, Says); 55] = [
    ("status", State),
    ("state", State),
    ("subscription_status", State),
    ("subscription_state", State),
    ("subscriber_status", State),
    ("subscriber_type", State),
    ("email_status", State),
    ("member_status", State),
    ("marketing_status", State),
    ("subscribed_to_emails", May(Left)),
    ("subscribed", May(Left)),
    ("is_subscribed", May(Left)),
    ("active", May(Left)),
    ("is_active", May(Left)),
    ("enabled", May(Left)),
    ("opt_in", May(Left)),
    ("opted_in", May(Left)),
    ("email_opt_in", May(Left)),
    ("accepts_marketing", May(Left)),
    ("accepts_email_marketing", May(Left)),
    ("confirmed", May(Unconfirmed)),
    ("is_confirmed", May(Unconfirmed)),
    ("verified", May(Unconfirmed)),
    ("email_verified", May(Unconfirmed)),
    ("unsubscribed", Is(Left)),
    ("unsubscribed_at", Is(Left)),
    ("unsubscribed_on", Is(Left)),
    ("unsubscribed_date", Is(Left)),
    ("is_unsubscribed", Is(Left)),
    ("unsubscribe_date", Is(Left)),
    ("unsub_time", Is(Left)),
    ("date_unsubscribed", Is(Left)),
    ("opt_out", Is(Left)),
    ("opted_out", Is(Left)),
    ("opted_out_at", Is(Left)),
    ("email_opt_out", Is(Left)),
    ("email_disabled", Is(Left)),
    ("disabled", Is(Left)),
    ("deleted", Is(Left)),
    ("deleted_at", Is(Left)),
    ("removed_at", Is(Left)),
    ("left_at", Is(Left)),
    ("bounced", Is(Bounced)),
    ("bounced_at", Is(Bounced)),
    ("hard_bounced", Is(Bounced)),
    ("clean_time", Is(Bounced)),
    ("cleaned_at", Is(Bounced)),
    ("complained", Is(Complained)),
    ("complained_at", Is(Complained)),
    ("marked_as_spam", Is(Complained)),
    ("spam_complaint", Is(Complained)),
    ("blocked", Is(Blocked)),
    ("blocklisted", Is(Blocked)),
    ("blacklisted", Is(Blocked)),
    ("suppressed", Is(Blocked)),
];

/// The meaning of the column with this title, and our name for it.
pub fn says(title: &str) -> Option<(&'static str, Says)> {
    let title = plain(title);
    COLUMNS.into_iter().find(|(name, _)| *name == title)
}

/// Whether a title that is unknown to [`says`] looks as if the column said who may be mailed.
pub fn looks_alike(title: &str) -> bool {
    const STEMS: [&str; 10] = [
        "unsub",
        "opt_out",
        "optout",
        "opted_out",
        "blocklist",
        "blacklist",
        "bounce",
        "complain",
        "suppress",
        "spam",
    ];
    const WHOSE: [&str; 6] = [
        "subscri",
        "email",
        "member",
        "contact",
        "marketing",
        "opt_in",
    ];
    let title = plain(title);
    let has = |parts: &[&str]| parts.iter().any(|part| title.contains(part));
    has(&STEMS) || ((title.contains("status") || title.contains("state")) && has(&WHOSE))
}

/// Reads a cell of such a column; `None`: may be mailed.
///
/// # Errors
/// If the value is not understood.
pub fn read(says: Says, cell: &str) -> Result<Option<Gone>, Unknown> {
    let word = plain(cell);
    match says {
        Says::State => state(&word),
        Says::May(gone) => match yes(&word, cell)? {
            Some(true) => Ok(None),
            Some(false) | None => Ok(Some(gone)),
        },
        Says::Is(gone) => Ok(yes(&word, cell)?.filter(|yes| *yes).map(|_| gone)),
    }
}

/// The content of a cell that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    #[error("an empty cell")]
    Nothing,
    /// A word that is harmless enough to show.
    #[error("“{0}”")]
    Word(String),
    /// Anything else, which may be an address or a name and is not shown.
    #[error("the value")]
    Else,
}

impl Unknown {
    fn of(word: &str) -> Self {
        let harmless = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match word {
            "" => Self::Nothing,
            word if word.len() <= 30 && word.chars().all(harmless) => Self::Word(word.to_owned()),
            _ => Self::Else,
        }
    }
}

fn state(word: &str) -> Result<Option<Gone>, Unknown> {
    Ok(match word {
        // Buttondown's kinds of subscribers, and Ghost's of members, are active too.
        "active" | "enabled" | "subscribed" | "confirmed" | "verified" | "opted_in" | "valid"
        | "regular" | "premium" | "gifted" | "trialed" | "free" | "paid" | "comped" => None,
        "unsubscribed" | "left" | "inactive" | "disabled" | "deleted" | "removed" | "archived"
        | "opted_out" | "nonsubscribed" | "non_subscribed" | "not_subscribed" | "transactional" => {
            Some(Gone::Left)
        }
        "pending" | "unconfirmed" | "not_confirmed" | "unactivated" | "unverified"
        | "validating" => Some(Gone::Unconfirmed),
        "bounced"
        | "hard_bounced"
        | "cleaned"
        | "unreachable"
        | "undeliverable"
        | "undeliverable_address"
        | "invalid" => Some(Gone::Bounced),
        "complained" | "complaint" | "spam" | "spam_complaint" | "marked_as_spam" | "abuse" => {
            Some(Gone::Complained)
        }
        "blocklisted" | "blacklisted" | "blocked" | "banned" | "suppressed" => Some(Gone::Blocked),
        other => return Err(Unknown::of(other)),
    })
}

/// Reads yes, no or empty; a time counts as yes.
fn yes(word: &str, cell: &str) -> Result<Option<bool>, Unknown> {
    match word {
        "" | "null" | "none" | "nil" | "\\n" => Ok(None),
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(Some(true)),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(Some(false)),
        zeros if zeros.starts_with("0000_00_00") => Ok(None),
        _ if time(cell.trim()) => Ok(Some(true)),
        other => Err(Unknown::of(other)),
    }
}

fn time(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok()
        || text.parse::<jiff::civil::DateTime>().is_ok()
        || text.parse::<jiff::civil::Date>().is_ok()
}

fn plain(text: &str) -> String {
    text.trim().to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_well_known_exports_say_is_understood() {
        for (title, cell, meant) in [
            ("subscribed_to_emails", "true", None),
            ("subscribed_to_emails", "false", Some(Gone::Left)),
            ("deleted_at", "", None),
            ("deleted_at", "2023-01-01T00:00:00.000Z", Some(Gone::Left)),
            ("status", "enabled", None),
            ("Status", "Blocklisted", Some(Gone::Blocked)),
            ("UNSUB_TIME", "2020-01-01 10:00:00", Some(Gone::Left)),
            ("CLEAN_TIME", "2020-01-01 10:00:00", Some(Gone::Bounced)),
            ("email_disabled", "false", None),
            ("email_disabled", "true", Some(Gone::Left)),
            ("Subscription Status", "Non-subscribed", Some(Gone::Left)),
            ("subscriber_type", "unactivated", Some(Gone::Unconfirmed)),
            ("state", "unreachable", Some(Gone::Bounced)),
            ("opted-out", "0000-00-00 00:00:00", None),
            ("confirmed", "", Some(Gone::Unconfirmed)),
            ("confirmed", "2020-01-01", None),
            ("complained", "1", Some(Gone::Complained)),
        ] {
            let (_, says) = says(title).expect(title);
            assert_eq!(read(says, cell), Ok(meant), "{title}: {cell}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for (title, cell, shown) in [
            ("status", "churned", "“churned”"),
            ("status", "", "an empty cell"),
            ("status", "anna@example.org", "the value"),
            ("unsubscribed_at", "soon", "“soon”"),
            ("subscribed", "maybe", "“maybe”"),
        ] {
            let (_, says) = says(title).expect(title);
            let unknown = read(says, cell).expect_err(title);
            assert_eq!(unknown.to_string(), shown);
        }
        for title in [
            "UNSUB_REASON",
            "Contact status",
            "soft_bounces",
            "optout_link",
            "email state",
        ] {
            assert!(says(title).is_none() && looks_alike(title), "{title}");
        }
        for title in [
            "name",
            "note",
            "labels",
            "payment_status",
            "state_of_residence",
            "city",
        ] {
            assert!(says(title).is_none() && !looks_alike(title), "{title}");
        }
    }

    #[test]
    fn the_weightiest_reason_counts() {
        assert!(Gone::Complained > Gone::Bounced && Gone::Left > Gone::Unconfirmed);
        assert!(Gone::Unconfirmed > Gone::Unclear);
        assert_eq!(Gone::Left.suppression(), None);
        assert_eq!(Gone::Complained.suppression(), Some(Suppression::Complaint));
    }
}
