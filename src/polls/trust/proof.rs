//! Proof of work: a puzzle that a browser solves while its reader chooses. It is expensive only for those
//! who answer by the thousand.
//!
//! The client side is ALTCHA's worker (MIT, vendored): it searches for the number whose hash begins with
//! the given bytes. That number is sealed in the puzzle's token, so checking costs the server one
//! decryption and nothing is stored.
//!
//! A proof is valid for one voter, on every node and after every restart, without a list of used proofs: if it is
//! fetched by a browser that has a marker, it is bound to that marker; if it is fetched by a browser without one, it
//! *becomes* the marker ([`Solved::marker`]). A proof that is sent twice belongs to the same voter twice, and the
//! primary key of `ballot` does the rest.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::polls::model::Poll;
use crate::polls::voter::new_marker;
use crate::types::varint::{pack, unpack};
use crate::types::{Keys, Purpose, Random, UnixMillis};

/// The lifetime of a proof, so that nobody can collect them in advance. Pages fetch a fresh one.
pub const LIVES: Duration = Duration::from_secs(30 * 60);

/// A puzzle in the form that ALTCHA's worker takes, with the token that is sent back with the solution.
#[derive(Debug, Clone, Serialize)]
pub struct Puzzle {
    pub token: String,
    pub parameters: Parameters,
    /// How long the token is valid, in seconds.
    pub lives: u64,
}

/// The parameters of ALTCHA's second version, under its own names.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameters {
    pub algorithm: &'static str,
    pub nonce: String,
    pub salt: String,
    pub cost: u32,
    pub key_length: u32,
    pub key_prefix: String,
}

/// A solved puzzle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solved {
    /// The marker it is bound to, as given by [`bond`]; 0: it was fetched by a browser without one.
    bound: i64,
    id: [i64; 2],
    /// When the puzzle was issued.
    pub posed_at: UnixMillis,
}

/// Why a proof is not valid. The answer counts all the same, as one without proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// Not issued by us, for another poll, or not the right number.
    Forged,
    /// Older than [`LIVES`].
    Expired,
}

/// The number of hash bytes that the worker compares: no other number below a billion has the same ones.
const PREFIX: usize = 16;

/// Issues a puzzle for `poll` that takes up to `work` hashes, half as many on average.
pub fn pose(
    keys: &Keys,
    random: &Random,
    poll: &Poll,
    bound: i64,
    work: u64,
    now: UnixMillis,
) -> Puzzle {
    let number = 1 + random.below(work.max(1));
    let (nonce, salt) = (random.bytes::<16>(), random.bytes::<16>());
    let [a, b] = [random.bytes::<8>(), random.bytes::<8>()].map(i64::from_le_bytes);
    let payload = pack(&[poll.id.0, now.0, number as i64, bound, a, b]);
    Puzzle {
        token: keys.seal(Purpose::Proof, &payload),
        parameters: Parameters {
            algorithm: "SHA-256",
            nonce: hex(&nonce),
            salt: hex(&salt),
            cost: 1,
            key_length: 32,
            key_prefix: hex(&derived(&salt, &nonce, number as u32)[..PREFIX]),
        },
        lives: LIVES.as_secs(),
    }
}

/// Checks a solution sent by a form: `token.number`.
///
/// # Errors
/// [`Bad`].
pub fn check(keys: &Keys, poll: &Poll, sent: &str, now: UnixMillis) -> Result<Solved, Bad> {
    let (token, number) = sent.split_once('.').ok_or(Bad::Forged)?;
    let payload = keys.open(Purpose::Proof, token).map_err(|_| Bad::Forged)?;
    let [of, posed_at, sought, bound, a, b] = unpack::<6>(&payload).ok_or(Bad::Forged)?;
    // Only the canonical decimal form is accepted.
    if of != poll.id.0 || number != sought.to_string() {
        return Err(Bad::Forged);
    }
    let posed_at = UnixMillis(posed_at);
    if now.since(posed_at) > LIVES {
        return Err(Bad::Expired);
    }
    Ok(Solved {
        bound,
        id: [a, b],
        posed_at,
    })
}

impl Solved {
    /// Whether it was fetched for this marker.
    pub fn is_bound_to(&self, poll: &Poll, marker: &str) -> bool {
        self.bound != 0 && self.bound == bond(poll, marker)
    }

    /// Whether it was fetched by a browser without a marker.
    pub fn is_loose(&self) -> bool {
        self.bound == 0
    }

    /// The marker of the browser that fetched it without having one: the same one each time it is sent.
    pub fn marker(&self, keys: &Keys, poll: &Poll) -> Option<String> {
        self.is_loose().then(|| {
            let id = self.id.map(i64::to_le_bytes).concat();
            let mut chance = [0; 16];
            chance.copy_from_slice(&keys.hash("proof-marker", &id)[..16]);
            new_marker(poll.id, self.posed_at, chance)
        })
    }
}

/// What a proof for this marker is bound to: 56 bits of a hash, never 0. Another site's page computes it itself, so
/// that the marker it keeps does not appear in a URL.
pub fn bond(poll: &Poll, marker: &str) -> i64 {
    let hash = digest(&SHA256, format!("{}\0{marker}", poll.slug).as_bytes());
    let bond = hash
        .as_ref()
        .iter()
        .take(7)
        .fold(0, |all, byte| (all << 8) | i64::from(*byte));
    bond.max(1)
}

/// As in ALTCHA's worker: SHA-256 of the salt, the nonce and the number in four bytes.
fn derived(salt: &[u8], nonce: &[u8], number: u32) -> [u8; 32] {
    let mut out = [0; 32];
    let bytes = [salt, nonce, &number.to_be_bytes()].concat();
    out.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    out
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::example;
    use crate::types::{PollId, Secret};

    const WORK: u64 = 500;

    /// What a browser does; the server itself never searches for a solution.
    fn solve(puzzle: &Puzzle) -> String {
        let bytes = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let salt = bytes(&puzzle.parameters.salt);
        let nonce = bytes(&puzzle.parameters.nonce);
        let fits =
            |n: &u32| hex(&derived(&salt, &nonce, *n)).starts_with(&puzzle.parameters.key_prefix);
        let number = (1..=WORK as u32).find(fits).unwrap();
        format!("{}.{number}", puzzle.token)
    }
    const NOW: UnixMillis = UnixMillis(1_772_442_000_000);

    fn keys() -> Keys {
        Keys::new(&Secret::new("a secret key of at least 32 characters")).expect("long enough")
    }

    fn posed(bound: i64) -> (Poll, Puzzle, String) {
        let poll = example::single(&["yes", "no"]);
        let puzzle = pose(&keys(), &Random::seeded(5), &poll, bound, WORK, NOW);
        let sent = solve(&puzzle);
        (poll, puzzle, sent)
    }

    #[test]
    fn work_is_believed_and_nothing_else() {
        let (poll, puzzle, sent) = posed(0);
        assert!(check(&keys(), &poll, &sent, NOW).is_ok());
        let number: u32 = sent
            .rsplit('.')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        for forged in [
            String::new(),
            ".".to_owned(),
            "tier=2".to_owned(),
            puzzle.token.clone(),
            format!("{}.{}", puzzle.token, number + 1),
            format!("{}.0{number}", puzzle.token),
            format!("{}.+{number}", puzzle.token),
            format!("{}x.{number}", puzzle.token),
            format!("{sent}.{number}"),
        ] {
            let checked = check(&keys(), &poll, &forged, NOW);
            assert_eq!(checked, Err(Bad::Forged), "{forged}");
        }
        let mut other = poll.clone();
        other.id = PollId(poll.id.0 + 1);
        assert_eq!(check(&keys(), &other, &sent, NOW), Err(Bad::Forged));
    }

    #[test]
    fn a_proof_expires() {
        let (poll, _, sent) = posed(0);
        let end = NOW + LIVES;
        assert!(check(&keys(), &poll, &sent, end).is_ok());
        let late = UnixMillis(end.0 + 1);
        assert_eq!(check(&keys(), &poll, &sent, late), Err(Bad::Expired));
    }

    #[test]
    fn a_proof_speaks_for_one_voter() {
        let (poll, _, sent) = posed(0);
        let solved = check(&keys(), &poll, &sent, NOW).expect("solved");
        let marker = solved.marker(&keys(), &poll).expect("becomes a marker");
        assert!(crate::polls::voter::is_marker(&marker));
        assert_eq!(solved.marker(&keys(), &poll), Some(marker.clone()));
        assert!(
            !solved.is_bound_to(&poll, &marker),
            "of nobody who had a marker"
        );

        let (poll, _, sent) = posed(bond(&example::single(&["yes", "no"]), &marker));
        let solved = check(&keys(), &poll, &sent, NOW).expect("solved");
        assert!(solved.is_bound_to(&poll, &marker));
        assert!(!solved.is_bound_to(&poll, "AAAAAAAAAAAAAAAAAAAAAA"));
        assert_eq!(solved.marker(&keys(), &poll), None);
    }
}
