//! What is shown until the picture is there: a small JPEG, and a blur of a few characters.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder as _, RgbImage};

use crate::content::MAX_THUMBNAIL_LEN;

/// Pixels across or down, and quality: the first that fits is taken.
const SIZES: [(u32, u8); 4] = [(240, 55), (160, 45), (96, 40), (48, 30)];
/// Pixels across or down that the blur is made from.
const BLUR_SIDE: u32 = 32;

/// The thumbnail and the blur of a picture; none of what cannot be made.
pub(super) fn of(image: &DynamicImage) -> (Option<Vec<u8>>, Option<String>) {
    let small = image.thumbnail(256, 256);
    (jpeg(&small), blur(&small))
}

fn jpeg(image: &DynamicImage) -> Option<Vec<u8>> {
    SIZES.into_iter().find_map(|(side, quality)| {
        let pixels = on_white(&image.thumbnail(side, side));
        let mut out = Vec::new();
        JpegEncoder::new_with_quality(&mut out, quality)
            .write_image(
                &pixels,
                pixels.width(),
                pixels.height(),
                ExtendedColorType::Rgb8,
            )
            .ok()?;
        (out.len() <= MAX_THUMBNAIL_LEN).then_some(out)
    })
}

fn blur(image: &DynamicImage) -> Option<String> {
    let pixels = DynamicImage::ImageRgb8(on_white(&image.thumbnail(BLUR_SIDE, BLUR_SIDE)));
    let pixels = pixels.into_rgba8();
    blurhash::encode(4, 3, pixels.width(), pixels.height(), &pixels).ok()
}

/// A JPEG has no transparency.
fn on_white(image: &DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.to_rgb8();
    }
    let pixels = image.to_rgba8();
    let mut out = RgbImage::new(pixels.width(), pixels.height());
    for (to, from) in out.pixels_mut().zip(pixels.pixels()) {
        let [red, green, blue, alpha] = from.0.map(u16::from);
        let white = 255_u16.saturating_sub(alpha).saturating_mul(255);
        to.0 = [red, green, blue].map(|colour| {
            let mixed = colour.saturating_mul(alpha).saturating_add(white);
            u8::try_from(mixed.checked_div(255).unwrap_or_default()).unwrap_or(u8::MAX)
        });
    }
    out
}
