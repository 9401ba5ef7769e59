//! Calendar arithmetic, without a clock of its own.
//!
//! Editors think in wall time ("Monday, seven o'clock, Vienna"); the database stores instants. This module is the
//! only place that translates between the two, and it is pure: the current time is an argument.
//!
//! - [`Zone`] is a time zone of the IANA database, compiled in, so that every node agrees.
//! - [`WallTime`] is a local minute; [`WallTime::resolve`] converts it to an instant. In the gap of a clock change
//!   that is the first valid minute after it, in an overlap the first of the two.
//! - [`written`] formats an instant for editors, always with its zone and with UTC.
//! - [`lateness`] decides what to do about a slot that was missed while no server was running.
//!
//! `zone` and `wall` define [`Zone`] and [`WallTime`].

pub mod lateness;
mod wall;
pub mod written;
mod zone;

pub use wall::{NotAWallTime, Resolution, Resolved, WallTime};
pub use zone::{UnknownZone, Zone};
