//! Reads rows straight from the leaf pages of a damaged database file, without its schema or its trees.
//!
//! The last resort of `salvage`, for a file in which SQLite cannot find its way any more. It knows the file format
//! (sqlite.org/fileformat2.html §1.6 and §2.1) and the number of columns of the two tables, and nothing about chats. Every byte
//! it reads is suspect: each offset is checked, a record that does not add up is skipped, and it never fails.
//!
//! Deleted rows do not come back this way, because the database is written with `secure_delete`.

use std::fs;
use std::path::Path;

use rusqlite::types::Value;

use super::salvage::{CHAT_COLUMNS, FIRST_MESSAGE_COLUMNS, Found, MESSAGE_COLUMNS};

/// Type byte of a leaf page of a table.
const TABLE_LEAF: u8 = 0x0d;
/// Bytes of the file header that come before the first page's own header.
const FILE_HEADER_BYTES: usize = 100;
/// A file larger than this in bytes is not read into memory for a last resort.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Page size in bytes of every database this program makes, for a file whose header is gone.
const DEFAULT_PAGE_BYTES: usize = 4096;

const ALL_MESSAGE_COLUMNS: usize = MESSAGE_COLUMNS.len();

/// Adds to `found` every row on a leaf page of `path` that is not there yet.
pub(super) fn scan(path: &Path, found: &mut Found) {
    if fs::metadata(path).map_or(true, |metadata| metadata.len() > MAX_FILE_BYTES) {
        return;
    }
    let Ok(file) = fs::read(path) else { return };
    let pages = Pages {
        page_bytes: page_bytes(&file),
        file: &file,
    };
    for number in 0..file.len() / pages.page_bytes {
        scan_page(&pages, number, found);
    }
}

struct Pages<'a> {
    file: &'a [u8],
    page_bytes: usize,
}

impl<'a> Pages<'a> {
    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_mul(self.page_bytes)?;
        self.file.get(start..start.checked_add(self.page_bytes)?)
    }
}

fn page_bytes(file: &[u8]) -> usize {
    match file.get(16..18) {
        Some(&[0, 1]) => 65536,
        Some(&[high, low]) => {
            let bytes = usize::from(u16::from_be_bytes([high, low]));
            if bytes.is_power_of_two() && bytes >= 512 {
                bytes
            } else {
                DEFAULT_PAGE_BYTES
            }
        }
        _ => DEFAULT_PAGE_BYTES,
    }
}

fn scan_page(pages: &Pages<'_>, number: usize, found: &mut Found) -> Option<()> {
    let page = pages.page(number)?;
    let header = if number == 0 { FILE_HEADER_BYTES } else { 0 };
    if *page.get(header)? != TABLE_LEAF {
        return None;
    }
    let cells = usize::from(u16_at(page, header + 3)?);
    for cell in 0..cells {
        let Some(offset) = u16_at(page, header + 8 + 2 * cell) else {
            break;
        };
        let Some((rowid, values)) = read_cell(pages, page, usize::from(offset)) else {
            continue;
        };
        match values.len() {
            count if count == CHAT_COLUMNS.len() => {
                found.chats.entry(rowid).or_insert(values);
            }
            FIRST_MESSAGE_COLUMNS..=ALL_MESSAGE_COLUMNS => {
                found.messages.entry(rowid).or_insert(values);
            }
            _ => {}
        }
    }
    Some(())
}

fn read_cell(pages: &Pages<'_>, page: &[u8], offset: usize) -> Option<(i64, Vec<Value>)> {
    let (payload_bytes, used) = varint(page.get(offset..)?)?;
    let (rowid, used_by_id) = varint(page.get(offset + used..)?)?;
    let payload = read_payload(
        pages,
        page,
        offset + used + used_by_id,
        usize::try_from(payload_bytes).ok()?,
    )?;
    Some((rowid, decode_record(&payload)?))
}

/// The payload of a cell: the part on its page and the chain of overflow pages.
fn read_payload(pages: &Pages<'_>, page: &[u8], start: usize, total: usize) -> Option<Vec<u8>> {
    // The formulas of fileformat2.html §1.6 for a table leaf, with no reserved bytes at the end of a page.
    let usable = pages.page_bytes;
    let largest = usable - 35;
    if total <= largest {
        return page
            .get(start..start.checked_add(total)?)
            .map(<[u8]>::to_vec);
    }
    if total > pages.file.len() {
        return None;
    }
    let smallest = (usable - 12) * 32 / 255 - 23;
    let spill = smallest + (total - smallest) % (usable - 4);
    let local = if spill <= largest { spill } else { smallest };
    let mut payload = page.get(start..start.checked_add(local)?)?.to_vec();
    let mut next = u32_at(page, start + local)?;
    while payload.len() < total {
        let overflow = pages.page(usize::try_from(next).ok()?.checked_sub(1)?)?;
        let wanted = (total - payload.len()).min(usable - 4);
        payload.extend_from_slice(overflow.get(4..4 + wanted)?);
        next = u32_at(overflow, 0)?;
    }
    Some(payload)
}

/// Decodes a record (fileformat2.html §2.1); `None` unless its parts add up exactly.
fn decode_record(payload: &[u8]) -> Option<Vec<Value>> {
    let (header_bytes, mut at) = varint(payload)?;
    let header_bytes = usize::try_from(header_bytes).ok()?;
    let mut body = header_bytes;
    let mut values = Vec::new();
    while at < header_bytes {
        let (kind, used) = varint(payload.get(at..header_bytes)?)?;
        at += used;
        let (value, taken) = decode_value(kind, payload.get(body..)?)?;
        body += taken;
        values.push(value);
        if values.len() > MESSAGE_COLUMNS.len() {
            return None;
        }
    }
    (at == header_bytes && body == payload.len()).then_some(values)
}

fn decode_value(kind: i64, body: &[u8]) -> Option<(Value, usize)> {
    let integer = |bytes: usize| {
        let raw = body.get(..bytes)?;
        let sign = if raw.first()? & 0x80 == 0 { 0 } else { -1 };
        Some((
            Value::Integer(
                raw.iter()
                    .fold(sign, |value: i64, byte| (value << 8) | i64::from(*byte)),
            ),
            bytes,
        ))
    };
    match kind {
        0 => Some((Value::Null, 0)),
        1..=4 => integer(usize::try_from(kind).ok()?),
        5 => integer(6),
        6 => integer(8),
        7 => Some((
            Value::Real(f64::from_be_bytes(body.get(..8)?.try_into().ok()?)),
            8,
        )),
        8 | 9 => Some((Value::Integer(kind - 8), 0)),
        12.. => {
            let bytes = usize::try_from((kind - 12) / 2).ok()?;
            let raw = body.get(..bytes)?;
            let value = if kind % 2 == 0 {
                Value::Blob(raw.to_vec())
            } else {
                Value::Text(String::from_utf8_lossy(raw).into_owned())
            };
            Some((value, bytes))
        }
        _ => None,
    }
}

/// A variable-length integer and how many bytes it took.
fn varint(bytes: &[u8]) -> Option<(i64, usize)> {
    let mut value: u64 = 0;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some((((value << 8) | u64::from(*byte)).cast_signed(), 9));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value.cast_signed(), index + 1));
        }
    }
    None
}

fn u16_at(page: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(page.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(page: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(page.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_length_integers() {
        assert_eq!(varint(&[0x7f]), Some((127, 1)));
        assert_eq!(varint(&[0x81, 0x00]), Some((128, 2)));
        assert_eq!(varint(&[0xff; 9]), Some((-1, 9)));
        assert_eq!(varint(&[0x80]), None);
    }

    #[test]
    fn records_must_add_up() {
        let record = [4, 1, 0, 15, 42, b'x'];
        let values = vec![Value::Integer(42), Value::Null, Value::Text("x".into())];
        assert_eq!(decode_record(&record), Some(values));
        assert_eq!(decode_record(&record[..5]), None);
        assert_eq!(decode_record(&[4, 1, 10, 15, 42, b'x']), None);
    }

    #[test]
    fn negative_integers_keep_their_sign() {
        assert_eq!(decode_value(1, &[0xff]), Some((Value::Integer(-1), 1)));
        assert_eq!(
            decode_value(2, &[0xff, 0x00]),
            Some((Value::Integer(-256), 2))
        );
    }
}
