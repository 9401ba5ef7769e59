//! Many readers in few bytes: ascending ids as LEB128 differences, mostly one byte each.

use super::ReaderId;
use super::keys::pack;

/// Packs ids that ascend.
#[must_use]
pub fn packed(readers: &[ReaderId]) -> Vec<u8> {
    let mut last = 0;
    let differences: Vec<i64> = readers
        .iter()
        .map(|reader| {
            let difference = reader.0 - last;
            last = reader.0;
            difference
        })
        .collect();
    pack(&differences)
}

/// Unpacks them again; what is cut short is left out.
#[must_use]
pub fn unpacked(bytes: &[u8]) -> Vec<ReaderId> {
    let mut readers = Vec::with_capacity(bytes.len());
    let (mut last, mut value, mut shift) = (0i64, 0u64, 0u32);
    for byte in bytes {
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            last = last.wrapping_add(value as i64);
            readers.push(ReaderId(last));
            (value, shift) = (0, 0);
        } else {
            shift += 7;
        }
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
