#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

use image::{Frame, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

use super::*;

fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 1_u32;
    RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
    })
}

/// A JPEG of at most so many bytes, and not much less.
pub(crate) fn noisy_jpeg(len: usize) -> Vec<u8> {
    let mut best = Vec::new();
    for side in (16..=512).step_by(8) {
        let jpeg = encoded(
            &DynamicImage::ImageRgb8(noise(side, side)),
            ImageFormat::Jpeg,
        );
        if jpeg.len() > len {
            break;
        }
        best = jpeg;
    }
    assert!(best.len() > len / 2);
    best
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// A JPEG as a phone writes it: on its side, with a place.
pub(crate) fn photo_with_gps() -> Vec<u8> {
    // Red on the left, blue on the right.
    let pixels = RgbImage::from_fn(64, 32, |x, _| {
        if x < 32 {
            Rgb([255, 0, 0])
        } else {
            Rgb([0, 0, 255])
        }
    });
    let jpeg = encoded(&DynamicImage::ImageRgb8(pixels), ImageFormat::Jpeg);
    // TIFF, little-endian: orientation 6 (turn right by 90 degrees), maker and a GPS directory.
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0".to_vec();
    exif.extend_from_slice(&[2, 0]);
    exif.extend_from_slice(&[0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]);
    exif.extend_from_slice(&[0x25, 0x88, 4, 0, 1, 0, 0, 0, 38, 0, 0, 0]);
    exif.extend_from_slice(&[0; 4]);
    exif.extend_from_slice(
        b"\x01\0\x01\0\x02\0\x02\0\0\0N\0\0\0\0\0\0\0SECRET-PLACE 52.5200N 13.4050E",
    );
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn place_and_camera_stay_here_and_the_picture_is_upright() {
    let photo = photo_with_gps();
    assert!(contains(&photo, b"SECRET-PLACE"));
    for mode in [PictureMode::Standard, PictureMode::Full] {
        let picture = prepare(photo.clone(), mode).unwrap();
        assert!(!contains(&picture.bytes, b"SECRET") && !contains(&picture.bytes, b"Exif"));
        // Turned: it was 64 by 32.
        assert_eq!(picture.dimensions, (32, 64));
        let pixels = image::load_from_memory(&picture.bytes).unwrap().into_rgb8();
        assert!(pixels.get_pixel(16, 5).0[0] > 200, "red is on top");
        assert!(pixels.get_pixel(16, 58).0[2] > 200, "blue is below");
        assert!(!contains(&picture.thumbnail.unwrap(), b"Exif"));
        assert_eq!(picture.blurhash.unwrap().len(), 28);
    }
    let asked_for = prepare(photo.clone(), PictureMode::AsItIs).unwrap();
    assert_eq!(asked_for.bytes, photo);
}

#[test]
fn what_is_transparent_or_lossless_stays_so_and_texts_do_not() {
    let pixels = RgbaImage::from_fn(40, 40, |x, y| Rgba([x as u8, y as u8, 9, 120]));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let source = encoded(&DynamicImage::ImageRgba8(pixels.clone()), format);
        let picture = prepare(source, PictureMode::Standard).unwrap();
        assert_eq!(picture.mime, "image/png");
        let found = image::load_from_memory(&picture.bytes)
            .unwrap()
            .into_rgba8();
        assert_eq!(found, pixels);
    }
    let png = encoded(&DynamicImage::ImageRgb8(noise(20, 20)), ImageFormat::Png);
    // A text chunk after the header.
    let chunk = b"\0\0\0\x0etEXtComment\0SECRET\x77\x2c\x19\x01";
    let with_text = [&png[..33], chunk, &png[33..]].concat();
    if let Ok(picture) = prepare(with_text, PictureMode::Standard) {
        assert!(!contains(&picture.bytes, b"SECRET"));
    }
}

#[test]
fn a_large_picture_is_made_smaller() {
    let jpeg = encoded(
        &DynamicImage::ImageRgb8(noise(2600, 100)),
        ImageFormat::Jpeg,
    );
    let standard = prepare(jpeg.clone(), PictureMode::Standard).unwrap();
    assert_eq!(standard.dimensions, (2048, 79));
    assert_eq!(
        prepare(jpeg, PictureMode::Full).unwrap().dimensions,
        (2600, 100)
    );
}

fn gif(frames: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut out);
    encoder
        .set_repeat(image::codecs::gif::Repeat::Infinite)
        .unwrap();
    for at in 0..frames {
        encoder
            .encode_frame(Frame::new(RgbaImage::from_pixel(
                4,
                4,
                Rgba([at as u8, 0, 0, 255]),
            )))
            .unwrap();
    }
    drop(encoder);
    out
}

#[test]
fn a_gif_goes_on_moving_without_its_comments() {
    use image::AnimationDecoder as _;
    let source = gif(3);
    let colours = 13 + (3_usize << ((source[10] & 7) + 1)) * usize::from(source[10] >> 7);
    let comment = b"\x21\xfe\x06SECRET\0";
    let xmp = b"\x21\xff\x0bXMP DataXMP\x06SECRET\0";
    let with_both = [
        &source[..colours],
        comment,
        xmp,
        &source[colours..],
        b"SECRET",
    ]
    .concat();
    let picture = prepare(with_both, PictureMode::Standard).unwrap();
    assert_eq!(picture.bytes, source);
    let frames = image::codecs::gif::GifDecoder::new(Cursor::new(&picture.bytes)).unwrap();
    assert_eq!(frames.into_frames().count(), 3);
    // However many there are, one is decoded.
    assert!(prepare(gif(10_000), PictureMode::Standard).is_ok());
}

/// A PNG that says it is large, and has next to nothing in it.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut png = encoded(&DynamicImage::ImageRgb8(noise(1, 1)), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

#[test]
fn bombs_are_refused_by_their_headers() {
    for (width, height) in [
        (65_535, 65_535),
        (1, 1_000_000_000),
        (1_000_000_000, 1),
        (4097, 4096),
        (i32::MAX as u32, i32::MAX as u32),
    ] {
        let bomb = png_of(width, height);
        assert!(bomb.len() < 200);
        for bomb in [&bomb[..], &bomb[..bomb.len() / 2]] {
            for mode in [PictureMode::Standard, PictureMode::AsItIs] {
                let refused = prepare(bomb.to_vec(), mode);
                assert!(
                    matches!(refused, Err(MediaError::Picture(_))),
                    "{width}x{height}"
                );
            }
        }
    }
    // 16 bits a channel: as many pixels as may be, and twice the bytes.
    let mut deep = png_of(4096, 4096);
    deep[24] = 16;
    deep[25] = 6;
    let crc = crc32(&deep[12..29]);
    deep[29..33].copy_from_slice(&crc.to_be_bytes());
    assert!(matches!(
        prepare(deep, PictureMode::Full),
        Err(MediaError::Picture(_))
    ));
    // Formats that are not read here.
    for other in [&b"II*\0\x08\0\0\0"[..], b"BM", b"<svg/>", b"", b"%PDF-1.7"] {
        assert!(!is_known(other));
        assert!(prepare(other.to_vec(), PictureMode::Standard).is_err());
    }
}

#[test]
fn a_thumbnail_must_be_small_when_decoded_too() {
    let small = noisy_jpeg(10_000);
    assert!(is_small_jpeg(&small));
    let mut bomb = small.clone();
    // Height and width, in the frame header.
    let frame = bomb
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    bomb[frame + 5..frame + 9].fill(0xff);
    assert!(!is_small_jpeg(&bomb));
    assert!(!is_small_jpeg(&small[..20]));
    assert!(!is_small_jpeg(&png_of(8, 8)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn damaged_pictures_are_an_error_or_a_picture(
        which in 0..3_usize, at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
    ) {
        let mut source = [noisy_jpeg(3000), png_of(8, 8), gif(2)][which].clone();
        let at = at.index(source.len());
        source[at] = byte;
        source.truncate(cut.index(source.len()) + 1);
        let _ = is_small_jpeg(&source);
        if let Ok(picture) = prepare(source, PictureMode::Standard) {
            prop_assert!(!picture.bytes.is_empty());
        }
    }
}
