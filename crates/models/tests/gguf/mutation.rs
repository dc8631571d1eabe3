//! Damages a model file: in its parts, so that what is left gets past the outer checks, and in its bytes.
//!
//! It must not know the rules of the validator, only the format.

use super::random::Random;
use hearth_gguf_writer::{Model, Tensor, Value, array, bool, f32, i32, text, u8, u16, u32, u64};

/// Data of a tensor beyond which its size is not corrected any more, in bytes: the file would only be long.
const MAX_TENSOR_BYTES: u64 = 4 << 20;
/// Number, elements of a block and bytes of a block of every tensor type of ggml.
const TYPES: [(u32, u64, u64); 35] = [
    (0, 1, 4),
    (1, 1, 2),
    (2, 32, 18),
    (3, 32, 20),
    (6, 32, 22),
    (7, 32, 24),
    (8, 32, 34),
    (9, 32, 36),
    (10, 256, 84),
    (11, 256, 110),
    (12, 256, 144),
    (13, 256, 176),
    (14, 256, 210),
    (15, 256, 292),
    (16, 256, 66),
    (17, 256, 74),
    (18, 256, 98),
    (19, 256, 50),
    (20, 32, 18),
    (21, 256, 110),
    (22, 256, 82),
    (23, 256, 136),
    (24, 1, 1),
    (25, 1, 2),
    (26, 1, 4),
    (27, 1, 8),
    (28, 1, 8),
    (29, 256, 56),
    (30, 1, 2),
    (34, 256, 54),
    (35, 256, 66),
    (39, 32, 17),
    (40, 64, 36),
    (41, 128, 18),
    (42, 64, 18),
];
/// Numbers at which arithmetic goes wrong.
const NUMBERS: [u64; 24] = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    31,
    32,
    255,
    256,
    511,
    512,
    513,
    1024,
    65_535,
    1 << 20,
    1 << 30,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];
const FLOATS: [f32; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e-30,
    1e30,
    f32::MAX,
    f32::MIN_POSITIVE,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];
/// Texts that mean something somewhere.
const TEXTS: [&str; 36] = [
    "",
    "llama",
    "gpt2",
    "bert",
    "t5",
    "rwkv",
    "plamo2",
    "gemma4",
    "hybriddna",
    "whitespace",
    "none",
    "default",
    "llama-bpe",
    "qwen2",
    "tekken",
    "deepseek-v3",
    "kimi-k2",
    "gpt-4o",
    "roberta-bpe",
    "granite-embed-multi-311m",
    "linear",
    "yarn",
    "longrope",
    "adapter",
    "<oov>",
    "</dna>",
    "<|im_end|>",
    "<0x0A>",
    "<0x41>",
    "\u{2581}",
    "\u{120}a",
    "[EMPTY_1]",
    "a b",
    " ",
    "gelu",
    "silu",
];

/// What the files of the corpus are made of, for parts from one file in another.
#[derive(Default)]
pub struct Words {
    pub architectures: Vec<String>,
    /// Keys without their architecture, and values that they have somewhere.
    pub entries: Vec<(String, Value)>,
    pub tensors: Vec<Tensor>,
}

impl Words {
    pub fn of<'a>(models: impl Iterator<Item = &'a Model>) -> Self {
        let mut words = Self {
            entries: super::seeds::words(),
            ..Self::default()
        };
        for model in models {
            let name = architecture(model);
            for (key, value) in &model.entries {
                let key = String::from_utf8_lossy(key);
                // Vocabularies are long, and every file has one.
                if value.bytes.len() < 256 {
                    let rest = key
                        .strip_prefix(&format!("{name}."))
                        .map(|rest| format!(".{rest}"));
                    words
                        .entries
                        .push((rest.unwrap_or(key.into_owned()), value.clone()));
                }
            }
            words.tensors.extend(model.tensors.iter().cloned());
            words.architectures.push(name);
        }
        words
    }
}

pub fn architecture(model: &Model) -> String {
    let value = model
        .entries
        .iter()
        .find(|(key, _)| key == b"general.architecture");
    value.map_or_else(String::new, |(_, value)| {
        String::from_utf8_lossy(value.bytes.get(8..).unwrap_or_default()).into_owned()
    })
}

/// Sets the bytes that the data of a tensor takes, where its shape and type allow to tell.
pub fn measure(tensor: &mut Tensor) {
    measure_up_to(tensor, u64::MAX);
}

fn measure_up_to(tensor: &mut Tensor, most: u64) {
    let layout = TYPES.iter().find(|(id, ..)| *id == tensor.kind);
    let elements = tensor
        .shape
        .iter()
        .try_fold(1_u64, |product, length| product.checked_mul(*length));
    let bytes = layout
        .zip(elements)
        .and_then(|((_, block, bytes), elements)| (elements / block).checked_mul(*bytes));
    if let Some(bytes) = bytes.filter(|bytes| *bytes <= most) {
        tensor.bytes = bytes;
    }
}

/// The head of a damaged file, and how many bytes the whole has: what follows the head is zeros.
pub struct Mutant {
    pub head: Vec<u8>,
    pub file_bytes: u64,
}

/// A model that has become another one in one to four places.
pub fn mutate(seed: &Model, words: &Words, random: &mut Random) -> Mutant {
    let mut model = seed.clone();
    // One mutant in eight is damaged in its bytes only.
    if !random.one_in(8) {
        for _ in 0..=random.below(4) {
            if random.below(3) < 2 {
                change_entries(&mut model, words, random);
            } else {
                change_tensors(&mut model, words, random);
            }
        }
    }
    if random.one_in(64) {
        let number = number(random);
        match random.below(4) {
            0 => model.version = number as u32,
            1 => model.tensor_count = Some(number),
            2 => model.entry_count = Some(number),
            _ => {
                model.alignment = 1 << random.below(12);
                model = model
                    .clone()
                    .with("general.alignment", u32(model.alignment as u32));
            }
        }
    }
    let mut head = model.head();
    let data_bytes: u64 = model
        .tensors
        .iter()
        .map(|tensor| tensor.bytes.next_multiple_of(model.alignment))
        .sum();
    if random.one_in(4) {
        for _ in 0..=random.below(3) {
            change_bytes(&mut head, random);
        }
    }
    let file_bytes = match random.below(64) {
        0 => head.len() as u64,
        1 => (head.len() as u64 + data_bytes).saturating_sub(random.below(64) as u64),
        2 => random.below(head.len()) as u64,
        _ => head.len() as u64 + data_bytes,
    };
    head.truncate(file_bytes as usize);
    Mutant { head, file_bytes }
}

fn number(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.number() >> random.below(64),
        1 => random.below(300) as u64,
        _ => *random.pick(&NUMBERS).unwrap(),
    }
}

fn any_text(words: &Words, random: &mut Random) -> Value {
    match random.below(8) {
        0 => text(&"x".repeat(random.below(100))),
        1 | 2 => text(random.pick(&words.architectures).unwrap()),
        3 => {
            let mut value = text(&"y".repeat(1 + random.below(20)));
            let at = 8 + random.below(value.bytes.len() - 8);
            value.bytes[at] = random.number() as u8;
            value
        }
        _ => text(random.pick(&TEXTS).unwrap()),
    }
}

fn any_value(words: &Words, random: &mut Random) -> Value {
    let number = number(random);
    match random.below(12) {
        0 => u8(number as u8),
        1 => u16(number as u16),
        2 => i32(number as i32),
        3 => f32(*random.pick(&FLOATS).unwrap()),
        4 => bool(number.is_multiple_of(2)),
        5 => u64(number),
        6 => any_text(words, random),
        7 => {
            let kind = random.below(14) as u32;
            let elements: Vec<u8> = (0..random.below(64))
                .map(|_| random.number() as u8)
                .collect();
            array(kind, number % 20, &elements)
        }
        _ => u32(number as u32),
    }
}

fn change_entries(model: &mut Model, words: &Words, random: &mut Random) {
    if model.entries.is_empty() {
        return;
    }
    let architecture = architecture(model);
    let at = random.below(model.entries.len());
    match random.below(16) {
        0 => drop(model.entries.remove(at)),
        1 => {
            let copy = model.entries[at].clone();
            model.entries.push(copy);
        }
        2 => {
            let other = random.below(model.entries.len());
            model.entries.swap(at, other);
        }
        3..=5 => {
            let (key, mut value) = random.pick(&words.entries).unwrap().clone();
            if random.one_in(2) {
                value = any_value(words, random);
            }
            let key = if key.starts_with('.') {
                architecture + &key
            } else {
                key
            };
            *model = model.clone().with(&key, value);
        }
        6 => model.entries[at].1 = any_value(words, random),
        7 if random.one_in(4) => {
            // Everything under the name of another architecture.
            let other = random.pick(&words.architectures).unwrap().clone();
            let old = architecture + ".";
            for (key, _) in &mut model.entries {
                if let Some(rest) = key.strip_prefix(old.as_bytes()) {
                    *key = [other.as_bytes(), b".", rest].concat();
                }
            }
            *model = model.clone().with("general.architecture", text(&other));
        }
        8 => {
            let from = random.below(model.entries[at].0.len());
            model.entries[at].0.truncate(from);
        }
        _ => change_value(&mut model.entries[at].1, words, random),
    }
}

/// Another value of the same kind.
fn change_value(value: &mut Value, words: &Words, random: &mut Random) {
    let number = number(random);
    match value.kind {
        6 => *value = f32(*random.pick(&FLOATS).unwrap()),
        7 => value.bytes[0] ^= 1,
        8 => *value = any_text(words, random),
        9 => change_array(value, words, random),
        _ => {
            let old = value.bytes.clone();
            let size = old.len();
            value.bytes.copy_from_slice(&number.to_le_bytes()[..size]);
            if random.one_in(3) {
                // A neighbour: what only just does not fit any more.
                value.bytes = old;
                value.bytes[0] =
                    value.bytes[0].wrapping_add(if random.one_in(2) { 1 } else { 255 });
            }
        }
    }
}

fn change_array(value: &mut Value, words: &Words, random: &mut Random) {
    let kind = u32::from_le_bytes(value.bytes[..4].try_into().unwrap());
    let count = u64::from_le_bytes(value.bytes[4..12].try_into().unwrap());
    let size = match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        10..=12 => 8,
        _ => 4,
    };
    match random.below(5) {
        0 => value.bytes[..4].copy_from_slice(&(random.below(14) as u32).to_le_bytes()),
        1 => {
            let number = number(random);
            value.bytes[4..12].copy_from_slice(&number.to_le_bytes());
        }
        _ if kind == 8 => change_texts(value, count as usize, words, random),
        2 if count > 0 => {
            value
                .bytes
                .truncate(value.bytes.len().saturating_sub(size).max(12));
            value.bytes[4..12].copy_from_slice(&(count - 1).to_le_bytes());
        }
        3 => {
            value.bytes.extend(&number(random).to_le_bytes()[..size]);
            value.bytes[4..12].copy_from_slice(&count.wrapping_add(1).to_le_bytes());
        }
        _ => {
            let place = random.below(count as usize).saturating_mul(size);
            let at = place.saturating_add(12);
            if let Some(element) = value.bytes.get_mut(at..at.saturating_add(size)) {
                element.copy_from_slice(&number(random).to_le_bytes()[..size]);
            }
        }
    }
}

/// One string of an array becomes another, comes twice or goes.
fn change_texts(value: &mut Value, count: usize, words: &Words, random: &mut Random) {
    let at = random.below(count);
    let mut start = 12;
    // The count may be a lie of an earlier change.
    let mut elements = Vec::new();
    while let Some(length) = value.bytes.get(start..start + 8) {
        let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        let end = length.saturating_add(start + 8);
        let Some(element) = value.bytes.get(start..end) else {
            return;
        };
        elements.push(element.to_vec());
        start = end;
    }
    if at >= elements.len() {
        return;
    }
    match random.below(6) {
        0 => drop(elements.remove(at)),
        1 => elements.insert(at, any_text(words, random).bytes),
        2 => {
            let other = elements[random.below(count.min(elements.len()))].clone();
            elements[at] = other;
        }
        _ => elements[at] = any_text(words, random).bytes,
    }
    *value = array(8, elements.len() as u64, &elements.concat());
}

fn change_tensors(model: &mut Model, words: &Words, random: &mut Random) {
    if model.tensors.is_empty() {
        return;
    }
    let at = random.below(model.tensors.len());
    let number = number(random);
    match random.below(12) {
        0 => drop(model.tensors.remove(at)),
        1 => {
            let copy = model.tensors[at].clone();
            model.tensors.push(copy);
        }
        2 => {
            let other = random.below(model.tensors.len());
            model.tensors.swap(at, other);
        }
        3 => model
            .tensors
            .push(random.pick(&words.tensors).unwrap().clone()),
        4 => {
            let other = &random.pick(&words.tensors).unwrap().name;
            model.tensors[at].name.clone_from(other);
        }
        5 if random.one_in(4) => model.tensors[at].offset = Some(number),
        6 if random.one_in(2) => model.tensors[at].shape.push(1 + number % 4),
        6 => drop(model.tensors[at].shape.pop()),
        7 | 8 => change_length(&mut model.tensors[at], number, random),
        9 if random.one_in(4) => {
            // As a program would that quantises: every matrix gets the type.
            let kind = random.pick(&TYPES).unwrap().0;
            for tensor in model
                .tensors
                .iter_mut()
                .filter(|tensor| tensor.shape.len() > 1)
            {
                tensor.kind = kind;
                measure_up_to(tensor, MAX_TENSOR_BYTES);
            }
        }
        10 if random.one_in(4) => model.tensors[at].kind = number as u32,
        _ => model.tensors[at].kind = random.pick(&TYPES).unwrap().0,
    }
    let last = model.tensors.len().saturating_sub(1);
    for changed in [at, last] {
        if let Some(tensor) = model.tensors.get_mut(changed) {
            measure_up_to(tensor, MAX_TENSOR_BYTES);
        }
    }
}

fn change_length(tensor: &mut Tensor, number: u64, random: &mut Random) {
    let dimension = random.below(tensor.shape.len());
    if let Some(length) = tensor.shape.get_mut(dimension) {
        *length = if random.one_in(2) {
            number
        } else {
            length.wrapping_add(number % 3).wrapping_sub(1)
        };
    }
}

fn change_bytes(head: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(head.len());
    match random.below(5) {
        0 => head[at] ^= 1 << random.below(8),
        1 => head[at] = random.number() as u8,
        2 => {
            let number = number(random).to_le_bytes();
            let size = *random.pick(&[2, 4, 8]).unwrap();
            if let Some(place) = head.get_mut(at..at + size) {
                place.copy_from_slice(&number[..size]);
            }
        }
        3 => head.insert(at, random.number() as u8),
        _ => drop(head.remove(at)),
    }
}
