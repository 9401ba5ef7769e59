//! The readers of each newsletter, counted not more often than that is cheap: counting a million takes tens of milliseconds, and a
//! page that is asked for again and again must not take them from the mails.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::store::{self, Audience};
use crate::app::App;
use crate::db::DbErr;

/// A count of so many readers is kept for a while…
const MANY: i64 = 50_000;
/// …of so many times what it took: at most two hundredths of one processor are spent on counting.
const KEPT: u32 = 50;
/// …but not for longer.
const LONGEST: Duration = Duration::from_secs(10);

/// The last count, if it was a large one.
#[derive(Debug, Default)]
pub struct Counted(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    audiences: Vec<Audience>,
    until: Instant,
}

/// Every newsletter with its readers, by name; of a very large list as they were some seconds ago.
pub(super) async fn audiences(app: &App) -> Result<Vec<Audience>, DbErr> {
    // Whoever asks meanwhile waits for the one count.
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
