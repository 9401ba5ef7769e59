//! Who a browser is and what it showed for its tier, from one request.

use http::HeaderMap;

use super::proof::{self, Bad};
use crate::app::App;
use crate::polls::model::Poll;
use crate::polls::voter::{self, Voter, is_marker, new_marker};
use crate::types::UnixMillis;
use crate::web::{Problem, RawForm};

/// A browser that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser {
    /// What the cookie shall say afterwards.
    pub marker: String,
    /// It was made for this request.
    pub is_new: bool,
    pub showed: Showed,
}

/// What it showed beside its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showed {
    Nothing,
    /// Work of its own, on a puzzle given out then.
    Work {
        posed_at: UnixMillis,
    },
    /// Work that was done by a browser which had no cookie yet, and now there is one: it may have been done for somebody else.
    /// Happens when the first answer of a browser was given in another tab.
    LooseWork,
    Bad(Bad),
}

impl Browser {
    /// Reads the marker (the cookie's, or the one that the page keeps: see `poll.js`) and the proof. No other field says
    /// anything about a tier.
    ///
    /// # Errors
    /// A 400 for repeated fields.
    pub fn read(
        app: &App,
        poll: &Poll,
        headers: &HeaderMap,
        form: &RawForm,
        now: UnixMillis,
    ) -> Result<Self, Problem> {
        let cookie = voter::marker(app, headers);
        let pages = form.one("marker")?.filter(|text| is_marker(text));
        let kept = cookie.or_else(|| pages.map(str::to_owned));
        let sent = form.one("proof")?.unwrap_or_default();
        let mut is_new = false;
        let mut fresh = || {
            is_new = true;
            new_marker(poll.id, now, app.random.bytes())
        };
        let (marker, showed) = if sent.is_empty() {
            (kept.unwrap_or_else(&mut fresh), Showed::Nothing)
        } else {
            match (proof::check(&app.keys, poll, sent, now), kept) {
                (Err(bad), kept) => (kept.unwrap_or_else(&mut fresh), Showed::Bad(bad)),
                (Ok(solved), Some(marker)) if solved.is_bound_to(poll, &marker) => {
                    let posed_at = solved.posed_at;
                    (marker, Showed::Work { posed_at })
                }
                (Ok(solved), None) => match solved.marker(&app.keys, poll) {
                    Some(marker) => {
                        let posed_at = solved.posed_at;
                        (marker, Showed::Work { posed_at })
                    }
                    // Bound to a marker that did not come along.
                    None => (fresh(), Showed::Bad(Bad::Forged)),
                },
                (Ok(solved), Some(marker))
                    if solved.is_loose()
                        || pages.is_some_and(|pages| solved.is_bound_to(poll, pages)) =>
                {
                    (marker, Showed::LooseWork)
                }
                (Ok(_), Some(marker)) => (marker, Showed::Bad(Bad::Forged)),
            }
        };
        Ok(Self {
            marker,
            is_new,
            showed,
        })
    }

    /// As the ballot box knows it.
    pub fn voter(&self) -> Voter {
        match self.showed {
            Showed::Work { .. } => Voter::Worked(self.marker.clone()),
            _ if self.is_new => Voter::New(self.marker.clone()),
            _ => Voter::Browser(self.marker.clone()),
        }
    }
}
