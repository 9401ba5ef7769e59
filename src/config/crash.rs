//! Crash points: named steps at which a debug build can be made to exit, so that tests can show what a crash there
//! costs.
//!
//! `CANVASS_CRASH_AT=after_dot:3` ends the process when it reaches that step for the third time. This is not a
//! setting: a release build has no crash points.

use std::time::Duration;

/// The steps of a mailing, in the order in which an issue reaches them; `mailer::mailing` says where each one lies.
pub const CRASH_POINTS: [&str; 15] = [
    "prepare_begun",
    "prepare_chunk",
    "prepare_end",
    "lease_taken",
    "before_intent",
    "in_ledger_commit",
    "after_ledger_commit",
    "after_intent",
    "in_body",
    "after_dot",
    "after_reply",
    "after_outcome",
    "in_batch_end",
    "after_batch_end",
    "in_finish",
];

/// The steps of sealing a poll, in order.
pub const SEAL_CRASH_POINTS: [&str; 4] =
    ["in_seal", "before_seal_commit", "after_seal", "after_scrub"];

/// The steps of writing a long SQLite table anew, in order.
pub const SCRUB_CRASH_POINTS: [&str; 4] = [
    "scrub_copy_begun",
    "scrub_piece_copied",
    "scrub_names_changed",
    "scrub_piece_removed",
];

/// Ends the process at once, without any clean-up, if it was told to crash at this step.
#[cfg(debug_assertions)]
pub fn crash_point(name: &str) {
    use std::sync::OnceLock;
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    debug_assert!(
        CRASH_POINTS.contains(&name)
            || SEAL_CRASH_POINTS.contains(&name)
            || SCRUB_CRASH_POINTS.contains(&name),
        "{name} is not in the lists"
    );
    let armed = ARMED.get_or_init(|| Armed::of(&super::environment().unwrap_or_default()));
    if armed.as_ref().is_some_and(|armed| armed.hit(name)) {
        std::process::abort();
    }
}

/// Does nothing in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn crash_point(_name: &str) {}

/// For how long the clock must not have been set before something is destroyed by it. A test of the real program cannot
/// wait for that: a debug build believes its clock at once if `CANVASS_TEST_STEADY_CLOCK` is set.
#[must_use]
pub fn steady_after() -> Duration {
    #[cfg(debug_assertions)]
    if super::environment()
        .unwrap_or_default()
        .iter()
        .any(|(name, _)| name == "CANVASS_TEST_STEADY_CLOCK")
    {
        return Duration::ZERO;
    }
    Duration::from_secs(60 * 60)
}

#[cfg(debug_assertions)]
struct Armed {
    name: String,
    left: std::sync::atomic::AtomicU32,
}

#[cfg(debug_assertions)]
impl Armed {
    fn of(environment: &[(String, String)]) -> Option<Self> {
        let (_, value) = environment.iter().find(|(k, _)| k == "CANVASS_CRASH_AT")?;
        let (name, times) = value.split_once(':').unwrap_or((value, "1"));
        Some(Self {
            name: name.to_owned(),
            left: times.parse().unwrap_or(1).into(),
        })
    }

    /// Whether this visit is the one to crash at.
    fn hit(&self, name: &str) -> bool {
        use std::sync::atomic::Ordering;
        self.name == name && self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_hit_at_the_visit_it_was_told() {
        let armed = |value: &str| Armed::of(&[("CANVASS_CRASH_AT".into(), value.into())]);
        let third = armed("after_dot:3").expect("armed");
        let hits = [0; 4].map(|_| third.hit("after_dot"));
        assert_eq!(hits, [false, false, true, false]);
        assert!(!third.hit("in_finish"));
        assert!(armed("in_finish").is_some_and(|a| a.hit("in_finish")));
        assert!(Armed::of(&[]).is_none());
    }
}
