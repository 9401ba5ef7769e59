//! A cache of recently drawn pictures.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
            let kept = lock(&self.kept);
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
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if let Some(picture) = kept() {
            return Ok(picture);
        }
        let (painter, kept) = (Arc::clone(&self.painter), Arc::clone(&self.kept));
        let drawn = tokio::task::spawn_blocking(move || {
            // The turn ends with the work, not with the request: the client may disconnect before.
            let _turn = turn;
            let png = lock(&painter)
                .get_or_insert_with(Painter::new)
                .paint(&sketch)
                .ok()?;
            let picture = Picture {
                png: png.into(),
                tag,
                drawn_at: now,
                frame,
            };
            keep(&mut lock(&kept), poll, picture.clone());
            Some(picture)
        });
        drawn
            .await
            .ok()
            .flatten()
            .ok_or("the picture of a poll could not be drawn")
    }
}

/// Puts a picture in the place of the oldest one if there are many.
fn keep(kept: &mut HashMap<PollId, Picture>, poll: PollId, picture: Picture) {
    if kept.len() >= KEPT
        && let Some(oldest) = kept
            .iter()
            .min_by_key(|(_, p)| p.drawn_at)
            .map(|(id, _)| *id)
    {
        kept.remove(&oldest);
    }
    kept.insert(poll, picture);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_hangs_up_keeps_its_turn_until_the_picture_is_drawn() {
        let (pictures, poll) = (Pictures::default(), PollId(7));
        let sketch = Sketch {
            question: "Do you trust the news?".to_owned(),
            bars: Vec::new(),
            foot: String::new(),
            host: "polls.example.org".to_owned(),
        };
        let now = UnixMillis(1_800_000_000_000);
        tokio::select! {
            biased;
            _ = pictures.of(poll, 1, sketch, now) => panic!("ready at once"),
            () = std::future::ready(()) => {}
        }
        let _next = pictures.turn.lock().await;
        assert!(lock(&pictures.kept).contains_key(&poll), "drawn, and kept");
    }
}
