//! A rate limit with even spacing: the virtual scheduling algorithm of ITU-T I.371, which needs one number and no
//! timer.

use std::time::Duration;

use tokio::time::Instant;

/// When the next mail may be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The time between two slots; zero: no limit.
    gap: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// At most `per_second` mails a second; 0: no limit.
    pub(super) fn of(per_second: u32) -> Self {
        let gap = Duration::from_secs(1).checked_div(per_second);
        Self {
            gap: gap.unwrap_or(Duration::ZERO),
            next: None,
        }
    }

    /// How long the next mail would have to wait.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.next
            .map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
    }

    /// Takes the next slot, which begins after [`Pace::wait`]; the slot after it comes one gap later.
    pub(super) fn take(&mut self, now: Instant) {
        if !self.gap.is_zero() {
            self.next = Some(self.next.map_or(now, |next| next.max(now)) + self.gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_as_many_as_allowed() {
        let start = Instant::now();
        let mut pace = Pace::of(4);
        let mut now = start;
        for _ in 0..40 {
            now += pace.wait(now);
            pace.take(now);
        }
        assert_eq!(now - start, Duration::from_millis(39 * 250));
        assert_eq!(pace.wait(now + Duration::from_secs(9)), Duration::ZERO);
        let mut free = Pace::of(0);
        free.take(now);
        assert_eq!(free.wait(now), Duration::ZERO);
    }
}
