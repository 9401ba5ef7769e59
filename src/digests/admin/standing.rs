//! Words for the state of a recipient, and the names of filters in addresses.

use crate::mailer::mailing::{
    Attempt, Counts, DeliveryState, DeliveryStateName, Progress, Reason, Recipient, Standing,
};

/// Name in addresses and files, label of the filter, and the state itself.
pub(super) const STANDINGS: &[(&str, &str, Standing)] = &[
    ("sent", "Handed over", Standing::Is(DeliveryState::Sent)),
    ("waiting", "Waiting", Standing::Waiting),
    (
        "deferred",
        "Deferred",
        Standing::Is(DeliveryState::Deferred),
    ),
    ("failed", "Failed", Standing::Is(DeliveryState::Failed)),
    ("unknown", "In doubt", Standing::Is(DeliveryState::Unknown)),
    ("skipped", "Skipped", Standing::Is(DeliveryState::Skipped)),
];

/// The reasons that a list can be filtered by: name in addresses, and the reason.
pub(super) const REASONS: &[(&str, Reason)] = &[
    ("later", Reason::Later),
    ("again", Reason::Again),
    ("in_doubt", Reason::InDoubt),
    ("interrupted", Reason::Interrupted),
    ("crashed", Reason::Crashed),
    ("refused", Reason::Refused),
    ("ours", Reason::Ours),
    ("internal", Reason::Internal),
    ("expired", Reason::Expired),
    ("bad_address", Reason::BadAddress),
    ("left", Reason::Left),
    ("removed", Reason::Removed),
    ("bounced", Reason::Bounced),
    ("complained", Reason::Complained),
    ("suppressed", Reason::Suppressed),
    ("erased", Reason::Erased),
    ("cancelled", Reason::Cancelled),
];

pub(super) fn named(name: &str) -> Option<Standing> {
    STANDINGS
        .iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, _, standing)| *standing)
}

pub(super) fn reason_named(name: &str) -> Option<Reason> {
    REASONS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, reason)| *reason)
}

/// The reasons that occur among recipients in `state` (empty: any), with their counts, and in any case the chosen
/// one. Deferred recipients are not counted by reason.
pub(super) fn occurring(
    progress: &Progress,
    state: &str,
    chosen: &str,
) -> Vec<(&'static str, Reason, Option<i64>)> {
    let wanted = |name: &str| named(state).is_none() || state == name;
    let deferred = wanted("deferred") && progress.counts.deferred > 0;
    let of = |reason: Reason| -> i64 {
        let ended = progress.reasons.iter().filter(|(ended, is, _)| {
            let name = match ended {
                DeliveryStateName::Failed => "failed",
                DeliveryStateName::Skipped => "skipped",
            };
            *is == reason && wanted(name)
        });
        let doubts = progress.doubts.iter();
        let doubts = doubts.filter(|(is, _)| *is == reason && wanted("unknown"));
        ended.map(|(.., n)| n).sum::<i64>() + doubts.map(|(_, n)| n).sum::<i64>()
    };
    let of_deferred = Reason::of_state(DeliveryState::Deferred).unwrap_or_default();
    REASONS
        .iter()
        .filter_map(|(name, reason)| {
            let n = of(*reason);
            let more = deferred && of_deferred.contains(reason);
            (n > 0 || more || *name == chosen).then_some((*name, *reason, (!more).then_some(n)))
        })
        .collect()
}

/// The name of a state in files.
pub(super) fn name(standing: Standing) -> &'static str {
    STANDINGS
        .iter()
        .find(|(_, _, known)| *known == standing)
        .map_or("in hand", |(name, ..)| name)
}

/// The words for a state and the CSS class of its badge.
pub(super) fn words(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Waiting => ("Waiting", "is-neutral"),
        Standing::Is(DeliveryState::Intent) => ("Being sent", "is-live"),
        Standing::Is(DeliveryState::Sent) => ("Handed over", "is-good"),
        Standing::Is(DeliveryState::Deferred) => ("Deferred", "is-wait"),
        Standing::Is(DeliveryState::Failed) => ("Failed", "is-bad"),
        Standing::Is(DeliveryState::Unknown) => ("In doubt", "is-bad"),
        Standing::Is(DeliveryState::Skipped) => ("Skipped", "is-neutral"),
    }
}

/// The reason in words; empty if there is none.
pub(super) fn reason(one: &Recipient) -> &'static str {
    match one.reason {
        Reason::None => "",
        reason => reason.words(),
    }
}

/// An address split before its `@`, where a line may break.
pub(super) fn halves(email: &str) -> (&str, &str) {
    email.split_at(email.rfind('@').unwrap_or(email.len()))
}

/// The address, or a note that it was erased.
pub(super) fn email(one: &Recipient) -> &str {
    if one.email.is_empty() {
        "(erased)"
    } else {
        &one.email
    }
}

/// The server's reply, preceded by its code.
pub(super) fn said(attempt: &Attempt) -> String {
    match attempt.code {
        0 => attempt.reply.clone(),
        code => format!("{code} {}", attempt.reply),
    }
}

/// How many of the audience a filter shows. Without a filter: all who were attempted or skipped.
pub(super) fn of_counts(counts: &Counts, name: &str) -> i64 {
    match named(name) {
        None => counts.audience - counts.queued,
        Some(Standing::Waiting) => counts.queued,
        Some(Standing::Is(state)) => match state {
            DeliveryState::Intent => 0,
            DeliveryState::Sent => counts.sent,
            DeliveryState::Deferred => counts.deferred,
            DeliveryState::Failed => counts.failed,
            DeliveryState::Unknown => counts.unknown,
            DeliveryState::Skipped => counts.skipped,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailer::mailing::MailingState;
    use crate::types::UnixMillis;

    fn offered(deferred: i64, state: &str, chosen: &str) -> Vec<(&'static str, Option<i64>)> {
        let progress = Progress {
            state: MailingState::Finished,
            reason: String::new(),
            counts: Counts {
                deferred,
                ..Counts::default()
            },
            reasons: vec![
                (DeliveryStateName::Failed, Reason::Refused, 7),
                (DeliveryStateName::Skipped, Reason::Left, 2),
            ],
            doubts: vec![(Reason::InDoubt, 3)],
            came_back: Vec::new(),
            not_before: UnixMillis(0),
            started: None,
            finished: None,
        };
        let offered = occurring(&progress, state, chosen);
        offered.into_iter().map(|(name, _, n)| (name, n)).collect()
    }

    #[test]
    fn only_reasons_that_somebody_has_are_offered() {
        assert_eq!(
            offered(0, "", ""),
            [
                ("in_doubt", Some(3)),
                ("refused", Some(7)),
                ("left", Some(2))
            ]
        );
        assert_eq!(offered(0, "failed", ""), [("refused", Some(7))]);
        assert_eq!(offered(0, "sent", "left"), [("left", Some(0))]);
        // Deferred recipients are not counted by reason.
        assert_eq!(
            offered(1, "deferred", ""),
            [("later", None), ("again", None), ("in_doubt", None)]
        );
    }
}
