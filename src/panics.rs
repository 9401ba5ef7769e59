//! Panics: the log gets their location in the source, never their message. Background tasks go on after one.
//!
//! The message of a panic quotes data: a bad slice index quotes the whole text, an `expect` the value. The data may
//! hold an address, which no log line may contain. So the program's own hook logs and remembers only the location;
//! code that catches a panic asks for it with [`place`].
//!
//! A background task that panics is restarted ([`kept`]), or goes on with its next piece of work ([`caught`]): one
//! bug must not stop the sealing, the schedule of issues or the ballot writer until somebody restarts the server.
//! Each panic is one log line of level ERROR and adds one to `canvass_task_faults_total`.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo, set_hook};
use std::time::Duration;

use futures::FutureExt as _;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs a hook that logs each panic as one line with its location, and with a backtrace where `RUST_BACKTRACE`
/// is set.
pub fn tell_places_alone() {
    set_hook(Box::new(|panic| {
        keep(panic);
        let place = panic.location().map(ToString::to_string);
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
        let backtrace = backtrace.as_ref().map(tracing::field::display);
        tracing::error!(place, backtrace, "a bug in this program: a panic");
    }));
}

/// The location (`file:line:column`) of the panic that this thread has just caught. A caught future has panicked on
/// the thread that polls it. Tasks and threads that nobody polls here have been logged by the hook.
#[must_use]
pub fn place() -> String {
    let last = LAST.with_borrow_mut(Option::take);
    last.unwrap_or_else(|| "a place that is not known".to_owned())
}

fn keep(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    // Thread-locals are gone while a thread is being torn down, and a hook must not panic.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = place;
        }
    });
}

/// The wait before a task that panicked is restarted: the cause may still be there.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 1_000 });

/// A task panicked, which is a bug in this program. It has been counted and logged.
#[derive(Debug, thiserror::Error)]
#[error("a bug in this program; the log shows where")]
pub struct Broke;

/// Runs one piece of work of the background task `task` and returns also if it panics.
///
/// # Errors
/// [`Broke`] if it panicked.
pub async fn caught<T>(task: &'static str, work: impl Future<Output = T>) -> Result<T, Broke> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| {
        metrics::counter!("canvass_task_faults_total", "task" => task).increment(1);
        tracing::error!(
            task,
            place = place(),
            "a background task panicked and continues"
        );
        Broke
    })
}

/// Runs a background task to its end. After a panic it is restarted, with a short wait before.
pub async fn kept<Task: Future<Output = ()>>(task: &'static str, begin: impl Fn() -> Task) {
    // `begin` is called inside the catch, because creating the future may panic as well.
    while caught(task, async { begin().await }).await.is_err() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Records locations in a test too, but leaves the message to the default hook, so that a failing test says why.
#[cfg(test)]
pub fn watch() {
    static WATCHED: std::sync::Once = std::sync::Once::new();
    WATCHED.call_once(|| {
        let before = std::panic::take_hook();
        set_hook(Box::new(move |panic| {
            keep(panic);
            before(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_kept_once_and_by_its_thread() {
        watch();
        let broke = std::panic::catch_unwind(|| panic!("anna@example.org"));
        assert!(broke.is_err());
        let elsewhere = std::thread::spawn(place).join().expect("it ends");
        assert_eq!(elsewhere, "a place that is not known");
        let told = place();
        assert!(told.starts_with("src/panics.rs:"), "{told}");
        assert_eq!(place(), "a place that is not known");
    }

    #[tokio::test]
    async fn a_task_that_breaks_is_begun_again_until_it_ends() {
        watch();
        let begun = std::cell::Cell::new(0);
        kept("test", || async {
            begun.set(begun.get() + 1);
            assert!(begun.get() == 3, "anna@example.org");
        })
        .await;
        assert_eq!(begun.get(), 3);
        let broke = caught("test", async { panic!("anna@example.org") }).await;
        assert!(
            !broke
                .map_or_else(|e| e.to_string(), |()| String::new())
                .contains("anna")
        );
    }
}
