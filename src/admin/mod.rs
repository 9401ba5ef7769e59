//! The editors' side: who may sign in, and the frame that every editors' page hangs in.
//!
//! Editors are invited by the operator (`canvass admin add`), choose a password by a one-time link, and sign in with it.
//! A session is a random token in a cookie, stored hashed; it ends by signing out, by time, and with every change of the password.
//!
//! - [`password`], [`password_hash`]: what may be a password, and argon2id, a few at a time.

pub mod password;
pub mod password_hash;
