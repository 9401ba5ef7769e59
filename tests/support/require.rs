//! Tests that need a program of the machine skip with a printed reason, so that
//! `cargo test` passes anywhere; under `tests/run` the same absence is a failure.

use std::path::PathBuf;

/// Finds a program in `PATH` or where Debian keeps those for administrators.
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/bin".into()])
        .collect();
    names
        .iter()
        .find_map(|name| dirs.iter().map(|d| d.join(name)).find(|p| p.is_file()))
}

/// Says that a test does not run, or fails if everything has to.
pub fn skip(reason: &str) {
    let strict = std::env::var_os("CANVASS_TEST_REQUIRE").is_some_and(|v| v == "all");
    assert!(!strict, "CANVASS_TEST_REQUIRE=all, but {reason}");
    eprintln!("skipped: {reason}");
}
