//! Tests that need an installed program are skipped with a printed reason if it is missing, so
//! that `cargo test` passes anywhere; under `tests/run` they fail.

use std::path::{Path, PathBuf};

/// Finds a program in `PATH` or in Debian's directories for administrators.
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/bin".into()])
        .collect();
    names
        .iter()
        .find_map(|name| dirs.iter().map(|d| d.join(name)).find(|p| p.is_file()))
}

/// A folder of the corpora of real mails, bounces and attacks. They are not part of the repository; where they are not
/// beside it, this prints so, also under `tests/run`, because nothing can install them.
pub fn corpus(name: &str) -> Option<PathBuf> {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let folder = corpora.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("not tested with ../shared/corpora/{name}, which is not here");
    None
}

/// Prints that a test is skipped, or fails if no test may be.
pub fn skip(reason: &str) {
    let strict = std::env::var_os("CANVASS_TEST_REQUIRE").is_some_and(|v| v == "all");
    assert!(!strict, "CANVASS_TEST_REQUIRE=all, but {reason}");
    eprintln!("skipped: {reason}");
}
