//! A compact encoding of integers, unsigned LEB128. Used in most tokens, lists of readers, ballots and ballot log
//! pages.

/// Appends a number.
pub fn write(out: &mut Vec<u8>, number: i64) {
    let mut rest = number as u64;
    while rest >= 0x80 {
        out.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Takes a number off the front; `None` if it is truncated or does not fit 64 bits.
pub fn read(bytes: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        // The tenth byte has room for one bit.
        if shift > 63 || (shift == 63 && byte > 1) {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(value as i64);
        }
    }
}

/// Encodes some numbers, one after the other.
#[must_use]
pub fn pack(numbers: &[i64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(numbers.len() * 3);
    for &number in numbers {
        write(&mut out, number);
    }
    out
}

/// Decodes exactly `N` numbers; `None` for anything else.
#[must_use]
pub fn unpack<const N: usize>(mut bytes: &[u8]) -> Option<[i64; N]> {
    let mut out = [0; N];
    for number in &mut out {
        *number = read(&mut bytes)?;
    }
    bytes.is_empty().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(numbers in proptest::array::uniform3(any::<i64>())) {
            prop_assert_eq!(unpack(&pack(&numbers)), Some(numbers));
        }
    }

    #[test]
    fn what_is_cut_or_too_long_is_refused() {
        assert_eq!(unpack::<1>(&[0x80]), None);
        assert_eq!(unpack::<1>(&[1, 1]), None);
        assert_eq!(unpack::<1>(&[0xff; 11]), None);
        let seventy = [&[0xff; 9][..], &[2]].concat();
        assert_eq!(unpack::<1>(&seventy), None, "bits that would be lost");
        assert_eq!(unpack(&pack(&[i64::MAX])), Some([i64::MAX]));
    }
}
