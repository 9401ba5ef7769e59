//! When things happen: calendar arithmetic without a clock of its own.
//!
//! An editor thinks in wall time ("Monday, seven o'clock, Vienna"); the database keeps instants.
//! This module is the only translation between the two, and it is pure: the present is an argument.
//!
//! - [`Zone`] is a time zone of the IANA database, compiled in, so that every node agrees.
//! - [`WallTime`] is a local minute; [`WallTime::resolve`] makes it an instant. In a clock-change gap
//!   that is the first valid minute after it, in an overlap the first of the two.
//! - [`written`] writes an instant the way editors read it, always with its zone and with UTC.
//! - [`lateness`] decides what becomes of a slot nobody was there to serve.

pub mod lateness;
mod wall;
pub mod written;
mod zone;

pub use wall::{NotAWallTime, Resolution, Resolved, WallTime};
pub use zone::{UnknownZone, Zone};
