//! A cache of recently drawn pictures.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;

use super::draw::Painter;
use super::sketch::Sketch;
use crate::types::{PollId, UnixMillis};

/// The minimum time between two pictures of a poll that differ only in their numbers.
const PAUSE: Duration = Duration::from_secs(10);
/// The most pictures kept; one is 30 to 60 kB.
const KEPT: usize = 64;

/// A picture, and the hash of its content.
#[derive(Debug, Clone)]
pub struct Picture {
    pub png: Bytes,
    /// The value of `ETag`.
    pub tag: String,
    drawn_at: UnixMillis,
    /// A hash of everything that must never be out of date: see [`frame`].
    frame: u64,
}

/// Draws and caches pictures. Cheap to clone.
#[derive(Clone, Default)]
pub struct Pictures {
    kept: Arc<Mutex<HashMap<PollId, Picture>>>,
    /// Created with the first picture, since the fonts are not needed before.
    painter: Arc<Mutex<Option<Painter>>>,
    /// Only one picture is drawn at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl fmt::Debug for Pictures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pictures")
    }
}

impl Pictures {
    /// The picture of a poll: the cached one if it shows the same, or if only its numbers are slightly out of date;
    /// else a new one. `revision` is the poll's.
    ///
    /// # Errors
    /// The picture could not be drawn.
    pub async fn of(
        &self,
        poll: PollId,
        revision: i64,
        sketch: Sketch,
        now: UnixMillis,
    ) -> Result<Picture, &'static str> {
        let (tag, frame) = (hash(&sketch), frame(revision, &sketch));
        let kept = || {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(&poll)
                .filter(|p| {
                    let young = p.drawn_at <= now && now.since(p.drawn_at) < PAUSE;
                    p.tag == tag || (p.frame == frame && young)
                })
                .cloned()
        };
        if let Some(picture) = kept() {
            return Ok(picture);
        }
        let _turn = self.turn.lock().await;
        if let Some(picture) = kept() {
            return Ok(picture);
        }
        let painter = self.painter.clone();
        let drawn = tokio::task::spawn_blocking(move || {
            let mut painter = painter.lock().unwrap_or_else(PoisonError::into_inner);
            painter.get_or_insert_with(Painter::new).paint(&sketch)
        })
        .await;
        let Ok(Ok(png)) = drawn else {
            return Err("the picture of a poll could not be drawn");
        };
        let picture = Picture {
            png: png.into(),
            tag,
            drawn_at: now,
            frame,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT
            && let Some(oldest) = kept
                .iter()
                .min_by_key(|(_, p)| p.drawn_at)
                .map(|(id, _)| *id)
        {
            kept.remove(&oldest);
        }
        kept.insert(poll, picture.clone());
        Ok(picture)
    }
}

fn hash(sketch: &Sketch) -> String {
    let mut hasher = DefaultHasher::new();
    sketch.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// A hash of what must never be out of date: the texts, and whether there are numbers at all.
fn frame(revision: i64, sketch: &Sketch) -> u64 {
    let mut hasher = DefaultHasher::new();
    revision.hash(&mut hasher);
    sketch.question.hash(&mut hasher);
    sketch.bars.is_empty().hash(&mut hasher);
    hasher.finish()
}
