//! The small picture of a picture: a few pixels, from the thumbnail or the blur that came with the message.

use hushpost::Attachment;
use image::imageops::FilterType;
use image::{ImageFormat, RgbImage};

/// Columns of the terminal; a pixel is one column wide.
const COLUMNS: u32 = 28;
/// Pixels down; two of them are in one row of the terminal.
const PIXELS_DOWN: u32 = 20;

/// A few pixels.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    rows: Vec<Vec<[u8; 3]>>,
}

impl core::fmt::Debug for Picture {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Picture(…)")
    }
}

impl Picture {
    /// `None` if nothing came with it, or nothing that can be drawn.
    pub(crate) fn of(file: &Attachment) -> Option<Self> {
        file.thumbnail()
            .and_then(Self::thumbnail)
            .or_else(|| Self::blur(file.blurhash()?, file.dimensions()))
    }

    /// One column, red above blue.
    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        Self {
            rows: vec![vec![[255, 0, 0]], vec![[0, 0, 255]]],
        }
    }

    /// Rows of pixels.
    pub(crate) fn rows(&self) -> &[Vec<[u8; 3]>] {
        &self.rows
    }

    // The SDK gave it only if it is a small JPEG, small when it is decoded too.
    fn thumbnail(jpeg: &[u8]) -> Option<Self> {
        let picture = image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).ok()?;
        let (across, down) = fit(picture.width(), picture.height());
        let small = picture.resize_exact(across, down, FilterType::Triangle);
        Some(Self::new(&small.to_rgb8()))
    }

    fn blur(hash: &str, dimensions: Option<(u32, u32)>) -> Option<Self> {
        let (across, down) = dimensions.map_or((COLUMNS, PIXELS_DOWN), |(x, y)| fit(x, y));
        let pixels = blurhash::decode(hash, across, down, 1.0).ok()?;
        let (pixels, _) = pixels.as_chunks::<4>();
        let rows = pixels.chunks(usize::try_from(across).ok()?);
        let rows = rows.map(|row| row.iter().map(|[r, g, b, _]| [*r, *g, *b]).collect());
        Some(Self {
            rows: rows.collect(),
        })
    }

    fn new(picture: &RgbImage) -> Self {
        let rows = picture.rows().map(|row| row.map(|pixel| pixel.0).collect());
        Self {
            rows: rows.collect(),
        }
    }
}

/// The largest size with these proportions.
fn fit(across: u32, down: u32) -> (u32, u32) {
    let (x, y) = (u64::from(across.max(1)), u64::from(down.max(1)));
    let (columns, pixels) = (u64::from(COLUMNS), u64::from(PIXELS_DOWN));
    let scaled =
        |number: u64, by: u64, most: u64| number.checked_div(by).unwrap_or(1).clamp(1, most);
    let (x, y) = if x.saturating_mul(pixels) > y.saturating_mul(columns) {
        (columns, scaled(y.saturating_mul(columns), x, pixels))
    } else {
        (scaled(x.saturating_mul(pixels), y, columns), pixels)
    };
    let side = |number: u64| u32::try_from(number).unwrap_or(1);
    (side(x), side(y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_shape() {
        assert_eq!(fit(1000, 1000), (20, 20));
        assert_eq!(fit(2800, 100), (28, 1));
        assert_eq!(fit(1, 1_000_000), (1, 20));
        assert_eq!(fit(0, u32::MAX), (1, 20));
        assert_eq!(fit(u32::MAX, 1), (28, 1));
    }

    #[test]
    fn blurs_and_thumbnails_become_pixels() {
        let blur = Picture::blur("LEHV6nWB2yk8pyo0adR*.7kCMdnj", Some((200, 100))).unwrap();
        assert_eq!((blur.rows().len(), blur.rows()[0].len()), (14, 28));
        assert_eq!(Picture::blur("nonsense", None), None);
        let red = RgbImage::from_pixel(64, 64, image::Rgb([250, 0, 0]));
        let mut jpeg = std::io::Cursor::new(Vec::new());
        red.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        let small = Picture::thumbnail(jpeg.get_ref()).unwrap();
        assert_eq!((small.rows().len(), small.rows()[0].len()), (20, 20));
        assert!(small.rows()[3][3][0] > 200 && small.rows()[3][3][2] < 50);
        assert_eq!(Picture::thumbnail(b"no picture"), None);
    }
}
