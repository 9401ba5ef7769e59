//! What a command says: what it was asked for to standard output, everything about it to standard error. Neither has to be read to its
//! end: `println!` and `eprintln!` would panic where a reader such as `head` went away.

/// A line of what was asked for. Returns [`Failed::Unread`](super::Failed::Unread) from the function round it when nobody reads it any more.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), $($words)*)?
    }};
}

/// A line about it.
macro_rules! tell {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        // Nobody is left to be told that nobody is told.
        let _ = writeln!(std::io::stderr().lock(), $($words)*);
    }};
}

pub(super) use {say, tell};
