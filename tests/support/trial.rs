//! Issues that are sent while the program is disturbed, and the verdict afterwards, based on the mail server's record
//! on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use canvass::db::{self, Backend, Db, DbErr};
use canvass::mailer::mailing::DeliveryState;
use canvass::newsletters::Newsletter;
use canvass::types::{IssueId, Random, UnixMillis};
use tempfile::TempDir;

use self::singles::Singles;
use super::database::TestDatabase;
use super::issues;
use super::node::Setup;
use super::smtp_server::{Act, At, SmtpServer};
use super::wait::Waiting;

mod singles;
mod verdict;

pub use self::verdict::Verdict;

const NOW: UnixMillis = UnixMillis(1_772_442_000_000);
/// An expiry that no mail reaches.
const NEVER: UnixMillis = UnixMillis(i64::MAX / 2);
/// Between two looks at an issue that goes out: each of them also writes.
const A_WHILE: Duration = Duration::from_millis(100);
/// The file in which the server records what it accepted.
const RECORDED: &str = "recorded.txt";
/// The suffix of addresses that do not exist: one in a hundred, below the threshold that pauses an issue.
const NOBODY: &str = "77@example.org";

/// A newsletter with readers, a server that records, and the issues handed over so far.
pub struct Trial {
    /// Deleted with the trial.
    database: TestDatabase,
    pub db: Db,
    pub server: SmtpServer,
    pub setup: Setup,
    pub issues: Vec<IssueId>,
    newsletter: Newsletter,
    /// The directory of the server's record, which is not on the program's disk.
    log: TempDir,
    /// The recipients of mails to which the server did not reply: each may get the mail once more, without any crash.
    kept: Arc<Mutex<Vec<String>>>,
    /// What each kill left in doubt. If a test notes its kills, nothing else may arrive twice.
    doubts: Vec<BTreeSet<Doubt>>,
    singles: Singles,
}

/// An issue, an address, and the time of an intent without an outcome.
type Doubt = (IssueId, String, i64);

impl Trial {
    /// A trial with subscribed readers; nothing is handed over yet.
    pub async fn new(in_doubt: &'static str, readers: i64) -> Self {
        Self::on(TestDatabase::migrated().await, in_doubt, readers).await
    }

    /// Like [`new`](Self::new), on a given database.
    pub async fn on(database: TestDatabase, in_doubt: &'static str, readers: i64) -> Self {
        let server = SmtpServer::start().await;
        let db = database.open().await;
        let newsletter = issues::newsletter(&db, "daily", NOW).await;
        issues::subscribe_in(&db, newsletter.id, readers, NOW).await;
        let log = tempfile::tempdir().unwrap();
        server.record_into(&log.path().join(RECORDED));
        let mut setup = Setup::new(&database, server.url());
        setup.in_doubt = in_doubt;
        Self {
            database,
            db,
            server,
            setup,
            issues: Vec::new(),
            newsletter,
            log,
            kept: Arc::default(),
            doubts: Vec::new(),
            singles: Singles::default(),
        }
    }

    /// Another server that shares the record of the first, to tell which node has sent a mail.
    pub async fn another_server(&self) -> SmtpServer {
        let server = SmtpServer::start().await;
        server.record_into(&self.log.path().join(RECORDED));
        server
    }

    /// Checks a kill at once: it may leave at most `bound` more mails in doubt.
    pub async fn note_kill(&mut self, bound: usize) {
        self.last_words().await;
        let sql = "SELECT d.issue_id, r.email, d.at_ms FROM delivery d JOIN reader r ON r.id = d.reader_id WHERE d.state = 1";
        let rows = db::fetch_all(self.db.read(), sql, []).await.unwrap();
        let doubts = rows.iter().map(|row| {
            (
                IssueId(row.try_get_by_index(0).unwrap()),
                row.try_get_by_index(1).unwrap(),
                row.try_get_by_index(2).unwrap(),
            )
        });
        let known: BTreeSet<_> = self.doubts.iter().flatten().cloned().collect();
        let new: BTreeSet<Doubt> = doubts.filter(|doubt| !known.contains(doubt)).collect();
        assert!(
            new.len() <= bound,
            "kill {} left {} mails in doubt, {bound} may be: {new:?}",
            self.doubts.len() + 1,
            new.len()
        );
        self.doubts.push(new);
        self.note_singles(bound).await;
    }

    /// PostgreSQL may still execute what a killed node has sent: waits until nobody writes, or a moment if other nodes
    /// do.
    async fn last_words(&self) {
        if self.db.backend() == Backend::Sqlite {
            return;
        }
        let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()";
        for _ in 0..20 {
            let row = db::fetch_one(self.db.read(), sql, []).await.unwrap();
            let busy: i64 = row.unwrap().try_get_by_index(0).unwrap();
            if busy == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How often a mail may arrive: once, and once more for each kill that left it in doubt and each missing reply.
    fn may_come(&self, issue: IssueId, to: &str) -> usize {
        let of_this = |doubt: &&Doubt| doubt.0 == issue && doubt.1 == to;
        let doubts = self.doubts.iter().flatten().filter(of_this).count();
        let kept = self.kept.lock().unwrap();
        1 + doubts + kept.iter().filter(|kept| *kept == to).count()
    }

    /// Makes the server reply after `pace`.
    pub fn calm(&self, pace: Duration) {
        self.server.rule(At::Dot, "", Act::Wait(pace), None);
    }

    /// Makes the server occasionally stall or drop the connection after the dot, greylist, defer and refuse.
    pub fn moody(&mut self, seed: u64, pace: Duration) {
        // Less than the server stalls, and much more than a reply takes on a busy machine.
        self.setup.final_dot_seconds = 5;
        let (random, kept) = (Random::seeded(seed), self.kept.clone());
        self.server.whim(move |at, to| {
            let dice = random.below(1_000);
            match at {
                At::Rcpt if to.ends_with(NOBODY) => {
                    Some(Act::Say("550 5.1.1 no such user".to_owned()))
                }
                At::Rcpt if dice < 15 => Some(Act::Say("450 4.2.0 greylisted".to_owned())),
                At::Mail if dice < 3 => Some(Act::Drop),
                At::Data if dice < 3 => Some(Act::Drop),
                At::Dot if dice < 6 => {
                    kept.lock().unwrap().push(to.to_owned());
                    Some(Act::Drop)
                }
                At::Dot if dice < 9 => {
                    // Longer than the program waits for it.
                    kept.lock().unwrap().push(to.to_owned());
                    Some(Act::Wait(Duration::from_secs(8)))
                }
                At::Dot if dice < 25 => Some(Act::Wait(Duration::from_millis(700))),
                At::Dot if dice < 40 => Some(Act::Say("451 4.3.0 try again".to_owned())),
                At::Dot => Some(Act::Wait(pace)),
                _ => None,
            }
        });
    }

    /// Hands the next issue over.
    pub async fn hand_over(&mut self) -> IssueId {
        let subject = format!("Issue {}", self.issues.len());
        let (db, newsletter) = (&self.db, &self.newsletter);
        let issue = issues::hand_over_about(db, newsletter, &subject, NOW, NEVER).await;
        self.issues.push(issue);
        issue
    }

    /// Makes all that waits due, as if hours had passed. The program and its database may be down at the moment.
    pub async fn let_time_pass(&self) {
        let Ok(txn) = self.db.write_txn("test").await else {
            return;
        };
        for table in ["mail_batch", "outbox"] {
            let due = format!(
                "UPDATE {table} SET not_before_ms = 0 WHERE state = 0 AND not_before_ms > 0"
            );
            if db::run(&*txn, due, []).await.is_err() {
                return;
            }
        }
        let _ = txn.commit().await;
    }

    /// Whether the newest issue has reached its end.
    pub async fn finished(&self) -> bool {
        let Some(issue) = self.issues.last() else {
            return true;
        };
        let sql = "SELECT state, reason FROM mailing WHERE issue_id = $1";
        let Ok(Some(row)) = db::fetch_one(self.db.read(), sql, [issue.0.into()]).await else {
            return false;
        };
        let state: i16 = row.try_get_by_index(0).unwrap();
        let reason: String = row.try_get_by_index(1).unwrap();
        assert_ne!(state, 2, "an issue paused itself: {reason}");
        state == 4
    }

    /// Waits for the end of the newest issue and of the single mails.
    pub async fn finish(&self, limit: Duration) {
        let waiting =
            Waiting::within(limit, "the newest issue and the single mails are over").every(A_WHILE);
        while !self.finished().await || self.singles_wait().await {
            self.let_time_pass().await;
            self.numbers_add_up().await;
            waiting
                .still(format_args!("at {} mails", self.server.count()))
                .await;
        }
    }

    /// Asserts that the counters, which the editors' page shows, agree with the ledger's rows at the same instant.
    pub async fn numbers_add_up(&self) {
        let Some(issue) = self.issues.last() else {
            return;
        };
        // The database may be down at the moment.
        let Ok((audience, counted, rows)) = self.counters_and_rows(*issue).await else {
            return;
        };
        let (intent, deferred) = (DeliveryState::Intent as i16, DeliveryState::Deferred as i16);
        let of = |numbers: &BTreeMap<i16, i64>, state| numbers.get(&state).copied().unwrap_or(0);
        for state in counted.keys().chain(rows.keys()) {
            let (told, found) = (of(&counted, *state), of(&rows, *state));
            if *state == intent {
                continue;
            }
            // A recipient that is being retried counts as deferred until the outcome is known.
            let more = if *state == deferred {
                of(&rows, intent)
            } else {
                0
            };
            assert!(
                (found..=found + more).contains(&told),
                "state {state}: {told} are told, and {found} rows found ({more} under way)"
            );
        }
        let dealt: i64 = counted.values().sum();
        assert!(dealt <= audience, "{dealt} of {audience}");
    }

    /// The audience, the counters and the rows by state, all at one instant.
    async fn counters_and_rows(
        &self,
        issue: IssueId,
    ) -> Result<(i64, BTreeMap<i16, i64>, BTreeMap<i16, i64>), DbErr> {
        let moment = self.db.snapshot().await?;
        let audience = "SELECT audience FROM mailing WHERE issue_id = $1";
        let row = db::fetch_one(&moment, audience, [issue.0.into()]).await?;
        let audience = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        let mut numbers = Vec::new();
        for sql in [
            "SELECT state, CAST(SUM(n) AS BIGINT) FROM issue_tally WHERE issue_id = $1 GROUP BY state",
            "SELECT state, COUNT(*) FROM delivery WHERE issue_id = $1 GROUP BY state",
        ] {
            let rows = db::fetch_all(&moment, sql, [issue.0.into()]).await?;
            let rows = rows
                .iter()
                .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
            numbers.push(rows.collect::<Result<BTreeMap<i16, i64>, DbErr>>()?);
        }
        let rows = numbers.pop().unwrap_or_default();
        Ok((audience, numbers.pop().unwrap_or_default(), rows))
    }

    /// The verdict; panics if any mail was lost, or duplicated with a different Message-ID, or if the ledger does not
    /// agree with the server's record.
    pub async fn verdict(&self) -> Verdict {
        let mut recorded: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        let mut singles = Vec::new();
        let log = self.log.path().join(RECORDED);
        for line in std::fs::read_to_string(log).unwrap().lines() {
            let mut parts = line.split('\t').map(str::to_owned);
            let (id, to, subject) = (
                parts.next().unwrap(),
                parts.next().unwrap(),
                parts.next().unwrap(),
            );
            if singles::is_one(&to) {
                singles.push((id, to));
            } else {
                recorded.entry((subject, to)).or_default().push(id);
            }
        }
        let mut verdict = Verdict {
            kept: self.kept.lock().unwrap().len(),
            ..Verdict::default()
        };
        for ((subject, to), ids) in &recorded {
            verdict.mails += ids.len();
            verdict.twice += ids.len() - 1;
            let same = ids.iter().all(|id| *id == ids[0] && !id.is_empty());
            assert!(same, "{subject} to {to} has several Message-IDs: {ids:?}");
        }
        if !self.doubts.is_empty() {
            for ((subject, to), ids) in &recorded {
                let number: usize = subject.trim_start_matches("Issue ").parse().unwrap();
                let most = self.may_come(self.issues[number], to);
                assert!(
                    ids.len() <= most,
                    "{subject} came to {to} {} times, {most} may be",
                    ids.len()
                );
            }
        }
        for (number, issue) in self.issues.iter().enumerate() {
            let taken = |to: &str| {
                let key = (format!("Issue {number}"), to.to_owned());
                recorded.get(&key).map_or(0, Vec::len)
            };
            self.judge(*issue, taken, &mut verdict).await;
        }
        self.judge_singles(&singles, &mut verdict).await;
        verdict
    }

    async fn judge(&self, issue: IssueId, taken: impl Fn(&str) -> usize, verdict: &mut Verdict) {
        let sql =
            "SELECT r.email, d.state, d.reason FROM delivery d JOIN reader r ON r.id = d.reader_id
             WHERE d.issue_id = $1 ORDER BY r.id";
        let rows = db::fetch_all(self.db.read(), sql, [issue.0.into()])
            .await
            .unwrap();
        let mut states: BTreeMap<i16, i64> = BTreeMap::new();
        for row in &rows {
            let to: String = row.try_get_by_index(0).unwrap();
            let (state, reason): (i16, i16) = (
                row.try_get_by_index(1).unwrap(),
                row.try_get_by_index(2).unwrap(),
            );
            *states.entry(state).or_default() += 1;
            match state {
                2 => assert!(taken(&to) > 0, "{to} is lost: sent, says the ledger"),
                4 | 6 => {
                    assert!(
                        to.ends_with(NOBODY),
                        "{to} is given up: state {state}, reason {reason}"
                    );
                    assert_eq!(
                        taken(&to),
                        0,
                        "{to} got it, and the ledger says state {state}"
                    );
                }
                // Held, or put aside after three crashes: a row that says so.
                5 => assert!(
                    self.setup.in_doubt == "hold" || reason == 13,
                    "{to} is unknown for reason {reason}"
                ),
                other => panic!("{to} is in state {other} after the end"),
            }
        }
        let audience = "SELECT audience FROM mailing WHERE issue_id = $1";
        let row = db::fetch_one(self.db.read(), audience, [issue.0.into()]).await;
        let audience: i64 = row.unwrap().unwrap().try_get_by_index(0).unwrap();
        assert_eq!(audience, rows.len() as i64, "everybody has a row");
        let tally = "SELECT state, CAST(SUM(n) AS BIGINT) FROM issue_tally WHERE issue_id = $1 GROUP BY state
             HAVING SUM(n) <> 0";
        let rows = db::fetch_all(self.db.read(), tally, [issue.0.into()])
            .await
            .unwrap();
        let tally: BTreeMap<i16, i64> = rows
            .iter()
            .map(|r| {
                (
                    r.try_get_by_index(0).unwrap(),
                    r.try_get_by_index(1).unwrap(),
                )
            })
            .collect();
        assert_eq!(tally, states, "the tally says what the ledger says");
        let n = |state| usize::try_from(states.get(&state).copied().unwrap_or(0)).unwrap();
        verdict.failed += n(4);
        verdict.unknown += n(5);
        verdict.skipped += n(6);
    }
}
