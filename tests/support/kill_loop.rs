//! `kill -9` at random moments while readers answer.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use canvass::types::Random;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::database::TestDatabase;
use super::node::Setup;
use super::ports::free_port;

/// The program on a fixed port, to be killed repeatedly.
pub struct KillLoop {
    pub seed: u64,
    pub port: u16,
    random: Random,
    setup: Setup,
    /// The state that the readers share.
    pub readers: Readers,
}

/// Whether the readers are to stop, and how many of their answers were counted.
#[derive(Clone, Default)]
pub struct Readers {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
}

impl Readers {
    pub fn go_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    pub fn count(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

impl KillLoop {
    pub fn new(database: &TestDatabase) -> Self {
        let port = free_port();
        let mut setup = Setup::new(database, "smtp://127.0.0.1:9".to_owned());
        setup.bind = format!("127.0.0.1:{port}");
        let seed = u64::from_le_bytes(Random::System.bytes());
        Self {
            seed,
            port,
            random: Random::seeded(seed),
            setup,
            readers: Readers::default(),
        }
    }

    /// Kills and restarts the program `kills` times, each time after about `more` answers. Returns the results of the
    /// readers' tasks.
    pub async fn run<T>(
        &self,
        kills: usize,
        more: Range<usize>,
        lanes: Vec<JoinHandle<Vec<T>>>,
        after_kill: impl AsyncFn(),
    ) -> Vec<T> {
        let mut node = self.setup.start();
        for _ in 0..kills {
            self.wait_for(&more).await;
            node.kill();
            after_kill().await;
            node = self.setup.start();
        }
        self.wait_for(&more).await;
        self.readers.stop.store(true, Ordering::Relaxed);
        let mut found = Vec::new();
        for lane in lanes {
            found.extend(lane.await.unwrap());
        }
        node.kill();
        found
    }

    async fn wait_for(&self, more: &Range<usize>) {
        let spread = (more.end - more.start) as u64;
        let some = self.readers.answered() + more.start + self.random.below(spread) as usize;
        let enough = Instant::now() + Duration::from_secs(30);
        while self.readers.answered() < some && Instant::now() < enough {
            sleep(Duration::from_millis(1 + self.random.below(5))).await;
        }
    }
}
