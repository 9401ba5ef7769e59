//! The progress of an import: a bar on a terminal, a line every few seconds in a pipe.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::types::{Clock, UnixMillis};

const BETWEEN_LINES: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    size: u64,
    clock: Clock,
    started: UnixMillis,
    last_line: UnixMillis,
}

impl Progress {
    /// `size`: the size of the file, in bytes.
    pub fn new(size: u64, clock: Clock) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
            if let Ok(style) =
                ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta} left")
            {
                bar.set_style(style);
            }
            bar
        });
        let now = clock.now();
        Self {
            bar,
            size,
            clock,
            started: now,
            last_line: now,
        }
    }

    /// Shows that `offset` bytes of the file are done, with `rows` rows.
    pub fn advance(&mut self, terminal: &mut dyn Write, offset: u64, rows: u64) {
        let now = self.clock.now();
        let rate = rows * 1000
            / u64::try_from(now.since(self.started).as_millis())
                .unwrap_or(u64::MAX)
                .max(1);
        if let Some(bar) = &self.bar {
            bar.set_position(offset);
            bar.set_message(format!("{rows} rows, {rate}/s"));
        } else if now.since(self.last_line) >= BETWEEN_LINES {
            self.last_line = now;
            let percent = offset * 100 / self.size.max(1);
            self.line(
                terminal,
                &format!("{rows} rows, {percent} % of the file, {rate} rows/s"),
            );
        }
    }

    /// Prints a permanent line above the bar. An import goes on if the terminal is gone.
    pub fn line(&self, terminal: &mut dyn Write, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => {
                let _ = writeln!(terminal, "{text}");
            }
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
