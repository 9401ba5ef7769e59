//! One mail at one relay after another: after which fates another relay is tried, for mails of issues and single mails
//! alike.

use super::{
    fate::{Fate, Words},
    mailing::Reason,
    transport::{Line, Way},
};

/// What a mail has met so far.
#[derive(Default)]
pub(super) struct Tries {
    /// The relays that refuse it because of us: it is not tried there again.
    pub(super) refused_by: Vec<usize>,
    /// The fate that the worst of these refusals gives.
    refusal: Option<Fate>,
    /// The reply of the last relay that throttled us.
    pub(super) rested: Option<Words>,
    /// A connection was lost before.
    lost: bool,
}

impl Tries {
    /// Reports the fate at one relay to that relay, and returns it if it ends the mail. `None`: choose a relay again.
    pub(super) fn end(&mut self, line: &Line, way: Way, fate: Fate) -> Option<Fate> {
        line.note(way, &fate);
        match fate {
            // Most likely an old connection had been closed: retry once over a new one.
            Fate::Lost(_) if !self.lost => self.lost = true,
            // A new connection cannot meet this fate.
            Fate::Closed(_) => {}
            // Another relay may be free.
            Fate::RelayRests(words) | Fate::LoginRefused(words) => self.rested = Some(words),
            // Another relay may not refuse us, or may accept larger mails.
            fate @ (Fate::Never(Reason::Ours, _) | Fate::TooLarge(_)) => {
                self.refused_by.push(way.relay);
                let blamed = matches!(self.refusal, Some(Fate::Never(..)));
                if !blamed || matches!(fate, Fate::Never(..)) {
                    self.refusal = Some(fate);
                }
                if !line.has_others(&self.refused_by) {
                    return self.refusal();
                }
            }
            fate => return Some(fate),
        }
        None
    }

    /// The fate if no relay can be chosen any more; `None` if none has refused it.
    pub(super) fn refusal(&mut self) -> Option<Fate> {
        self.refusal.take()
    }
}
