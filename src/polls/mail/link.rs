//! The content of a personal link: which answer to which poll, in which issue, for which reader.

use crate::polls::model::{Kind, Question, Role};
use crate::types::varint::{pack, unpack};
use crate::types::{IssueId, Keys, PollId, Purpose, ReaderId};

/// A vote link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub poll: PollId,
    /// The option to preselect; 0: none, the link leads to the whole form.
    pub key: i64,
    /// `None` in mails that are not issues, and in links from before counting by issue.
    pub issue: Option<IssueId>,
    /// 0: no reader, in a preview or a test mail.
    pub reader: ReaderId,
}

impl Said {
    /// Decodes the token of `/v/{token}`.
    pub(super) fn read(keys: &Keys, token: &str) -> Option<Self> {
        let payload = keys.open(Purpose::Vote, token).ok()?;
        let (poll, key, issue, reader) = match unpack::<4>(&payload) {
            Some([poll, key, issue, reader]) => (poll, key, Some(IssueId(issue)), reader),
            None => {
                let [poll, key, reader] = unpack::<3>(&payload)?;
                (poll, key, None, reader)
            }
        };
        Some(Self {
            poll: PollId(poll),
            key,
            issue,
            reader: ReaderId(reader),
        })
    }
}

/// The token of a link to the whole `poll` for `reader`, in a mail that is not an issue.
pub fn answer_link(keys: &Keys, poll: PollId, reader: ReaderId) -> String {
    keys.seal(Purpose::Vote, &pack(&[poll.0, 0, reader.0]))
}

/// Decodes the token of `/c/{token}`: the first poll of its mail, the issue and the reader.
pub(super) fn read_canary(keys: &Keys, token: &str) -> Option<(PollId, IssueId, ReaderId)> {
    let [poll, issue, reader] = unpack(&keys.open(Purpose::Canary, token).ok()?)?;
    Some((PollId(poll), IssueId(issue), ReaderId(reader)))
}

/// An option as a mail offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    pub key: i64,
    pub label: String,
    /// "Other" and "None of these" come after all other options.
    pub last: bool,
}

/// The options of a question that a single link can answer. Empty if no link can give a whole answer (a
/// ranking, several at once), or if the options must not be shuffled (the points of a scale); then the mail
/// links to the whole question.
pub fn by_one_link(question: &Question) -> Vec<Offered> {
    if !matches!(question.kind, Kind::Single | Kind::Several) || question.min_choices > 1 {
        return Vec::new();
    }
    let offered = question.options.iter().filter(|option| !option.retired);
    offered
        .map(|option| Offered {
            key: option.key,
            label: option.label.clone(),
            last: option.role != Role::Plain,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::example;
    use crate::types::Secret;

    #[test]
    fn only_what_one_link_can_answer_is_offered_by_links() {
        let mut question = example::single(&["Yes", "No", "Other"]).questions.remove(0);
        question.options[1].retired = true;
        question.options[2].role = Role::Words;
        let offered: Vec<_> = by_one_link(&question)
            .into_iter()
            .map(|option| (option.key, option.last))
            .collect();
        assert_eq!(offered, [(1, false), (3, true)]);
        for kind in [Kind::Rating, Kind::Ranked] {
            question.kind = kind;
            assert_eq!(by_one_link(&question), []);
        }
        (question.kind, question.min_choices) = (Kind::Several, 2);
        assert_eq!(by_one_link(&question), []);
    }

    #[test]
    fn links_of_old_and_new_mails_are_read() {
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a key");
        let read = |numbers: &[i64]| Said::read(&keys, &keys.seal(Purpose::Vote, &pack(numbers)));
        let said = Said {
            poll: PollId(7),
            key: 2,
            issue: Some(IssueId(300)),
            reader: ReaderId(70_000),
        };
        assert_eq!(read(&[7, 2, 300, 70_000]), Some(said));
        assert_eq!(
            read(&[7, 2, 70_000]),
            Some(Said {
                issue: None,
                ..said
            })
        );
        assert_eq!(read(&[7, 2]), None);
        assert_eq!(read(&[7, 2, 300, 70_000, 1]), None);
        let canary = keys.seal(Purpose::Canary, &pack(&[7, 300, 70_000]));
        assert_eq!(Said::read(&keys, &canary), None, "a canary is no vote");
        assert_eq!(
            read_canary(&keys, &canary),
            Some((PollId(7), IssueId(300), ReaderId(70_000)))
        );
    }
}
