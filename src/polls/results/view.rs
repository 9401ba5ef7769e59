//! The context of the result page, `pages/results.hbs`.

use serde::Serialize;

use super::Results;
use super::told::{BY_INVITATION, closed, hidden_reason};
use crate::polls::answer::Choice;
use crate::polls::linked;
use crate::polls::model::{Kind, Phase, Poll, Question};
use crate::polls::share::Shared;
use crate::types::UnixMillis;

/// A page with results, or with the reason why there are none; the context of `pages/results.hbs`.
#[derive(Debug, Serialize)]
pub struct ResultsPage {
    pub title: String,
    pub question: String,
    /// The language of the poll's own texts, and the style sheet with the accent colour: those of its newsletter.
    pub lang: Option<String>,
    pub accent_sheet: Option<String>,
    pub counted: bool,
    /// What happens with the address that was left.
    pub mail: Option<String>,
    /// Where to give another address, if that one is wrong.
    pub other_address_href: Option<String>,
    /// That somebody answered by the link in a mail, for a browser that is not known to be its reader's.
    pub by_link: Option<&'static str>,
    /// Why the answer was not counted, for example because it came too late or too early.
    pub refused: Option<String>,
    pub closed: Option<String>,
    /// Whom the poll asks, if not everybody.
    pub invitation: Option<&'static str>,
    pub results: Option<ResultsView>,
    /// The counterpart of the poll: the open poll beside the sample's, or the sample's beside the open one.
    pub beside: Option<Beside>,
    /// The beginning of the record's hash, after the close: see [`crate::polls::results::secrecy`].
    pub code: Option<String>,
    /// What happens to the key that could join answers to readers.
    pub secrecy: Option<String>,
    /// Set if this reader's answer is joined to their address.
    pub linked: Option<linked::Note>,
    pub hidden_reason: Option<String>,
    pub own: Option<String>,
    /// Whether the reader wrote words of their own, which editors read first.
    pub unread: bool,
    pub change_href: Option<String>,
    pub change_label: &'static str,
    pub back_href: Option<String>,
    pub noindex: bool,
    /// The preview shown when somebody shares the page.
    pub share: Option<Shared>,
    /// The results for machines, escaped for a data block.
    pub json_ld: Option<String>,
    pub script: Option<&'static str>,
    /// The oEmbed URL, see `polls::embed::oembed`.
    pub oembed: Option<String>,
}

/// The result of the counterpart poll.
#[derive(Debug, Serialize)]
pub struct Beside {
    pub heading: &'static str,
    /// The language of its own texts.
    pub lang: Option<String>,
    /// The text of its link, which must also make sense when links are read out alone.
    pub link: &'static str,
    pub href: String,
    /// As far as the public may see them.
    pub results: Option<ResultsView>,
}

/// Results, with what the page adds to them.
#[derive(Debug, Serialize)]
pub struct ResultsView {
    #[serde(flatten)]
    pub results: Results,
    pub headline: bool,
    /// The URL of the live results, while they can change.
    pub live: Option<String>,
}

impl ResultsPage {
    /// The page for a reader who answered `own` (`None`: has not answered).
    pub fn of(
        poll: &Poll,
        now: UnixMillis,
        results: Option<Results>,
        own: Option<&Choice>,
    ) -> Self {
        let phase = poll.phase(now);
        let open = matches!(phase, Phase::Open { .. });
        let own_labels = own.map_or_else(String::new, |own| said(poll, own));
        Self {
            title: match phase {
                Phase::NotYetOpen { .. } => poll.headline().to_owned(),
                _ => format!("Results: {}", poll.headline()),
            },
            question: poll.headline().to_owned(),
            lang: None,
            accent_sheet: None,
            counted: open && own.is_some(),
            mail: None,
            other_address_href: None,
            by_link: None,
            refused: None,
            closed: closed(poll, phase),
            invitation: poll.sample().filter(|_| open).map(|_| BY_INVITATION),
            beside: None,
            code: None,
            secrecy: None,
            linked: None,
            hidden_reason: results.is_none().then(|| hidden_reason(poll, phase)),
            results: results.map(|results| ResultsView {
                results,
                headline: true,
                live: open.then(|| format!("/p/{}/live", poll.slug)),
            }),
            unread: open && own.is_some_and(|own| !own.words().is_empty()),
            own: (!own_labels.is_empty()).then_some(own_labels),
            change_href: poll
                .is_open_to_all(now)
                .then(|| format!("/p/{}", poll.slug)),
            change_label: if own.is_some() {
                "Change my answer"
            } else {
                "Answer the poll"
            },
            back_href: None,
            noindex: false,
            share: None,
            json_ld: None,
            script: open.then_some("/assets/live.js"),
            oembed: None,
        }
    }
}

/// A ballot in one line: the labels, numbered where their order counts, and the reader's own words.
fn said(poll: &Poll, own: &Choice) -> String {
    let parts = poll.questions.iter().flat_map(|q| said_to(poll, q, own));
    parts.collect::<Vec<_>>().join(", ")
}

/// What a ballot says to one question.
pub fn said_to(poll: &Poll, question: &Question, own: &Choice) -> Vec<String> {
    let of_this = own.options().iter().filter(|id| question.has(**id));
    let said = of_this.enumerate().map(|(rank, id)| {
        let label = poll.labels(&[*id]).concat();
        let words = own.words().iter().find(|words| words.option == *id);
        match (question.kind, words) {
            (Kind::Ranked, _) => format!("{}. {label}", rank + 1),
            (_, Some(words)) => format!("{label}: {}", words.text),
            _ => label,
        }
    });
    said.collect()
}
