//! Walks over the large arrays of the tokenizer and keeps the facts that decide whether llama.cpp can tokenise with them.
//!
//! Apart from the metadata because these arrays have up to half a million elements and must not be kept. It must not know the
//! rules: those are in `tokenizer`.

use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Seek};

use super::reader::{Cursor, invalid};
use super::types::{Kind, MAX_CHARSMAP_BYTES, MAX_TOKEN_BYTES, MAX_TOKENS};
use crate::error::Result;

/// Number of the token type "byte" (`LLAMA_TOKEN_TYPE_BYTE`).
const TYPE_BYTE: i32 = 6;

/// Facts about the vocabulary.
#[derive(Debug)]
pub(super) struct Vocabulary {
    /// Number of tokens.
    pub tokens: Option<u64>,
    /// Two tokens have the same text.
    pub has_duplicates: bool,
    /// For each byte: whether a token `<0xHH>`, or one of just this byte, stands for it.
    pub bytes: [bool; 256],
    /// For each byte: whether a token is just this byte, in the way in which RWKV's vocabulary escapes bytes.
    pub escaped_bytes: [bool; 256],
    /// Ids of tokens shorter than three bytes, rising.
    pub short: Vec<u32>,
    /// Ids of tokens of the type "byte", rising.
    pub byte_typed: Vec<u32>,
    /// First score that is not a number.
    pub bad_score: Option<u64>,
    /// The character map.
    pub charsmap: Option<Vec<u8>>,
}

impl Default for Vocabulary {
    fn default() -> Self {
        Self {
            tokens: None,
            has_duplicates: false,
            bytes: [false; 256],
            escaped_bytes: [false; 256],
            short: Vec::new(),
            byte_typed: Vec::new(),
            bad_score: None,
            charsmap: None,
        }
    }
}

impl Vocabulary {
    /// Reads the array under `key` if it is one of the tokenizer's; returns whether it was.
    pub(super) fn read_array<R: Read + Seek>(
        &mut self,
        cursor: &mut Cursor<R>,
        key: &str,
        kind: Kind,
        count: u64,
    ) -> Result<bool> {
        match (key, kind) {
            ("tokenizer.ggml.tokens", Kind::String) => self.read_tokens(cursor, count)?,
            ("tokenizer.ggml.token_type", Kind::I32) => {
                each_number(cursor, "token_type", count, |index, bytes| {
                    if i32::from_le_bytes(bytes) == TYPE_BYTE {
                        self.byte_typed.push(index as u32);
                    }
                })?;
            }
            ("tokenizer.ggml.scores", Kind::F32) => {
                each_number(cursor, "scores", count, |index, bytes| {
                    if f32::from_le_bytes(bytes).is_nan() {
                        self.bad_score.get_or_insert(index);
                    }
                })?;
            }
            ("tokenizer.ggml.precompiled_charsmap", Kind::U8 | Kind::I8) => {
                self.charsmap = Some(read_charsmap(cursor, count)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_tokens<R: Read + Seek>(&mut self, cursor: &mut Cursor<R>, count: u64) -> Result<()> {
        let at = cursor.position();
        if count > MAX_TOKENS {
            let reason = format!("{count} tokens, at most {MAX_TOKENS} are allowed");
            return Err(invalid(&"`tokenizer.ggml.tokens`", at, reason));
        }
        let hasher = RandomState::new();
        // A hash of eight bytes a token, and each takes at least eight in the file, which was checked.
        let mut digests = Vec::with_capacity(count as usize);
        let mut text = Vec::new();
        for index in 0..count {
            let field = format_args!("`tokenizer.ggml.tokens` element {index}");
            let length = cursor.string_length(&field, MAX_TOKEN_BYTES)?;
            text.resize(length as usize, 0);
            cursor.fill(&field, &mut text)?;
            // To C++ a text ends at its first NUL, so two that differ behind one are the same.
            if let Some(end) = text.iter().position(|byte| *byte == 0) {
                text.truncate(end);
            }
            if text.is_empty() {
                // llama.cpp gives empty tokens a text of their own, which another token may have taken.
                text.extend_from_slice(format!("[EMPTY_{index}]").as_bytes());
            }
            if text.len() < 3 {
                self.short.push(index as u32);
            }
            if let Some(byte) = stands_for_byte(&text) {
                self.bytes[usize::from(byte)] = true;
            }
            if let Some(byte) = unescaped_byte(&text) {
                self.escaped_bytes[usize::from(byte)] = true;
            }
            digests.push(hasher.hash_one(&text));
        }
        digests.sort_unstable();
        self.has_duplicates = digests.windows(2).any(|pair| pair[0] == pair[1]);
        self.tokens = Some(count);
        Ok(())
    }
}

/// The byte of a token `<0xHH>` (upper-case digits, as llama.cpp looks it up) or of a token of just one byte.
fn stands_for_byte(text: &[u8]) -> Option<u8> {
    match text {
        [byte] => Some(*byte),
        [b'<', b'0', b'x', high, low, b'>'] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

/// The byte of a token that is one byte when it is read as `llama_unescape_rwkv_token` does.
fn unescaped_byte(text: &[u8]) -> Option<u8> {
    match text {
        [b'\\', b'x', high, low] => {
            let small = |digit: u8| {
                (!digit.is_ascii_uppercase())
                    .then(|| char::from(digit).to_digit(16))
                    .flatten()
            };
            u8::try_from(small(*high)? << 4 | small(*low)?).ok()
        }
        [b'\\', b't'] => Some(b'\t'),
        [b'\\', b'n'] => Some(b'\n'),
        [b'\\', b'r'] => Some(b'\r'),
        [b'\\', b'x'] => None,
        [b'\\', byte] => Some(*byte),
        [byte] if *byte != b'\\' => Some(*byte),
        _ => None,
    }
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

fn read_charsmap<R: Read + Seek>(cursor: &mut Cursor<R>, count: u64) -> Result<Vec<u8>> {
    let field = "`tokenizer.ggml.precompiled_charsmap`";
    if count > MAX_CHARSMAP_BYTES {
        let reason = format!("{count} bytes long, at most {MAX_CHARSMAP_BYTES} are allowed");
        return Err(invalid(&field, cursor.position(), reason));
    }
    cursor.require(&field, count)?;
    let mut bytes = vec![0; count as usize];
    cursor.fill(&field, &mut bytes)?;
    Ok(bytes)
}

fn each_number<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    name: &str,
    count: u64,
    mut each: impl FnMut(u64, [u8; 4]),
) -> Result<()> {
    for index in 0..count {
        each(
            index,
            cursor.array(&format_args!("`tokenizer.ggml.{name}` element {index}"))?,
        );
    }
    Ok(())
}
