//! Macros for a command's output (to standard output) and messages (to standard error). A reader such as `head` may
//! go away early, where `println!` and `eprintln!` would panic.

/// Prints a line of output. If nobody reads it any more, returns [`Failed::Unread`](super::Failed::Unread) from the
/// calling function.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), $($words)*)?
    }};
}

/// Prints a message line.
macro_rules! tell {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        // If printing fails, there is nobody to tell.
        let _ = writeln!(std::io::stderr().lock(), $($words)*);
    }};
}

pub(super) use {say, tell};
