//! Constant facts of the GGUF format and of ggml: value kinds, tensor types, names of quantisations, limits.
//!
//! Apart from the reader so that moving to a newer llama.cpp means comparing one file. It must not read anything.
//! Sources: ggml's `docs/gguf.md`, `ggml.h` (`enum ggml_type`), `ggml-common.h` (block layouts) and `llama.h`
//! (`enum llama_ftype`), as of the llama.cpp that llama-cpp-sys-2 0.1.161 carries.

/// Oldest format version that can be read.
pub(super) const OLDEST_VERSION: u32 = 2;
/// Newest format version that can be read.
pub(super) const NEWEST_VERSION: u32 = 3;

/// Most metadata entries. Real files have under 100; the cap bounds the set that finds duplicates to about a megabyte.
pub(super) const MAX_ENTRIES: u64 = 65_536;
/// Most tensors. The largest models known have about 2,000.
pub(super) const MAX_TENSORS: u64 = 65_536;
/// Longest key in bytes (`docs/gguf.md`: at most 2^16 - 1).
pub(super) const MAX_KEY_BYTES: u64 = 65_535;
/// Longest string in bytes outside arrays. The longest in practice are chat templates of a few tens of KiB.
pub(super) const MAX_STRING_BYTES: u64 = 16 << 20;
/// Most elements of an array. The largest in practice are merges of about half a million.
pub(super) const MAX_ARRAY_ELEMENTS: u64 = 64 << 20;
/// Most tokens of a vocabulary. The largest known have about 262,000; four times `u20` leaves room.
pub(super) const MAX_TOKENS: u64 = 4 << 20;
/// Longest text of a token in bytes. The longest in practice are runs of a few hundred spaces.
pub(super) const MAX_TOKEN_BYTES: u64 = 65_536;
/// Longest character map of a tokenizer in bytes. The longest known has 240,000.
pub(super) const MAX_CHARSMAP_BYTES: u64 = 4 << 20;
/// Longest chat template in bytes.
pub(super) const MAX_TEMPLATE_BYTES: u64 = 1 << 20;
/// Longest text of any other entry that is kept, in bytes.
pub(super) const MAX_LABEL_BYTES: u64 = 4096;
/// A tensor name must be shorter than this in bytes (`GGML_MAX_NAME`).
pub(super) const MAX_NAME_BYTES: u64 = 64;
/// Most dimensions of a tensor (`GGML_MAX_DIMS`).
pub(super) const MAX_DIMENSIONS: u32 = 4;
/// Alignment in bytes where the file names none (`GGUF_DEFAULT_ALIGNMENT`), and the least that llama.cpp can map (`TENSOR_ALIGNMENT`).
pub(super) const DEFAULT_ALIGNMENT: u64 = 32;
/// Largest alignment in bytes. Real files use 32; more than a mebibyte only wastes address space.
pub(super) const MAX_ALIGNMENT: u64 = 1 << 20;
/// Widest layer in elements. The widest known is about 2^15; the cap keeps products of sizes far from 32-bit overflow.
pub(super) const MAX_WIDTH: u64 = 1 << 20;
/// Most layers (`LLAMA_MAX_LAYERS`; llama.cpp aborts above).
pub(super) const MAX_LAYERS: u64 = 512;
/// Most experts (`LLAMA_MAX_EXPERTS`; llama.cpp aborts above).
pub(super) const MAX_EXPERTS: u64 = 1024;
/// Most parts of a split model.
pub(super) const MAX_PARTS: u64 = 1024;

/// Kind of a metadata value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    pub(super) fn from_id(id: u32) -> Option<Self> {
        const ALL: [Kind; 13] = [
            Kind::U8,
            Kind::I8,
            Kind::U16,
            Kind::I16,
            Kind::U32,
            Kind::I32,
            Kind::F32,
            Kind::Bool,
            Kind::String,
            Kind::Array,
            Kind::U64,
            Kind::I64,
            Kind::F64,
        ];
        ALL.get(id as usize).copied()
    }

    /// Bytes of one value; for strings and arrays the least that one can take.
    pub(super) fn least_bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::String => 8,
            Self::Array => 12,
        }
    }
}

/// How tensor elements are packed: a block of `block` elements takes `bytes` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TensorType {
    pub id: u32,
    pub name: &'static str,
    pub block: u64,
    pub bytes: u64,
    pub role: TypeRole,
}

/// What ggml can do with a type that it finds in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeRole {
    /// A plain float of 32 bits: usable everywhere.
    Full,
    /// A type that weights may have.
    Weight,
    /// Whole numbers: only for tables of indices. As a weight it would call a kernel that does not exist.
    Index,
    /// Only made while computing; ggml has no kernel that reads it as a weight.
    Internal,
}

const fn entry(id: u32, name: &'static str, block: u64, bytes: u64, role: TypeRole) -> TensorType {
    TensorType {
        id,
        name,
        block,
        bytes,
        role,
    }
}

/// Every type with a layout; ids that were removed from ggml (4, 5, 31–33, 36–38) are not here.
const TENSOR_TYPES: &[TensorType] = &[
    entry(0, "F32", 1, 4, TypeRole::Full),
    entry(1, "F16", 1, 2, TypeRole::Weight),
    entry(2, "Q4_0", 32, 18, TypeRole::Weight),
    entry(3, "Q4_1", 32, 20, TypeRole::Weight),
    entry(6, "Q5_0", 32, 22, TypeRole::Weight),
    entry(7, "Q5_1", 32, 24, TypeRole::Weight),
    entry(8, "Q8_0", 32, 34, TypeRole::Weight),
    entry(9, "Q8_1", 32, 36, TypeRole::Internal),
    entry(10, "Q2_K", 256, 84, TypeRole::Weight),
    entry(11, "Q3_K", 256, 110, TypeRole::Weight),
    entry(12, "Q4_K", 256, 144, TypeRole::Weight),
    entry(13, "Q5_K", 256, 176, TypeRole::Weight),
    entry(14, "Q6_K", 256, 210, TypeRole::Weight),
    entry(15, "Q8_K", 256, 292, TypeRole::Internal),
    entry(16, "IQ2_XXS", 256, 66, TypeRole::Weight),
    entry(17, "IQ2_XS", 256, 74, TypeRole::Weight),
    entry(18, "IQ3_XXS", 256, 98, TypeRole::Weight),
    entry(19, "IQ1_S", 256, 50, TypeRole::Weight),
    entry(20, "IQ4_NL", 32, 18, TypeRole::Weight),
    entry(21, "IQ3_S", 256, 110, TypeRole::Weight),
    entry(22, "IQ2_S", 256, 82, TypeRole::Weight),
    entry(23, "IQ4_XS", 256, 136, TypeRole::Weight),
    entry(24, "I8", 1, 1, TypeRole::Internal),
    entry(25, "I16", 1, 2, TypeRole::Internal),
    entry(26, "I32", 1, 4, TypeRole::Index),
    entry(27, "I64", 1, 8, TypeRole::Index),
    entry(28, "F64", 1, 8, TypeRole::Internal),
    entry(29, "IQ1_M", 256, 56, TypeRole::Weight),
    entry(30, "BF16", 1, 2, TypeRole::Weight),
    entry(34, "TQ1_0", 256, 54, TypeRole::Weight),
    entry(35, "TQ2_0", 256, 66, TypeRole::Weight),
    entry(39, "MXFP4", 32, 17, TypeRole::Weight),
    entry(40, "NVFP4", 64, 36, TypeRole::Weight),
    entry(41, "Q1_0", 128, 18, TypeRole::Weight),
    entry(42, "Q2_0", 64, 18, TypeRole::Weight),
];

pub(super) fn tensor_type(id: u32) -> Option<&'static TensorType> {
    TENSOR_TYPES.iter().find(|found| found.id == id)
}

/// The name of a quantisation from `general.file_type`; `None` for numbers nobody uses.
pub(super) fn quantisation(file_type: u64) -> Option<&'static str> {
    Some(match file_type {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        19 => "IQ2_XXS",
        20 => "IQ2_XS",
        21 => "Q2_K_S",
        22 => "IQ3_XS",
        23 => "IQ3_XXS",
        24 => "IQ1_S",
        25 => "IQ4_NL",
        26 => "IQ3_S",
        27 => "IQ3_M",
        28 => "IQ2_S",
        29 => "IQ2_M",
        30 => "IQ4_XS",
        31 => "IQ1_M",
        32 => "BF16",
        36 => "TQ1_0",
        37 => "TQ2_0",
        38 => "MXFP4",
        39 => "NVFP4",
        40 => "Q1_0",
        41 => "Q2_0",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_sizes_follow_from_their_layouts() {
        // 2 bytes per half-precision scale; see the static assertions in ggml-common.h.
        for (name, bytes) in [
            ("Q4_1", 2 * 2 + 32 / 2),
            ("Q2_K", 2 * 2 + 256 / 16 + 256 / 4),
            ("Q3_K", 2 + 256 / 4 + 256 / 8 + 12),
            ("Q4_K", 2 * 2 + 12 + 256 / 2),
            ("Q5_K", 2 * 2 + 12 + 256 / 2 + 256 / 8),
            ("Q6_K", 2 + 256 / 16 + 3 * 256 / 4),
            ("Q8_K", 4 + 256 + 256 / 16 * 2),
            ("IQ2_XXS", 2 + 256 / 8 * 2),
            ("IQ2_XS", 2 + 256 / 8 * 2 + 256 / 32),
            ("IQ2_S", 2 + 256 / 4 + 256 / 16),
            ("IQ3_XXS", 2 + 3 * (256 / 8)),
            ("IQ3_S", 2 + 13 * (256 / 32) + 256 / 64),
            ("IQ1_S", 2 + 256 / 8 + 256 / 16),
            ("IQ1_M", 256 / 8 + 256 / 16 + 256 / 32),
            ("IQ4_XS", 2 + 2 + 256 / 64 + 256 / 2),
            ("TQ1_0", 2 + 256 / 64 + (256 - 4 * 256 / 64) / 5),
            ("TQ2_0", 2 + 256 / 4),
            ("MXFP4", 1 + 32 / 2),
            ("NVFP4", 64 / 16 + 64 / 2),
            ("Q1_0", 2 + 128 / 8),
            ("Q2_0", 2 + 64 / 4),
        ] {
            let found = TENSOR_TYPES
                .iter()
                .find(|found| found.name == name)
                .unwrap();
            assert_eq!(found.bytes, bytes, "{name}");
        }
    }

    #[test]
    fn removed_types_are_unknown() {
        for id in [4, 5, 31, 32, 33, 36, 37, 38, 43, u32::MAX] {
            assert_eq!(tensor_type(id), None, "{id}");
        }
    }
}
