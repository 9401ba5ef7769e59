//! Verifies that a poll still asks what it asked when its answers came in.

use super::log::{Terms, Wording};
use super::replay::Replay;
use super::verify::{Verified, name};
use crate::polls::model::Poll;
use crate::types::OptionId;

/// Compares the texts and the terms that were recorded with the first answers with those that are used now. Chains from
/// before there were terms have none.
pub(super) fn asked(poll: &Poll, replay: &Replay<'_>, verified: &mut Verified) {
    wording(poll, &replay.wordings, verified);
    terms(poll, &replay.terms, verified);
}

fn wording(poll: &Poll, wordings: &[Wording], verified: &mut Verified) {
    let now = Wording::of(poll);
    for then in wordings {
        for (key, text) in &then.questions {
            if !now.questions.contains(&(*key, *text)) {
                verified.find(format!("the text of question {key} was changed"));
            }
        }
        for (id, key, label) in &then.options {
            if !now.options.contains(&(*id, *key, *label)) {
                let name = name(poll, OptionId(*id));
                verified.find(format!("the text of {name} was changed"));
            }
        }
    }
}

fn terms(poll: &Poll, terms: &[Terms], verified: &mut Verified) {
    let now = Terms::of(poll);
    for then in terms {
        if now.poll != then.poll {
            verified.find("the introduction was changed, or whose answers the result counts");
        }
        for (key, rules) in &then.questions {
            if !now.questions.contains(&(*key, *rules)) {
                verified.find(format!(
                    "the kind of question {key} or its scale was changed"
                ));
            }
        }
        for (id, rules) in &then.options {
            if !now.options.contains(&(*id, *rules)) {
                let name = name(poll, OptionId(*id));
                verified.find(format!("the picture of {name} or its role was changed"));
            }
        }
    }
}
