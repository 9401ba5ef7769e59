//! One hash over all ballots, whatever the order they came in: what stays to be compared when the log is gone.

use aws_lc_rs::digest::{Context, SHA256};

use super::log::{Hash, finished};
use crate::types::PollId;

/// A root in the making: `SHA-256("canvass ballots 1" 00 | poll | each ballot)`, ballots in the order of their keys, each as
/// key | tier | 1 if set aside, else 0 | length of the choices | choices; numbers are 8 bytes, big endian.
pub(super) struct Root(Context);

impl Root {
    pub(super) fn of(poll: PollId) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(b"canvass ballots 1\0");
        context.update(&poll.0.to_be_bytes());
        Self(context)
    }

    pub(super) fn add(&mut self, voter: &[u8], tier: i64, set_aside: bool, choices: &[u8]) {
        self.0.update(voter);
        self.0.update(&tier.to_be_bytes());
        self.0.update(&i64::from(set_aside).to_be_bytes());
        let length = i64::try_from(choices.len()).unwrap_or(i64::MAX);
        self.0.update(&length.to_be_bytes());
        self.0.update(choices);
    }

    pub(super) fn finish(self) -> Hash {
        finished(self.0)
    }
}
