//! Why an address is suppressed: `subscriptions` decides it, and the mailer records and lifts hard bounces.

/// Why an address must not be mailed. Codes are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suppression {
    HardBounce,
    Complaint,
    Editor,
    Erased,
}

impl Suppression {
    /// The code stored in the database.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::HardBounce => 1,
            Self::Complaint => 2,
            Self::Editor => 3,
            Self::Erased => 4,
        }
    }

    /// The name of the suppression with this code, for log lines.
    #[must_use]
    pub fn name_of(code: i16) -> &'static str {
        match Self::from_code(code) {
            Some(Self::HardBounce) => "bounce",
            Some(Self::Complaint) => "complaint",
            Some(Self::Editor) => "editor",
            Some(Self::Erased) => "erasure",
            None => "unknown",
        }
    }

    /// The suppression with this code; `None` for a code that no version of Canvass has written.
    const fn from_code(code: i16) -> Option<Self> {
        Some(match code {
            1 => Self::HardBounce,
            2 => Self::Complaint,
            3 => Self::Editor,
            4 => Self::Erased,
            _ => return None,
        })
    }

    /// Whether the owner of the address can end it by a fresh double opt-in. A complaint and an editor's decision stand
    /// until an editor lifts them: anybody can type the address of somebody who has reported our mail as spam, and
    /// another mail would prove that person right. An unknown code stands, too.
    #[must_use]
    pub const fn ends_by_opt_in(code: i16) -> bool {
        code == Self::HardBounce.code() || code == Self::Erased.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_and_editors_decisions_outlive_a_fresh_opt_in() {
        assert!(Suppression::ends_by_opt_in(Suppression::HardBounce.code()));
        assert!(Suppression::ends_by_opt_in(Suppression::Erased.code()));
        assert!(!Suppression::ends_by_opt_in(Suppression::Complaint.code()));
        assert!(!Suppression::ends_by_opt_in(Suppression::Editor.code()));
        assert!(!Suppression::ends_by_opt_in(99));
    }

    #[test]
    fn codes_stay_what_older_databases_hold() {
        let reasons = [
            Suppression::HardBounce,
            Suppression::Complaint,
            Suppression::Editor,
            Suppression::Erased,
        ];
        assert_eq!(reasons.map(Suppression::code), [1, 2, 3, 4]);
    }
}
