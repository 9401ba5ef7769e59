//! A compact list of readers: ascending ids as LEB128 differences, mostly one byte each.

use super::ReaderId;
use super::varint::{read, write};

/// Packs ids, which must be in ascending order.
#[must_use]
pub fn packed(readers: &[ReaderId]) -> Vec<u8> {
    let mut out = Vec::with_capacity(readers.len() * 2);
    let mut last = 0;
    for reader in readers {
        write(&mut out, reader.0 - last);
        last = reader.0;
    }
    out
}

/// Unpacks them again; a truncated last id is dropped.
#[must_use]
pub fn unpacked(mut bytes: &[u8]) -> Vec<ReaderId> {
    let mut readers = Vec::with_capacity(bytes.len());
    let mut last = 0i64;
    while let Some(difference) = read(&mut bytes) {
        last = last.wrapping_add(difference);
        readers.push(ReaderId(last));
    }
    readers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_come_back(mut ids in proptest::collection::vec(1i64..i64::MAX, 0..200)) {
            ids.sort_unstable();
            let readers: Vec<ReaderId> = ids.into_iter().map(ReaderId).collect();
            prop_assert_eq!(unpacked(&packed(&readers)), readers);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpacked(&bytes);
        }
    }

    #[test]
    fn neighbours_cost_a_byte() {
        let readers: Vec<ReaderId> = (1_000_000..1_000_500).map(ReaderId).collect();
        assert!(packed(&readers).len() < 510);
    }
}
