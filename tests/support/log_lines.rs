//! Captures what a test's thread logs, for as long as the value lives. That includes a server that the test starts,
//! unless its runtime has several threads.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::Dispatch;
use tracing::dispatcher::{DefaultGuard, set_default};

pub struct LogLines {
    written: Written,
    _watching: DefaultGuard,
    /// A second dispatcher. With a single one in the process, the first thread that reaches a log statement decides for
    /// all threads whether it is enabled.
    _other: Dispatch,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LogLines {
    pub fn watch() -> Self {
        let written = Written::default();
        let [watching, other] = [(); 2].map(|()| {
            let written = written.clone();
            let lines = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::INFO)
                .with_ansi(false)
                .with_writer(move || written.clone());
            Dispatch::new(lines.finish())
        });
        Self {
            written,
            _watching: set_default(&watching),
            _other: other,
        }
    }

    /// The lines that contain these words.
    pub fn of(&self, words: &str) -> Vec<String> {
        let written = self.written.0.lock().unwrap().clone();
        let written = String::from_utf8(written).unwrap();
        let lines = written.lines().filter(|line| line.contains(words));
        lines.map(str::to_owned).collect()
    }
}
