//! Encodes the entries of the log's pages. Pure.

use super::{Ballot, Entry};
use crate::types::varint;

/// Appends an entry.
pub fn write(out: &mut Vec<u8>, entry: &Entry<'_>) {
    match entry {
        Entry::Cast(ballot) => write_ballot(out, 1, ballot),
        Entry::Changed(ballot) => write_ballot(out, 2, ballot),
        Entry::Found {
            ballot,
            cast,
            changed,
        } => {
            write_ballot(out, 3, ballot);
            out.extend(cast.0.to_be_bytes());
            out.extend(changed.0.to_be_bytes());
        }
        Entry::SetAside {
            voter,
            revision,
            removal,
        } => {
            out.push(4);
            out.extend(voter);
            numbers(out, &[*revision, *removal]);
        }
        Entry::GivenBack {
            voter,
            revision,
            removal,
        } => {
            out.push(5);
            out.extend(voter);
            numbers(out, &[*revision, *removal]);
        }
        Entry::Removal {
            number,
            reason,
            ballots,
        } => {
            out.push(6);
            numbers(out, &[*number]);
            out.extend(reason);
            numbers(out, &[*ballots]);
        }
        Entry::Undone { number, ballots } => {
            out.push(7);
            numbers(out, &[*number, *ballots]);
        }
        Entry::Wording(wording) => {
            out.push(8);
            numbers(out, &[length(&wording.questions)]);
            for (key, text) in &wording.questions {
                numbers(out, &[*key]);
                out.extend(text);
            }
            numbers(out, &[length(&wording.options)]);
            for (id, key, label) in &wording.options {
                numbers(out, &[*id, *key]);
                out.extend(label);
            }
        }
        Entry::Received { ballot, cast } => {
            write_ballot(out, 9, ballot);
            out.extend(cast.0.to_be_bytes());
        }
        Entry::HandedOver { voter, revision } => {
            out.push(10);
            out.extend(voter);
            numbers(out, &[*revision]);
        }
        Entry::Ruled {
            option,
            words,
            shown,
        } => {
            out.push(11);
            numbers(out, &[*option]);
            out.extend(words);
            out.push(u8::from(shown.is_some()));
            out.extend(shown.iter().flatten());
        }
        Entry::Mailed { issue, ballots } => {
            out.push(12);
            numbers(out, &[*issue, *ballots]);
        }
        Entry::Whole => out.push(13),
        Entry::Terms(terms) => {
            out.push(14);
            out.extend(terms.poll);
            for hashes in [&terms.questions, &terms.options] {
                numbers(out, &[length(hashes)]);
                for (of, hash) in hashes {
                    numbers(out, &[*of]);
                    out.extend(hash);
                }
            }
        }
    }
}

fn write_ballot(out: &mut Vec<u8>, kind: u8, ballot: &Ballot<'_>) {
    out.push(kind);
    out.extend(ballot.voter);
    let network = ballot.network.unwrap_or_default();
    numbers(
        out,
        &[
            ballot.revision,
            ballot.tier.into(),
            ballot.place.into(),
            length(network),
        ],
    );
    out.extend(network);
    numbers(out, &[length(ballot.choices)]);
    out.extend(ballot.choices);
}

fn length<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

fn numbers(out: &mut Vec<u8>, numbers: &[i64]) {
    for &number in numbers {
        varint::write(out, number);
    }
}
