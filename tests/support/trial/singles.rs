//! Single mails beside the issues: none is lost, and each comes once more at most for a kill that left it in doubt or a
//! reply that the server kept, always with the same Message-ID.

use std::collections::{BTreeMap, BTreeSet};

use canvass::app::{App, Role};
use canvass::db;
use canvass::mailer::outbox::MailState;
use canvass::types::{Clock, Random};

use super::{Trial, Verdict};
use crate::support::app::TestApp;
use crate::support::single_mails;

/// The domain of the recipients.
const DOMAIN: &str = "@single.example";
/// Each node has one connection for single mails alone. No trial has more nodes.
const NODES: usize = 2;

/// The single mails of a trial.
#[derive(Default)]
pub(super) struct Singles {
    /// Enqueues them, as a command beside the program would.
    app: Option<App>,
    enqueued: usize,
    /// Message-ID and fence of each intent that a kill left without an outcome.
    doubts: BTreeSet<(String, i64)>,
}

/// Whether a recorded mail to this address is a single one.
pub(super) fn is_one(to: &str) -> bool {
    to.ends_with(DOMAIN)
}

impl Trial {
    /// Enqueues `n` single mails, each to an address of its own.
    pub async fn enqueue(&mut self, n: usize) {
        if self.singles.app.is_none() {
            let config = TestApp::config(&self.database, ([127, 0, 0, 1], 80).into());
            let app = App::build(config, Role::Tool, Clock::System, Random::System);
            self.singles.app = Some(app.await.unwrap());
        }
        let app = self.singles.app.as_ref().unwrap();
        for _ in 0..n {
            self.singles.enqueued += 1;
            let to = format!("ada{}{DOMAIN}", self.singles.enqueued);
            single_mails::enqueue_in(app, &to).await;
        }
    }

    /// Checks a kill at once: it may leave at most one mail of each connection in doubt.
    pub(super) async fn note_singles(&mut self, bound: usize) {
        let intent = MailState::Intent.code();
        let sql = format!("SELECT message_id, fence FROM outbox WHERE state = {intent}");
        let rows = db::fetch_all(self.db.read(), sql, []).await.unwrap();
        let intents = rows.iter().map(|row| {
            (
                row.try_get_by_index(0).unwrap(),
                row.try_get_by_index(1).unwrap(),
            )
        });
        let intents: BTreeSet<(String, i64)> = intents.collect();
        let new = intents.difference(&self.singles.doubts).count();
        assert!(new <= bound + NODES, "{new} single mails in doubt");
        self.singles.doubts.extend(intents);
    }

    /// Whether a single mail has not come to its end. The database may be down at the moment.
    pub(super) async fn singles_wait(&self) -> bool {
        let waiting = MailState::is_one_of(&MailState::WAITING);
        let sql = format!("SELECT 1 FROM outbox WHERE {waiting} LIMIT 1");
        !matches!(db::fetch_one(self.db.read(), sql, []).await, Ok(None))
    }

    /// Judges by what the server `recorded`: Message-IDs and recipients.
    pub(super) async fn judge_singles(&self, recorded: &[(String, String)], verdict: &mut Verdict) {
        let mut came: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
        for (id, to) in recorded {
            came.entry(id).or_default().push(to);
            let first = ids.entry(to).or_insert(id);
            assert_eq!(*first, id.as_str(), "{to} got two Message-IDs");
        }
        let holds = self.setup.in_doubt == "hold";
        let sql = "SELECT message_id, state FROM outbox";
        let rows = db::fetch_all(self.db.read(), sql, []).await.unwrap();
        assert_eq!(rows.len(), self.singles.enqueued);
        for row in &rows {
            let id: String = row.try_get_by_index(0).unwrap();
            let state = MailState::of(row.try_get_by_index(1).unwrap());
            let to = came.remove(id.as_str()).unwrap_or_default();
            match state {
                Some(MailState::Sent) => assert!(!to.is_empty(), "{id} is lost"),
                Some(MailState::Unknown) => assert!(holds, "{id} is held"),
                other => panic!("{id} is {other:?} after the end"),
            }
            if holds {
                assert!(to.len() <= 1, "{id} came {} times", to.len());
            } else if !self.doubts.is_empty() {
                let doubts = self.singles.doubts.iter().filter(|doubt| doubt.0 == id);
                let kept = self.kept.lock().unwrap();
                let kept = kept.iter().filter(|kept| to.contains(&kept.as_str()));
                let most = 1 + doubts.count() + kept.count();
                assert!(to.len() <= most, "{id} came {} times of {most}", to.len());
            }
            verdict.singles += to.len();
            verdict.singles_twice += to.len().saturating_sub(1);
        }
        assert!(came.is_empty(), "nobody enqueued {came:?}");
    }
}
