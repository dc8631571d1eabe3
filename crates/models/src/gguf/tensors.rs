//! Reads and checks the tensor table: names, shapes, types, offsets, and that every byte of data lies in the file.
//!
//! Apart from the metadata because its rules are about memory: a wrong offset or size here is a read outside the file in C++.
//! It must not read tensor data, nor know which tensors a model needs.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Seek};

use super::reader::{Cursor, invalid};
use super::shape::TensorBytes;
use super::types::{
    MAX_DIMENSIONS, MAX_NAME_BYTES, MAX_TENSORS, TensorType, TypeRole, tensor_type,
};
use crate::error::{Error, Result};

/// Sums over the tensor table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tensors {
    pub count: u64,
    /// Byte offset where data starts.
    pub data_offset: u64,
    /// Bytes of all tensors, without padding.
    pub bytes: u64,
    /// Elements of all tensors.
    pub parameters: u64,
    /// The same bytes by what they are for.
    pub by_use: TensorBytes,
}

/// Names seen so far, as hashes: over all parts of a split model.
#[derive(Debug, Default)]
pub(super) struct Names {
    hasher: RandomState,
    seen: HashSet<u64>,
    /// Those whose number of rows a rule asks for.
    pub matrices: Vec<Matrix>,
}

/// A tensor by its rows.
#[derive(Debug)]
pub(super) struct Matrix {
    pub name: String,
    pub rows: u64,
    /// Byte offset of its dimensions.
    pub offset: u64,
}

/// Ends of the names of such tensors.
const MATRICES: [&str; 2] = [".ffn_up.weight", ".attn_gate.weight"];

impl Names {
    /// Whether a tensor of this name was read.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.seen.contains(&self.hasher.hash_one(name))
    }
}

/// Fails when the count is more than any model has, or zero.
pub(super) fn check_count(count: u64, offset: u64) -> Result<()> {
    if count == 0 || count > MAX_TENSORS {
        let reason = format!("{count} tensors, 1 to {MAX_TENSORS} are allowed");
        return Err(invalid(&"tensor count", offset, reason));
    }
    Ok(())
}

/// Reads `count` entries. `file_bytes` is the length of the whole file, also where only a prefix of it is at hand.
pub(super) fn read<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    count: u64,
    alignment: u64,
    file_bytes: u64,
    names: &mut Names,
) -> Result<Tensors> {
    let mut sums = Tensors {
        count,
        ..Tensors::default()
    };
    // Where the next tensor must start, relative to the data section.
    let mut next = 0_u64;
    let mut last_end = 0_u64;
    for index in 0..count {
        let Entry {
            name,
            field,
            size_bytes,
            elements,
        } = read_entry(cursor, index, names)?;
        let at = cursor.position();
        let field = format_args!("{field} offset");
        let offset = cursor.u64(&field)?;
        if offset != next {
            // llama.cpp wants the data without gaps or overlaps, in the order of the table.
            return Err(invalid(
                &field,
                at,
                format!("is {offset}, {next} was expected"),
            ));
        }
        let overflow = || invalid(&field, at, "the data ends beyond what can be addressed");
        last_end = next.checked_add(size_bytes).ok_or_else(overflow)?;
        next = last_end
            .checked_next_multiple_of(alignment)
            .ok_or_else(overflow)?;
        sums.bytes = sums.bytes.checked_add(size_bytes).ok_or_else(overflow)?;
        sums.parameters = sums.parameters.checked_add(elements).ok_or_else(overflow)?;
        sums.by_use.add(&name, size_bytes);
    }
    sums.data_offset = cursor.position().next_multiple_of(alignment);
    let needed_bytes = sums.data_offset.saturating_add(last_end);
    if needed_bytes > file_bytes {
        return Err(Error::Truncated {
            field: "tensor data".into(),
            needed_bytes,
            actual_bytes: file_bytes,
        });
    }
    Ok(sums)
}

/// One tensor of the table.
struct Entry {
    name: String,
    /// What errors call it.
    field: String,
    size_bytes: u64,
    elements: u64,
}

/// Reads one entry up to its offset.
fn read_entry<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    index: u64,
    names: &mut Names,
) -> Result<Entry> {
    let at = cursor.position();
    let name = cursor.string(&format_args!("tensor {index} name"), MAX_NAME_BYTES - 1)?;
    let field = format!("tensor {index} `{name}`");
    if name.is_empty() {
        return Err(invalid(&field, at, "has no name"));
    }
    if !names.seen.insert(names.hasher.hash_one(name.as_str())) {
        return Err(invalid(&field, at, "appears twice"));
    }
    let at = cursor.position();
    let shape = read_shape(cursor, &field)?;
    if MATRICES.iter().any(|end| name.ends_with(end)) {
        names.matrices.push(Matrix {
            name: name.clone(),
            rows: shape.elements / shape.row,
            offset: at,
        });
    }
    let at = cursor.position();
    let type_field = format_args!("{field} type");
    let id = cursor.u32(&type_field)?;
    let Some(found) = tensor_type(id) else {
        return Err(invalid(
            &type_field,
            at,
            format!("{id} is no type that can be read"),
        ));
    };
    check_role(&type_field, at, &name, shape.dimensions, found)?;
    if !shape.row.is_multiple_of(found.block) {
        let reason = format!(
            "rows of {} elements do not divide into blocks of {} ({})",
            shape.row, found.block, found.name
        );
        return Err(invalid(&type_field, at, reason));
    }
    let size_bytes = (shape.elements / found.block)
        .checked_mul(found.bytes)
        .ok_or_else(|| invalid(&type_field, at, "the size in bytes cannot be counted"))?;
    Ok(Entry {
        name,
        field,
        size_bytes,
        elements: shape.elements,
    })
}

struct Shape {
    dimensions: u32,
    row: u64,
    elements: u64,
}

fn read_shape<R: Read + Seek>(cursor: &mut Cursor<R>, field: &str) -> Result<Shape> {
    let at = cursor.position();
    let field = format_args!("{field} dimensions");
    let dimensions = cursor.u32(&field)?;
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        return Err(invalid(
            &field,
            at,
            format!("{dimensions} dimensions, 1 to {MAX_DIMENSIONS} are allowed"),
        ));
    }
    let mut shape = Shape {
        dimensions,
        row: 1,
        elements: 1,
    };
    for dimension in 0..dimensions {
        let at = cursor.position();
        let length = cursor.u64(&field)?;
        if length == 0 {
            return Err(invalid(&field, at, format!("dimension {dimension} is 0")));
        }
        if dimension == 0 {
            shape.row = length;
        }
        // ggml counts elements in a signed 64-bit number.
        shape.elements = shape
            .elements
            .checked_mul(length)
            .filter(|elements| i64::try_from(*elements).is_ok())
            .ok_or_else(|| {
                invalid(
                    &field,
                    at,
                    format!("dimension {dimension} is {length}: too many elements"),
                )
            })?;
    }
    Ok(shape)
}

/// Whether a tensor must have the type of the activations: it is added to them, multiplied with them or read as it is. Converters
/// write these so in any case.
fn is_plain(name: &str) -> bool {
    let end = name.rsplit('.').next().unwrap_or_default();
    ["bias", "scale", "input_scale"].contains(&end)
        || [
            "norm.weight",
            "ssm_conv1d.weight",
            "shortconv.conv.weight",
            "token_types.weight",
            ".ssm_a",
            ".ssm_d",
        ]
        .iter()
        .any(|tail| name.ends_with(tail))
        || name.contains("time_mix_lerp_")
}

/// Types for which ggml has no kernel at the place where the tensor is used: it would abort or call a null pointer.
fn check_role(
    field: &dyn Display,
    at: u64,
    name: &str,
    dimensions: u32,
    found: &TensorType,
) -> Result<()> {
    // Index tables: expert of a token (`tid2eid`), token of a draft token (`d2t`).
    let is_index = name.contains("tid2eid") || name.contains("d2t");
    let usable = match found.role {
        TypeRole::Full => true,
        TypeRole::Weight => {
            // One-dimensional weights are added or multiplied element by element: quantised ones cannot be.
            // Factors of the rotation are read as they are.
            let is_factor = name.contains("rope_f");
            !is_factor && !is_plain(name) && (dimensions > 1 || found.block == 1)
        }
        TypeRole::Index => is_index,
        TypeRole::Internal => false,
    };
    if usable {
        return Ok(());
    }
    Err(invalid(
        field,
        at,
        format!("{} cannot be computed with in this place", found.name),
    ))
}
