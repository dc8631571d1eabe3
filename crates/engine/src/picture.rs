//! Pictures in a conversation: their limits, how a file becomes pixels, and the names that stand for them among the tokens.
//!
//! A picture takes places in the KV cache like text, but has no tokens of the vocabulary. Each of its places gets a name made from
//! the pixels, so that the prefix tree finds a picture that was computed before and never takes one for another.

use std::fmt;
use std::io::Cursor;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::backend::Token;
use crate::request::invalid;

/// Upper limit of the pictures in one request.
pub const MAX_IMAGES: usize = 16;
/// Upper limit of one picture's file in bytes.
pub const MAX_IMAGE_BYTES: usize = 20 * 1024 * 1024;
/// Upper limit of all files of a request in bytes: they cross the pipe in one frame.
pub const MAX_IMAGES_BYTES: usize = 40 * 1024 * 1024;
/// Upper limit of a picture's pixels, before anything is decoded.
pub const MAX_PIXELS: u64 = 40_000_000;
/// Larger sides are scaled down to this, in pixels. No vision model that llama.cpp runs looks at more.
const LONGEST_SIDE: u32 = 4096;
/// Memory for decoding one picture: its pixels with an alpha channel and 16 bits a channel, in bytes.
const DECODE_BYTES: u64 = MAX_PIXELS * 8;

/// Names of places are this far below zero; between it and zero lie the names that [`crate::cache`] makes.
const FIRST_NAME: Token = -0x2_0000;
/// How many names there are; a power of two.
const NAMES: u64 = 1 << 30;

/// A picture that a message shows.
#[derive(Clone)]
pub struct Image {
    /// The file: PNG, JPEG, WebP or GIF, of which the first frame counts.
    bytes: Arc<[u8]>,
    /// Where in the message's text it stands, in bytes.
    pub at: usize,
    decoded: OnceLock<Result<Arc<Pixels>, Error>>,
}

impl Image {
    /// A picture before the text of its message.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::at(bytes, 0)
    }

    /// A picture at a place of its message's text, in bytes.
    pub fn at(bytes: impl Into<Arc<[u8]>>, at: usize) -> Self {
        Self {
            bytes: bytes.into(),
            at,
            decoded: OnceLock::new(),
        }
    }

    /// Size of the file in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The pixels; decoded once, which takes up to a second for the largest.
    pub fn pixels(&self) -> Result<Arc<Pixels>, Error> {
        self.decoded
            .get_or_init(|| decode(&self.bytes).map(Arc::new))
            .clone()
    }

    /// Checks what is known without decoding.
    pub(crate) fn validate(&self, text: &str) -> Result<(), Error> {
        if self.bytes.len() > MAX_IMAGE_BYTES {
            let size = self.bytes.len();
            let reason = format!("has a file of {size} bytes, the limit is {MAX_IMAGE_BYTES}");
            return Err(invalid("images", reason));
        }
        if !text.is_char_boundary(self.at) {
            let reason = format!("stands at byte {} of the text, which is no place", self.at);
            return Err(invalid("images", reason));
        }
        Ok(())
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Image({} bytes at {})", self.bytes.len(), self.at)
    }
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at && self.bytes == other.bytes
    }
}

impl Eq for Image {}

/// An [`Image`] on the wire.
#[derive(Serialize, Deserialize)]
struct Wire {
    base64: String,
    at: usize,
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let base64 = STANDARD.encode(&self.bytes);
        let wire = Wire {
            base64,
            at: self.at,
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let bytes = STANDARD.decode(wire.base64).map_err(de::Error::custom)?;
        Ok(Self::at(bytes, wire.at))
    }
}

/// A decoded picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Pixels {
    pub width: u32,
    pub height: u32,
    /// Red, green and blue of each pixel, row by row.
    pub rgb: Vec<u8>,
    /// Tells pictures apart: the first 64 bits of a SHA-256 over size and pixels.
    pub key: u64,
}

impl fmt::Debug for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "Pixels({} × {}, {:016x})",
            self.width, self.height, self.key
        )
    }
}

fn decode(bytes: &[u8]) -> Result<Pixels, Error> {
    let refused = |reason: String| invalid("images", reason);
    let unreadable = |error: image::ImageError| {
        refused(format!(
            "must be PNG, JPEG, WebP or GIF pictures; one cannot be read: {error}"
        ))
    };
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| unreadable(image::ImageError::IoError(error)))?;
    // The size is in the header: what is too large is refused before memory is taken for it.
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODE_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MAX_PIXELS {
        return Err(refused(format!(
            "must have 1 to {MAX_PIXELS} pixels; one is {width} × {height}"
        )));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    if width.max(height) > LONGEST_SIDE {
        picture = picture.thumbnail(LONGEST_SIDE, LONGEST_SIDE);
    }
    picture.apply_orientation(orientation);
    Ok(of_rgb(picture.into_rgb8()))
}

fn of_rgb(picture: image::RgbImage) -> Pixels {
    let (width, height) = picture.dimensions();
    let rgb = picture.into_raw();
    let mut hash = Sha256::new();
    hash.update(width.to_le_bytes());
    hash.update(height.to_le_bytes());
    hash.update(&rgb);
    let digest = hash.finalize();
    let mut key = [0; 8];
    key.copy_from_slice(&digest[..8]);
    Pixels {
        width,
        height,
        rgb,
        key: u64::from_le_bytes(key),
    }
}

/// The names of the `count` places that a picture takes. All are below zero; only the first one is odd below [`FIRST_NAME`].
pub(crate) fn names(key: u64, count: usize) -> impl Iterator<Item = Token> {
    (0..count).map(move |index| {
        let name = (mixed(key ^ mixed(index as u64)) % NAMES) & !1;
        FIRST_NAME - (name as Token | Token::from(index == 0))
    })
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input changes half of the output.
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Whether a token stands for a place of a picture.
pub(crate) fn is_place(token: Token) -> bool {
    token <= FIRST_NAME
}

fn is_first_place(token: Token) -> bool {
    is_place(token) && (FIRST_NAME - token) & 1 == 1
}

/// The largest length up to `length` at which a sequence can end: a picture is computed as a whole.
pub(crate) fn whole(tokens: &[Token], length: usize) -> usize {
    let mut length = length;
    while length > 0
        && tokens
            .get(length)
            .is_some_and(|token| is_place(*token) && !is_first_place(*token))
    {
        length -= 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(picture: &image::RgbImage, format: image::ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn gradient(width: u32, height: u32) -> image::RgbImage {
        image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 7]))
    }

    fn refusal(bytes: Vec<u8>) -> String {
        match Image::new(bytes).pixels() {
            Err(Error::InvalidRequest { field, reason }) if field == "images" => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_same_pixels_have_the_same_key_in_any_lossless_format() {
        let picture = gradient(30, 20);
        let of = |format| Image::new(file(&picture, format)).pixels().unwrap();
        let png = of(image::ImageFormat::Png);
        assert_eq!((png.width, png.height, png.rgb.len()), (30, 20, 1800));
        assert_eq!(png.key, of(image::ImageFormat::WebP).key);
        let other = Image::new(file(&gradient(20, 30), image::ImageFormat::Png));
        assert_ne!(png.key, other.pixels().unwrap().key);
    }

    #[test]
    fn a_large_picture_is_scaled_down() {
        let picture = Image::new(file(&gradient(5000, 40), image::ImageFormat::Jpeg));
        let pixels = picture.pixels().unwrap();
        assert_eq!((pixels.width, pixels.height), (4096, 33));
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        // A PNG whose header promises 3.6 gigapixels.
        let mut bytes = file(&gradient(1, 1), image::ImageFormat::Png);
        for (at, byte) in [(18, 0xEA), (19, 0x60), (22, 0xEA), (23, 0x60)] {
            bytes[at] = byte;
        }
        let crc = crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        let reason = refusal(bytes);
        assert!(reason.contains("60000 × 60000"), "{reason}");
    }

    /// The checksum of PNG chunks, bit by bit.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
            })
        })
    }

    #[test]
    fn what_is_no_picture_is_refused_and_nothing_panics() {
        assert!(refusal(b"no picture".to_vec()).contains("cannot be read"));
        assert!(refusal(Vec::new()).contains("cannot be read"));
        for format in [
            image::ImageFormat::Png,
            image::ImageFormat::Jpeg,
            image::ImageFormat::Gif,
            image::ImageFormat::WebP,
        ] {
            let sound = file(&gradient(40, 40), format);
            for cut in 0..sound.len() {
                let _ = Image::new(&sound[..cut]).pixels();
                let mut damaged = sound.clone();
                damaged[cut] ^= 0x55;
                let _ = Image::new(damaged).pixels();
            }
        }
    }

    #[test]
    fn names_tell_pictures_apart_and_mark_where_one_begins() {
        let a: Vec<Token> = names(1, 100).collect();
        assert_eq!(a, names(1, 100).collect::<Vec<_>>());
        assert!(a.iter().all(|token| is_place(*token)));
        assert!(a.iter().skip(1).all(|token| !is_first_place(*token)) && is_first_place(a[0]));
        assert!(names(2, 100).zip(&a).all(|(b, a)| b != *a));
        let mut distinct = a.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 100);
    }

    #[test]
    fn a_sequence_never_ends_inside_a_picture() {
        let mut tokens = vec![5, 6];
        tokens.extend(names(1, 3).chain(names(2, 2)));
        tokens.push(7);
        let ends: Vec<usize> = (0..=8).map(|length| whole(&tokens, length)).collect();
        assert_eq!(ends, [0, 1, 2, 2, 2, 5, 5, 7, 8]);
    }

    #[test]
    fn an_image_crosses_the_pipe() {
        let image = Image::at(vec![0, 255, 7], 3);
        let text = serde_json::to_string(&image).unwrap();
        assert_eq!(serde_json::from_str::<Image>(&text).unwrap(), image);
    }
}
