//! Things that are being watched in this process: one task follows each of them, whatever the number of viewers.
//!
//! Nothing runs for a thing that nobody watches. A viewer's stream ends when the thing has ended, when the process
//! stops, or when the task that follows it panics; the next viewer starts a new task.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::panics;

/// The watched things by key, with the latest value of each. Cheap to clone.
#[derive(Debug)]
pub struct Watched<K, V> {
    followed: Arc<Mutex<HashMap<K, Arc<Followed<V>>>>>,
    stopping: CancellationToken,
}

/// One watched thing, as its task sees it.
#[derive(Debug)]
pub struct Followed<V> {
    latest: watch::Sender<Option<V>>,
    touched: Notify,
}

impl<V: PartialEq> Followed<V> {
    /// Sends a value to the viewers, unless it is the one they have.
    pub fn tell(&self, now: V) {
        self.latest.send_if_modified(|old| {
            let changed = old.as_ref() != Some(&now);
            if changed {
                *old = Some(now);
            }
            changed
        });
    }
}

impl<V> Followed<V> {
    /// Waits until somebody reports a change: see [`Watched::touch`].
    pub async fn touched(&self) {
        self.touched.notified().await;
    }

    /// Whether nobody is watching at the moment.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.latest.receiver_count() == 0
    }
}

impl<K, V> Clone for Watched<K, V> {
    fn clone(&self) -> Self {
        Self {
            followed: self.followed.clone(),
            stopping: self.stopping.clone(),
        }
    }
}

impl<K, V> Watched<K, V>
where
    K: Copy + Debug + Eq + Hash + Send + 'static,
    V: Send + Sync + 'static,
{
    /// Creates an empty set; `stopping` ends all its tasks.
    #[must_use]
    pub fn until(stopping: &CancellationToken) -> Self {
        Self {
            followed: Arc::default(),
            stopping: stopping.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Followed<V>>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a viewer of `key`. If no task follows it yet, one is spawned with the future that `follow` returns;
    /// `task` is its name in the log.
    pub fn watch<Following>(
        &self,
        key: K,
        task: &'static str,
        follow: impl FnOnce(Arc<Followed<V>>) -> Following,
    ) -> watch::Receiver<Option<V>>
    where
        Following: Future<Output = ()> + Send + 'static,
    {
        let mut all = self.lock();
        if let Some(known) = all.get(&key) {
            return known.latest.subscribe();
        }
        let (latest, viewer) = watch::channel(None);
        let followed = Arc::new(Followed {
            latest,
            touched: Notify::new(),
        });
        all.insert(key, followed.clone());
        let following = follow(followed.clone());
        let this = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = this.stopping.cancelled() => {}
                _ = panics::caught(task, following) => {}
            }
            this.forget(key, &followed);
        });
        viewer
    }

    /// Reports that these have changed.
    pub fn touch(&self, keys: impl Iterator<Item = K>) {
        let all = self.lock();
        if all.is_empty() {
            return;
        }
        for key in keys {
            if let Some(known) = all.get(&key) {
                known.touched.notify_one();
            }
        }
    }

    /// Forgets a thing that nobody watches any more, under the lock that new viewers take. Returns true if it was
    /// forgotten, so that its task can end.
    pub fn forget_alone(&self, key: K, followed: &Arc<Followed<V>>) -> bool {
        let mut all = self.lock();
        let alone = followed.is_alone();
        if alone {
            remove(&mut all, key, followed);
        }
        alone
    }

    fn forget(&self, key: K, followed: &Arc<Followed<V>>) {
        remove(&mut self.lock(), key, followed);
    }
}

/// Removes it, unless another task has started in its place.
fn remove<K: Eq + Hash, V>(
    all: &mut HashMap<K, Arc<Followed<V>>>,
    key: K,
    ended: &Arc<Followed<V>>,
) {
    if all.get(&key).is_some_and(|there| Arc::ptr_eq(there, ended)) {
        all.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn watched() -> Watched<u8, u8> {
        Watched::until(&CancellationToken::new())
    }

    #[tokio::test]
    async fn a_task_that_breaks_ends_its_streams_and_the_next_viewer_is_followed_for() {
        panics::watch();
        let watched = watched();
        let mut viewer =
            watched.watch(1, "test", |_| async { panic!("broken, as the test wants") });
        assert!(viewer.changed().await.is_err(), "the stream ends");
        let mut viewer = watched.watch(1, "test", |followed| async move {
            followed.tell(5);
            pending().await
        });
        viewer.changed().await.expect("it is followed");
        assert_eq!(*viewer.borrow(), Some(5));
    }

    /// It was forgotten while nobody watched. If a viewer has come since, the task that follows now must stay.
    #[tokio::test]
    async fn who_ends_takes_no_successor_along() {
        let watched = watched();
        let (say, said) = tokio::sync::oneshot::channel();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let viewer = watched.watch(1, "test", |followed| async move {
            let _ = say.send(followed);
            let _ = ended.await;
        });
        let first = said.await.expect("it begins");
        assert!(!watched.forget_alone(1, &first), "somebody watches");
        drop(viewer);
        assert!(watched.forget_alone(1, &first));
        let second = watched.watch(1, "test", |_| pending());
        end.send(()).expect("it waits");
        drop(first);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let third = watched.watch(1, "test", |_| pending());
        assert!(
            second.same_channel(&third),
            "the same task follows for both"
        );
    }
}
