//! How far readers come: they see the poll, answer it, ask for the newsletter beside it, confirm.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;

use super::store;
use crate::app::App;
use crate::db::DbErr;
use crate::polls::model::Place;
use crate::types::PollId;

/// A step beside the ballot itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The form was shown.
    Seen,
    /// The newsletter beside the answer was asked for.
    Asked,
    /// That was confirmed from the mailbox.
    Confirmed,
}

impl Step {
    /// As the table keeps it.
    pub fn code(self) -> i16 {
        match self {
            Self::Seen => 1,
            Self::Asked => 2,
            Self::Confirmed => 3,
        }
    }
}

/// Views since the last tick: numbers without anybody in them. At most one for each poll and place.
#[derive(Debug, Clone, Default)]
pub struct Views {
    seen: Arc<Mutex<BTreeMap<(PollId, Place), i64>>>,
}

impl Views {
    /// Counts one look at an open poll. A HEAD shows nothing.
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

/// The tick: adds the views since the last one to the database. When that fails they wait for the next.
///
/// # Errors
/// What the database said.
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
