//! GF(2¹⁶) with the polynomial x¹⁶ + x¹² + x³ + x + 1, by logarithm tables.
//!
//! The data is public (it is on the wire), so table look-ups give nothing away.

use std::sync::LazyLock;

/// x¹⁶ + x¹² + x³ + x + 1.
const POLYNOMIAL: u32 = 0x1_100b;
/// The order of the multiplicative group.
pub(super) const ORDER: usize = 0xffff;
/// The polynomial is primitive, so x generates all of the group.
const GENERATOR: u16 = 2;

/// Logarithms to the base of the generator, and the powers that undo them, written twice over so that
/// a sum of two logarithms needs no reduction.
struct Tables {
    log: Vec<u16>,
    power: Vec<u16>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut log = vec![0; ORDER + 1];
    let mut power = Vec::with_capacity(2 * ORDER);
    for (exponent, value) in (0..u16::MAX).zip(powers_of(GENERATOR)) {
        power.push(value);
        if let Some(slot) = log.get_mut(usize::from(value)) {
            *slot = exponent;
        }
    }
    power.extend_from_within(..);
    Tables { log, power }
});

fn powers_of(base: u16) -> impl Iterator<Item = u16> {
    core::iter::successors(Some(1), move |&power| Some(multiply_slowly(power, base)))
}

/// Shift and add.
fn multiply_slowly(a: u16, b: u16) -> u16 {
    let mut product = 0u32;
    let mut shifted = u32::from(a);
    for bit in 0..16 {
        if b >> bit & 1 == 1 {
            product ^= shifted;
        }
        shifted <<= 1;
        if shifted >> 16 == 1 {
            shifted ^= POLYNOMIAL;
        }
    }
    (product & 0xffff) as u16
}

/// Logarithm of a non-zero element; a sum of two of them is an index of [`power`].
pub(super) fn log(a: u16) -> usize {
    TABLES
        .log
        .get(usize::from(a))
        .copied()
        .map_or(0, usize::from)
}

/// Undoes [`log`] for sums of up to two logarithms.
pub(super) fn power(exponent: usize) -> u16 {
    TABLES.power.get(exponent).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_element_but_zero_is_a_power() {
        for element in 1..=u16::MAX {
            assert_eq!(power(log(element)), element);
        }
    }

    proptest! {
        #[test]
        fn logarithms_add_where_elements_multiply(a in 1u16.., b in 1u16..) {
            let sum = log(a).wrapping_add(log(b));
            prop_assert_eq!(power(sum), multiply_slowly(a, b));
        }
    }
}
