//! The cached number of readers of each newsletter: counting a million takes tens of milliseconds, and a page that is
//! reloaded again and again must not take that time from sending.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::store::{self, Audience};
use crate::app::App;
use crate::db::DbErr;

/// A count of at least this many readers is cached for a while…
const MANY: i64 = 50_000;
/// …for this many times as long as it took, so that counting uses at most 2 % of one CPU…
const KEPT: u32 = 50;
/// …but not for longer than this.
const LONGEST: Duration = Duration::from_secs(10);

/// The last count, if it was a large one.
#[derive(Debug, Default)]
pub struct Counted(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    audiences: Vec<Audience>,
    until: Instant,
}

/// Every newsletter with its number of readers, by name. For very large lists the numbers may be some seconds old.
pub(super) async fn audiences(app: &App) -> Result<Vec<Audience>, DbErr> {
    // Concurrent requests wait for the same count.
    let mut kept = app.counted.0.lock().await;
    let began = Instant::now();
    if let Some(kept) = kept.as_ref().filter(|kept| began < kept.until) {
        return Ok(kept.audiences.clone());
    }
    let audiences = store::audiences(app.db.read()).await?;
    let all: i64 = audiences.iter().map(|a| a.active + a.gone).sum();
    *kept = (all >= MANY).then(|| Kept {
        audiences: audiences.clone(),
        until: Instant::now() + (began.elapsed() * KEPT).min(LONGEST),
    });
    Ok(audiences)
}
