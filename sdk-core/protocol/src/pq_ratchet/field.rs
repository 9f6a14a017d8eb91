//! GF(2¹⁶) with the polynomial x¹⁶ + x¹² + x³ + x + 1, by logarithm tables.
//!
//! The data is public (it is on the wire), so table look-ups give nothing away.

use std::sync::LazyLock;

/// x¹⁶ + x¹² + x³ + x + 1.
const POLYNOMIAL: u32 = 0x1_100b;
/// The order of the multiplicative group.
const ORDER: usize = 0xffff;

/// Logarithms to the base of a generator, and the powers that undo them, written twice over so that
/// a sum of two logarithms needs no reduction.
struct Tables {
    log: Vec<u16>,
    power: Vec<u16>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let generator = (2..)
        .find(|&candidate| {
            powers_of(candidate)
                .take(ORDER)
                .skip(1)
                .all(|power| power != 1)
        })
        .unwrap_or(2);
    let mut log = vec![0; ORDER + 1];
    let mut power = Vec::with_capacity(2 * ORDER);
    for (exponent, value) in (0..u16::MAX).zip(powers_of(generator)) {
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

pub(super) fn multiply(a: u16, b: u16) -> u16 {
    if a == 0 || b == 0 {
        return 0;
    }
    power(log(a).wrapping_add(log(b)))
}

/// 1 / a; 0 has none, and gives 0.
pub(super) fn invert(a: u16) -> u16 {
    if a == 0 {
        return 0;
    }
    power(ORDER.wrapping_sub(log(a)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tables_agree_with_shift_and_add(a: u16, b: u16) {
            prop_assert_eq!(multiply(a, b), multiply_slowly(a, b));
        }

        #[test]
        fn an_inverse_undoes(a in 1u16..) {
            prop_assert_eq!(multiply(a, invert(a)), 1);
        }
    }
}
