//! Readers selected by their answers: those who agreed to a link and chose one of some options.

use std::fmt;

use super::store;
use crate::app::App;
use crate::db::{Db, DbErr, WriteTxn};
use crate::polls::answer::stored_options;
use crate::polls::definition::by_id;
use crate::polls::model::{Poll, Question};
use crate::types::varint::pack;
use crate::types::{OptionId, PollId, ReaderId};

/// The smallest segment: a mail to fewer readers could be aimed at a single one.
pub const SMALLEST: i64 = 10;

/// The readers who chose one of these options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub poll: PollId,
    pub options: Vec<OptionId>,
}

impl Segment {
    /// Decodes the column `options` of its row.
    #[must_use]
    pub fn from_stored(poll: PollId, options: &[u8]) -> Self {
        let options = stored_options(options);
        Self { poll, options }
    }

    /// Encodes it for that column.
    #[must_use]
    pub fn to_stored(&self) -> Vec<u8> {
        pack(&self.options.iter().map(|id| id.0).collect::<Vec<_>>())
    }

    /// Whether a ballot with these choices belongs to it.
    fn holds(&self, choices: &[u8]) -> bool {
        let chosen = stored_options(choices);
        chosen.iter().any(|id| self.options.contains(id))
    }
}

/// The numbers of linked answers of a poll, grouped by what they say.
#[derive(Debug)]
pub struct Tally(Vec<(Vec<OptionId>, i64)>);

impl Tally {
    /// Reads the tally of a poll.
    pub async fn of(db: &Db, poll: PollId) -> Result<Self, DbErr> {
        let kinds = store::kinds(db, poll).await?;
        let read = |(choices, n): (Vec<u8>, i64)| (stored_options(&choices), n);
        Ok(Self(kinds.into_iter().map(read).collect()))
    }

    /// The number of readers whose answer is linked.
    pub fn all(&self) -> i64 {
        self.0.iter().map(|(_, n)| n).sum()
    }

    /// The number of them who chose one of these options.
    pub fn of_any(&self, options: &[OptionId]) -> i64 {
        let met = self.0.iter();
        let met = met.filter(|(said, _)| said.iter().any(|id| options.contains(id)));
        met.map(|(_, n)| n).sum()
    }
}

/// Why no mail can be sent to the readers who chose these options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Nothing,
    Few { options: usize, readers: i64 },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Few { options, readers } = self else {
            return f.write_str("Choose at least one answer.");
        };
        let these = if *options == 1 {
            "This answer was"
        } else {
            "These answers were"
        };
        let plural = if *readers == 1 { "" } else { "s" };
        write!(
            f,
            "{these} chosen by {readers} reader{plural} who agreed. Write to at least {SMALLEST}: a mail to fewer could be meant for one of them."
        )
    }
}

/// The readers who chose one of the options with these keys, if there are enough to be written to.
pub async fn chosen(
    app: &App,
    poll: &Poll,
    keys: &[i64],
) -> Result<Result<Segment, Refused>, DbErr> {
    let options = poll.options().filter(|option| keys.contains(&option.key));
    let options: Vec<OptionId> = options.map(|option| option.id).collect();
    if options.is_empty() {
        return Ok(Err(Refused::Nothing));
    }
    let readers = Tally::of(&app.db, poll.id).await?.of_any(&options);
    if readers < SMALLEST {
        let options = options.len();
        return Ok(Err(Refused::Few { options, readers }));
    }
    let poll = poll.id;
    Ok(Ok(Segment { poll, options }))
}

/// The readers in the segment, ascending. With `frozen`, as seen by this transaction and fixed until its end:
/// withdrawing a consent has to wait for it.
pub async fn readers(
    app: &App,
    segment: &Segment,
    frozen: Option<&WriteTxn>,
) -> Result<Vec<ReaderId>, DbErr> {
    let linked = store::by_reader(&app.db, segment.poll, frozen).await?;
    Ok(linked
        .into_iter()
        .filter(|(_, choices)| segment.holds(choices))
        .map(|(reader, _)| reader)
        .collect())
}

/// `“Yes” or “Sometimes” to “Do you trust the media?”`, for editors; `None`: the poll no longer exists.
pub async fn in_words(app: &App, segment: &Segment) -> Result<Option<String>, DbErr> {
    let poll = by_id(&app.db, segment.poll).await?;
    Ok(poll.map(|poll| said(&poll, segment)))
}

fn said(poll: &Poll, segment: &Segment) -> String {
    let of = |question: &Question| {
        let chosen = question.options.iter();
        let labels: Vec<String> = chosen
            .filter(|option| segment.options.contains(&option.id))
            .map(|option| format!("“{}”", option.label))
            .collect();
        (!labels.is_empty()).then(|| format!("{} to “{}”", labels.join(" or "), question.text))
    };
    let parts: Vec<String> = poll.questions.iter().filter_map(of).collect();
    parts.join(", or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::answer::Choice;
    use crate::polls::answer::Sent;
    use crate::polls::model::example;

    #[test]
    fn a_segment_is_who_chose_one_of_its_options() {
        let poll = example::several(&["a", "b", "c"], 1, 3);
        let ids: Vec<OptionId> = poll.options().map(|option| option.id).collect();
        let segment = Segment {
            poll: poll.id,
            options: vec![ids[0], ids[2]],
        };
        assert_eq!(
            Segment::from_stored(poll.id, &segment.to_stored()),
            segment.clone()
        );
        for (chosen, holds) in [
            (vec!["1"], true),
            (vec!["2"], false),
            (vec!["2", "3"], true),
        ] {
            let choice = Choice::read(&poll, &Sent::options(chosen.clone())).expect("a choice");
            assert_eq!(segment.holds(&choice.to_stored()), holds, "{chosen:?}");
        }
        assert_eq!(said(&poll, &segment), "“a” or “c” to “Sample?”");
    }
}
