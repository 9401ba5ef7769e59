//! Reads from one request who a browser is, and what it presented for its tier.

use http::HeaderMap;

use super::proof::{self, Bad};
use crate::app::App;
use crate::polls::model::Poll;
use crate::polls::voter::{self, Voter, is_marker, new_marker};
use crate::types::UnixMillis;
use crate::web::{Problem, RawForm};

/// A browser that sends an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser {
    /// The marker to set in the cookie with the response.
    pub marker: String,
    /// Whether it sent our cookie, so that it has answered here before.
    pub came_before: bool,
    pub showed: Showed,
}

/// What the browser presented with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showed {
    Nothing,
    /// Its own proof of work, for a puzzle issued at this time.
    Work {
        posed_at: UnixMillis,
    },
    /// Proof of work by a browser that had no cookie yet, but has one now: the work may have been done for somebody
    /// else. This happens if a browser gave its first answer in another tab.
    LooseWork,
    Bad(Bad),
}

impl Browser {
    /// Reads the marker (from the cookie, or the one that the page keeps: see `poll.js`) and the proof. No
    /// other field affects the tier.
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
        let came_before = cookie.is_some();
        let kept = cookie.or_else(|| pages.map(str::to_owned));
        let sent = form.one("proof")?.unwrap_or_default();
        let fresh = || new_marker(poll.id, now, app.random.bytes());
        let (marker, showed) = if sent.is_empty() {
            (kept.unwrap_or_else(fresh), Showed::Nothing)
        } else {
            match (proof::check(&app.keys, poll, sent, now), kept) {
                (Err(bad), kept) => (kept.unwrap_or_else(fresh), Showed::Bad(bad)),
                (Ok(solved), Some(marker)) if solved.is_bound_to(poll, &marker) => {
                    let posed_at = solved.posed_at;
                    (marker, Showed::Work { posed_at })
                }
                (Ok(solved), None) => match solved.marker(&app.keys, poll) {
                    Some(marker) => {
                        let posed_at = solved.posed_at;
                        (marker, Showed::Work { posed_at })
                    }
                    // The proof is bound to a marker that was not sent.
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
            came_before,
            showed,
        })
    }

    /// The voter, for the ballot box.
    pub fn voter(&self) -> Voter {
        match self.showed {
            Showed::Work { .. } => Voter::Worked(self.marker.clone()),
            _ => Voter::Browser(self.marker.clone()),
        }
    }
}
