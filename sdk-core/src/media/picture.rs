//! Pictures: made anew before they are sent, so that what a camera wrote beside them (place, time, serial number)
//! stays here; and the thumbnail and the blur that travel in the message.
//!
//! Where it stands: before sealing, on what the user of this device chose. What others send is never decoded here;
//! of their thumbnails the header is read, so that no app decodes a large picture from a small one.
//!
//! Must never: decode a picture before its header said that it is small enough, or let metadata through because
//! something failed. Blocks.

mod gif;
mod thumbnail;

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder as _, ImageFormat, ImageReader,
    Limits,
};

use super::MediaError;

/// Pixels of a picture that is decoded: 16 million.
const MAX_PIXELS: u64 = 16 * 1024 * 1024;
/// Bytes of it decoded.
const MAX_DECODED: u64 = 64 * 1024 * 1024;
/// Bytes of the file that is read for it.
pub(crate) const MAX_ENCODED: u64 = 64 * 1024 * 1024;
/// Pixels across or down of a thumbnail that an app may safely decode.
const MAX_THUMBNAIL_SIDE: u32 = 1024;
/// Bytes of a colour profile that is kept: displays' have about 500, cameras' may have names in them.
const MAX_PROFILE_LEN: usize = 4096;

/// How a picture is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PictureMode {
    /// Made anew, at most 2048 pixels across or down: what chats want.
    #[default]
    Standard,
    /// Made anew in full size.
    Full,
    /// The file as it is, **with all that the camera wrote into it, such as the place**.
    AsItIs,
}

/// A picture, ready to be sealed.
pub(crate) struct Picture {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mime: &'static str,
    pub(crate) dimensions: (u32, u32),
    pub(crate) thumbnail: Option<Vec<u8>>,
    pub(crate) blurhash: Option<String>,
}

/// Whether these bytes are of a format that is read here.
pub(crate) fn is_known(bytes: &[u8]) -> bool {
    image::guess_format(bytes).is_ok_and(|format| mime(format).is_some())
}

/// Whether a JPEG's header says that it is small.
pub(crate) fn is_small_jpeg(bytes: &[u8]) -> bool {
    // The decoder reads the header alone.
    let reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
    bytes.starts_with(&[0xff, 0xd8, 0xff])
        && reader
            .into_dimensions()
            .is_ok_and(|(width, height)| width.max(height) <= MAX_THUMBNAIL_SIDE)
}

/// Makes a picture anew, or takes it as it is, with its thumbnail and blur.
pub(crate) fn prepare(bytes: Vec<u8>, mode: PictureMode) -> Result<Picture, MediaError> {
    let format =
        image::guess_format(&bytes).map_err(|_| MediaError::Picture("is of no known kind"))?;
    let mime = mime(format).ok_or(MediaError::Picture("is of no known kind"))?;
    let (image, profile) = decode(&bytes, format)?;
    let (thumbnail, blurhash) = thumbnail::of(&image);
    let mut picture = Picture {
        bytes: Vec::new(),
        mime,
        dimensions: (image.width(), image.height()),
        thumbnail,
        blurhash,
    };
    match (mode, format) {
        (PictureMode::AsItIs, _) => picture.bytes = bytes,
        // What moves goes on moving.
        (_, ImageFormat::Gif) => picture.bytes = gif::without_comments(&bytes)?,
        _ => anew(image, mode, format, profile, &mut picture)?,
    }
    Ok(picture)
}

const fn mime(format: ImageFormat) -> Option<&'static str> {
    match format {
        ImageFormat::Jpeg => Some("image/jpeg"),
        ImageFormat::Png => Some("image/png"),
        ImageFormat::WebP => Some("image/webp"),
        ImageFormat::Gif => Some("image/gif"),
        _ => None,
    }
}

/// Decodes it, turned the right way up; and its colour profile. The header is looked at first.
fn decode(
    bytes: &[u8],
    format: ImageFormat,
) -> Result<(DynamicImage, Option<Vec<u8>>), MediaError> {
    let unreadable = |_| MediaError::Picture("cannot be read");
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width).saturating_mul(height.into());
    if pixels > MAX_PIXELS || decoder.total_bytes() > MAX_DECODED {
        return Err(MediaError::Picture("has more than 16 million pixels"));
    }
    decoder.set_limits(limits).map_err(unreadable)?;
    let orientation = decoder.orientation().map_err(unreadable)?;
    let profile = decoder.icc_profile().map_err(unreadable)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    image.apply_orientation(orientation);
    let profile = profile.filter(|profile| {
        // What is written has red, green and blue; another space's profile would be wrong.
        profile.len() <= MAX_PROFILE_LEN && profile.get(16..20) == Some(b"RGB ")
    });
    Ok((image, profile))
}

/// Encodes the pixels alone: lossless where it was or where it is transparent, else as a JPEG.
fn anew(
    image: DynamicImage,
    mode: PictureMode,
    format: ImageFormat,
    profile: Option<Vec<u8>>,
    picture: &mut Picture,
) -> Result<(), MediaError> {
    let failed = |_| MediaError::Picture("cannot be written");
    let (side, quality) = match mode {
        PictureMode::Standard => (2048, 82),
        _ => (u32::MAX, 92),
    };
    let image = if image.width().max(image.height()) > side {
        image.resize(side, side, FilterType::CatmullRom)
    } else {
        image
    };
    picture.dimensions = (image.width(), image.height());
    let (width, height) = picture.dimensions;
    let mut out = Vec::new();
    if format == ImageFormat::Png || is_transparent(&image) {
        picture.mime = "image/png";
        let mut encoder = PngEncoder::new(&mut out);
        keep_profile(&mut encoder, profile);
        if image.color().has_alpha() {
            let pixels = image.into_rgba8();
            encoder.write_image(&pixels, width, height, ExtendedColorType::Rgba8)
        } else {
            let pixels = image.into_rgb8();
            encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8)
        }
        .map_err(failed)?;
    } else {
        picture.mime = "image/jpeg";
        let mut encoder = JpegEncoder::new_with_quality(&mut out, quality);
        keep_profile(&mut encoder, profile);
        let pixels = image.into_rgb8();
        encoder
            .write_image(&pixels, width, height, ExtendedColorType::Rgb8)
            .map_err(failed)?;
    }
    picture.bytes = out;
    Ok(())
}

fn keep_profile(encoder: &mut impl image::ImageEncoder, profile: Option<Vec<u8>>) {
    if let Some(profile) = profile {
        // A format without profiles shows the colours a little off.
        let _without = encoder.set_icc_profile(profile);
    }
}

fn is_transparent(image: &DynamicImage) -> bool {
    use image::GenericImageView as _;
    image.color().has_alpha()
        && image
            .pixels()
            .any(|(_, _, pixel)| pixel.0.last() != Some(&255))
}

#[cfg(test)]
pub(crate) mod tests;
