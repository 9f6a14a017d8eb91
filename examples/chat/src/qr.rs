//! QR codes out of half blocks: two rows of the code in one row of the terminal.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code. The standard has four; scanners of today need two.
const QUIET: usize = 2;

/// The rows of a code, dark drawn as text on light; `None` if that is more than a code holds.
pub(crate) fn rows(payload: &[u8]) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(payload, EcLevel::L).ok()?;
    let side = code.width();
    let colors = code.into_colors();
    let dark = |x: usize, y: usize| {
        let (Some(x), Some(y)) = (x.checked_sub(QUIET), y.checked_sub(QUIET)) else {
            return false;
        };
        x < side && colors.get(y.saturating_mul(side).saturating_add(x)) == Some(&Color::Dark)
    };
    let full = side.saturating_add(2 * QUIET);
    let row = |y: usize| {
        (0..full)
            .map(|x| match (dark(x, y), dark(x, y.saturating_add(1))) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            })
            .collect()
    };
    Some((0..full).step_by(2).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_square_and_has_its_corners() {
        let rows = rows(b"0198c0de-0000-8000-8000-000000000000").unwrap();
        let columns = rows[0].chars().count();
        assert!(rows.iter().all(|row| row.chars().count() == columns));
        assert_eq!(rows.len(), columns.div_ceil(2));
        // The quiet zone, then the upper edge of the finder patterns at both ends.
        assert!(rows[0].trim().is_empty());
        assert!(rows[1].starts_with("  █▀▀▀▀▀█") && rows[1].ends_with("█▀▀▀▀▀█  "));
        assert_eq!(super::rows(&[0; 5000]), None);
    }
}
