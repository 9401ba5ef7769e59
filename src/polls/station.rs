//! The polling station: what answering needs apart from the database. There is one per process.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::ballots::{Audits, LARGEST_GROUP, Outcome, SPILL, Slip, Stripe};
use super::definition::Book;
use super::insight::{Answers, Views};
use super::mail::Looks;
use super::results::live::Live;
use super::share::Pictures;
use super::trust::{self, Watch};
use super::voter::NetworkOfTheDay;
use crate::config::steady_after;
use crate::db::Db;
use crate::db::group_commit::{Bounds, GroupCommit, Lines, Queue};
use crate::types::{Clock, Random, SteadyClock};

/// Definitions, the queue into the ballot box, and the viewers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Station {
    pub book: Arc<Book>,
    pub queue: Lines<Slip, Outcome>,
    pub live: Live,
    pub networks: Arc<NetworkOfTheDay>,
    /// Views of open polls that are not yet in the database.
    pub views: Views,
    /// Ballots grouped by their answers, for editors.
    pub answers: Answers,
    /// The preview pictures.
    pub pictures: Pictures,
    /// The visits to links in mails.
    pub looks: Arc<Looks>,
    pub audits: Arc<Audits>,
    /// The watch over the ballots of the last minutes, and the bursts among them.
    pub watch: Arc<Watch>,
    /// By which keys are destroyed, and closes corrected.
    pub steady: Arc<SteadyClock>,
}

impl Station {
    /// Starts one writer of ballots for each of `slots`, this node's stripes. At most `capacity` answers
    /// may wait, within `bounds`.
    pub fn open(
        db: &Db,
        clock: &Clock,
        random: &Random,
        slots: Vec<i64>,
        capacity: usize,
        bounds: Bounds,
        stopping: &CancellationToken,
    ) -> Self {
        let book = Arc::new(Book::new(db.clone(), clock.clone()));
        let live = Live::new(db.clone(), book.clone(), clock.clone(), stopping);
        let line = Queue {
            name: "ballots",
            capacity: capacity.div_ceil(slots.len().max(1)),
            largest: LARGEST_GROUP,
        };
        let (looks, watch) = (Arc::<Looks>::default(), Arc::<Watch>::default());
        let writers = slots.into_iter().map(|slot| {
            let stripe = Arc::new(Stripe::new(db, clock, random, slot));
            let told = (live.clone(), watch.clone(), looks.clone());
            GroupCommit::start_within(line, bounds, move |group: Vec<Slip>| {
                let (stripe, told) = (stripe.clone(), told.clone());
                async move {
                    let outcomes = stripe.commit(&group).await?.outcomes;
                    // Done by the writer, and not by the request: the client may have disconnected.
                    let (live, watch, looks) = told;
                    live.touch(group.iter().map(Slip::poll));
                    trust::tell(&watch, &looks, &group, &outcomes);
                    Ok(outcomes)
                }
            })
        });
        Self {
            book,
            queue: Lines::new(SPILL, writers),
            live,
            networks: Arc::new(NetworkOfTheDay::new(random.clone())),
            views: Views::default(),
            answers: Answers::default(),
            pictures: Pictures::default(),
            looks,
            audits: Arc::default(),
            watch,
            steady: Arc::new(SteadyClock::new(clock.clone(), steady_after())),
        }
    }
}
