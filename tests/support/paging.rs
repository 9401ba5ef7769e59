//! Measures how long the pages of a long list take.

use std::time::{Duration, Instant};

use super::reader::Reader;

/// Opens forty pages of a list, or its only page forty times, and fails if more than two take longer than an editor
/// would wait.
pub async fn assert_pages_are_quick(editor: &Reader, path: &str) {
    let mut times = Vec::new();
    let mut page_path = path.to_owned();
    for _ in 0..40 {
        let started = Instant::now();
        let page = editor.get(&page_path).await.expect(200);
        times.push(started.elapsed());
        let next = page
            .links()
            .into_iter()
            .find(|(_, text)| text == "Next page");
        page_path = next.map_or(page_path, |(href, _)| href);
    }
    times.sort();
    let [median, p95] = [times[20], times[37]];
    println!(
        "{:>8.1} ms median, {:>8.1} ms p95, {path}",
        median.as_secs_f64() * 1e3,
        p95.as_secs_f64() * 1e3
    );
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 200 } else { 100 });
    assert!(p95 < limit, "{path}: {p95:?} at the 95th percentile");
}
