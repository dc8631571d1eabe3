//! Metadata values, by the names of their types.

/// A metadata value as bytes, with the number of its type.
#[derive(Debug, Clone)]
pub struct Value {
    pub kind: u32,
    pub bytes: Vec<u8>,
}

/// Numbers of the types.
pub const UINT32: u32 = 4;
pub const INT32: u32 = 5;
pub const FLOAT32: u32 = 6;
pub const STRING: u32 = 8;

fn value(kind: u32, bytes: impl Into<Vec<u8>>) -> Value {
    let bytes = bytes.into();
    Value { kind, bytes }
}

pub fn u8(number: u8) -> Value {
    value(0, [number])
}

pub fn u16(number: u16) -> Value {
    value(2, number.to_le_bytes())
}

pub fn u32(number: u32) -> Value {
    value(UINT32, number.to_le_bytes())
}

pub fn i32(number: i32) -> Value {
    value(INT32, number.to_le_bytes())
}

pub fn f32(number: f32) -> Value {
    value(FLOAT32, number.to_le_bytes())
}

pub fn bool(yes: bool) -> Value {
    value(7, [yes.into()])
}

pub fn u64(number: u64) -> Value {
    value(10, number.to_le_bytes())
}

pub fn text(text: &str) -> Value {
    value(STRING, string(text.as_bytes()))
}

/// `elements` are those of `count` values, one behind the other.
pub fn array(kind: u32, count: u64, elements: &[u8]) -> Value {
    value(
        9,
        [&kind.to_le_bytes(), &count.to_le_bytes()[..], elements].concat(),
    )
}

pub fn texts<T: AsRef<[u8]>>(texts: &[T]) -> Value {
    let bytes: Vec<u8> = texts.iter().flat_map(|t| string(t.as_ref())).collect();
    array(STRING, texts.len() as u64, &bytes)
}

pub fn i32s(numbers: &[i32]) -> Value {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    array(INT32, numbers.len() as u64, &bytes)
}

pub fn u32s(numbers: &[u32]) -> Value {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    array(UINT32, numbers.len() as u64, &bytes)
}

pub fn f32s(numbers: &[f32]) -> Value {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    array(FLOAT32, numbers.len() as u64, &bytes)
}

/// A string as the format has it: its length in bytes in front.
pub fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}
