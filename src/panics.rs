//! Where this program broke: the place of a panic in its source, and never its words. And what goes on all the same.
//!
//! A panic says what it met: a slice that is cut wrongly the whole text, an `expect` the value. That may be an address, and no log line holds
//! one. So the program's own hook keeps the place and tells that; whoever catches a panic asks for it ([`place`]).
//!
//! A background task that breaks is begun again ([`kept`]), or goes on with its next piece of work ([`caught`]): one fault must not
//! end the sealing, the clock of the issues or the ballot box until somebody restarts the server. Each fault is a line of level ERROR and one
//! more in `canvass_task_faults_total`.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo, set_hook};
use std::time::Duration;

use futures::FutureExt as _;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic in this process is one line of the log, with its place, and with a backtrace where `RUST_BACKTRACE` asks for one.
pub fn tell_places_alone() {
    set_hook(Box::new(|panic| {
        keep(panic);
        let place = panic.location().map(ToString::to_string);
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
        let backtrace = backtrace.as_ref().map(tracing::field::display);
        tracing::error!(place, backtrace, "a fault of this program: a panic");
    }));
}

/// Where the panic happened that this thread has just caught, as `file:line:column`. A future that is caught has panicked on the thread that
/// polls it; a task or a thread of its own has told its place itself.
#[must_use]
pub fn place() -> String {
    let last = LAST.with_borrow_mut(Option::take);
    last.unwrap_or_else(|| "a place that is not known".to_owned())
}

fn keep(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    // A thread that ends has nothing to keep it in, and a hook must not break.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = place;
        }
    });
}

/// Before a task that broke is begun again: what broke it may be there still.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 1_000 });

/// A task broke: this program has a fault. It is counted and logged.
#[derive(Debug, thiserror::Error)]
#[error("a fault of this program: its log names the place")]
pub struct Broke;

/// Runs one piece of work of the background task `task`, and goes on where it breaks.
///
/// # Errors
/// [`Broke`].
pub async fn caught<T>(task: &'static str, work: impl Future<Output = T>) -> Result<T, Broke> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| {
        metrics::counter!("canvass_task_faults_total", "task" => task).increment(1);
        tracing::error!(task, place = place(), "a background task broke and goes on");
        Broke
    })
}

/// Runs a background task to its end. Where it breaks it is begun again a moment later.
pub async fn kept<Task: Future<Output = ()>>(task: &'static str, begin: impl Fn() -> Task) {
    // Begun within what is caught: making it may break as well.
    while caught(task, async { begin().await }).await.is_err() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Keeps places in a test as well, and goes on to say what broke: a test that fails says why.
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
