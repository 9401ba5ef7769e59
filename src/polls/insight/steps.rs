//! How far readers get: they see the poll, answer it, request the newsletter beside it, and confirm.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;

use super::store;
use crate::app::App;
use crate::db::DbErr;
use crate::polls::model::Place;
use crate::types::PollId;

/// A step other than the ballot itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The form was shown.
    Seen,
    /// The newsletter beside the answer was requested.
    Asked,
    /// The request was confirmed from the mailbox.
    Confirmed,
}

impl Step {
    pub(super) fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Seen,
            2 => Self::Asked,
            _ => Self::Confirmed,
        }
    }

    /// The code stored in the table.
    pub fn code(self) -> i16 {
        match self {
            Self::Seen => 1,
            Self::Asked => 2,
            Self::Confirmed => 3,
        }
    }
}

/// Views since the last tick: numbers without any reader. At most one entry for each poll and place.
#[derive(Debug, Clone, Default)]
pub struct Views {
    seen: Arc<Mutex<BTreeMap<(PollId, Place), i64>>>,
}

impl Views {
    /// Counts a view of an open poll. A HEAD request shows nothing, so it is not counted.
    pub fn count(&self, poll: PollId, place: Place, method: &Method) {
        if method == Method::GET {
            self.add(poll, place, 1);
        }
    }

    fn add(&self, poll: PollId, place: Place, n: i64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.entry((poll, place)).or_default() += n;
    }

    fn take(&self) -> BTreeMap<(PollId, Place), i64> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The tick: adds the views since the last one to the database. If that fails, they are kept for the next tick.
pub async fn flush(app: &App) -> Result<(), DbErr> {
    let seen = app.polls.views.take();
    if seen.is_empty() {
        return Ok(());
    }
    let done = store::add_views(&app.db, app.slot, &seen).await;
    if done.is_err() {
        for ((poll, place), n) in seen {
            app.polls.views.add(poll, place, n);
        }
    }
    done
}
