//! Reads the header of a GGUF file and decides whether C++ may see the file.
//!
//! The one question it answers is "would llama.cpp load this without aborting, reading outside the file or allocating without
//! measure?" Everything is bounded before it is read or allocated, no tensor data is touched, and nothing panics. It must not know
//! how a model is run or where files come from.
//!
//! The order is that of the file: numbers, metadata (`metadata`, `vocabulary`), tensors (`tensors`); then the rules
//! (`tokenizer`, `hyperparameters`, `architectures`).

mod architectures;
mod charsmap;
mod hyperparameters;
mod metadata;
mod projector;
mod reader;
mod rules;
mod shape;
mod tensors;
mod tokenizer;
mod types;
mod vocabulary;

use std::fs::{self, File};
use std::io::{Cursor as Bytes, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::hyperparameters::Sizes;
use self::metadata::Metadata;
use self::reader::{Cursor, invalid};
pub use self::shape::{Latent, PerLayer, Shape, State, TensorBytes, Window};
use self::tensors::{Names, Tensors};
use crate::error::{Error, Result};

/// Byte offset of the first metadata entry: magic, version and two counts come before it.
const METADATA_OFFSET: u64 = 24;
/// Key of what kind of network the file holds.
const ARCHITECTURE: &str = "general.architecture";

/// How the vectors of a text's tokens become one, for embedding models (`llama_pooling_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// One vector for each token.
    None,
    /// The mean.
    Mean,
    /// The first token's.
    Cls,
    /// The last token's.
    Last,
    /// A score instead of a vector: a reranker.
    Rank,
}

/// What a model can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It answers.
    Chat,
    /// It turns texts into vectors.
    Embed,
    /// It scores documents against a query.
    Rerank,
}

/// What a sound model file says about itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// Version of the format.
    pub version: u32,
    /// Architecture, e.g. `llama`.
    pub architecture: String,
    /// The model's own name.
    pub name: Option<String>,
    /// Name of the family, without size and version, e.g. `Llama`.
    pub basename: Option<String>,
    /// Size class in the model's own words, e.g. `8B`.
    pub size_label: Option<String>,
    /// Name of the quantisation, e.g. `Q4_1`; `None` when the file does not say or the number is not known.
    pub quantisation: Option<&'static str>,
    /// Tokens the model was trained to look back on.
    pub context_length: u64,
    /// Layers.
    pub block_count: u64,
    /// Width of the hidden state, in elements.
    pub embedding_length: u64,
    /// Attention heads, the most of any layer; `None` for models without attention.
    pub head_count: Option<u64>,
    /// Heads of keys and values, the most of any layer.
    pub head_count_kv: Option<u64>,
    /// Elements of a key in one head.
    pub key_length: Option<u64>,
    /// Elements of a value in one head.
    pub value_length: Option<u64>,
    /// Tokens of the vocabulary.
    pub token_count: u64,
    /// The model's own chat template (Jinja).
    pub chat_template: Option<String>,
    /// Whether a token sees only those before it; an encoder (for embeddings) does not.
    pub causal: bool,
    /// How vectors are pooled; `Some` in embedding models.
    pub pooling: Option<Pooling>,
    /// Tensors, over all parts.
    pub tensor_count: u64,
    /// Byte offset of the tensor data in the first part.
    pub data_offset: u64,
    /// Bytes of tensor data, over all parts.
    pub tensor_bytes: u64,
    /// Number of weights, over all parts.
    pub parameters: u64,
    /// Files the model consists of.
    pub part_count: u64,
    /// Further numbers, which decide how much memory it takes.
    pub shape: Shape,
}

impl Header {
    /// What the model was made for. A chat model can make vectors too, if asked to.
    pub fn purpose(&self) -> Purpose {
        match self.pooling {
            Some(Pooling::Rank) => Purpose::Rerank,
            None | Some(Pooling::None) if self.causal => Purpose::Chat,
            _ => Purpose::Embed,
        }
    }
}

/// What a sound file holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Contents {
    Model(Arc<Header>),
    /// The vision part of a model.
    Projector,
}

/// Checks the file at `path`, whatever it holds; see [`validate_file`].
pub(crate) fn look_into(path: &Path) -> Result<Contents> {
    let mut names = Names::default();
    let (mut cursor, file_bytes) = open(path)?;
    let start = read_start(&mut cursor, file_bytes, &mut names)?;
    if start.metadata.text(ARCHITECTURE)? == Some(projector::ARCHITECTURE) {
        projector::check(&start.metadata)?;
        return Ok(Contents::Projector);
    }
    let header = validate_model(path, start, names)?;
    Ok(Contents::Model(Arc::new(header)))
}

/// Why a vision part cannot be used by itself.
pub(crate) fn lone_projector() -> Error {
    Error::Unsupported {
        what: projector::ARCHITECTURE.to_owned(),
        reason: "it is the vision part of another model".to_owned(),
    }
}

/// Checks the model at `path` and, where it is split, all its parts. Takes milliseconds; reads headers only.
///
/// Fails with the first rule that is broken, naming field and byte offset.
pub fn validate_file(path: &Path) -> Result<Header> {
    let mut names = Names::default();
    let (mut cursor, file_bytes) = open(path)?;
    let start = read_start(&mut cursor, file_bytes, &mut names)?;
    validate_model(path, start, names)
}

fn validate_model(path: &Path, start: Start, mut names: Names) -> Result<Header> {
    let parts = part_paths(path, &start)?;
    let mut header = into_header(start, &names)?;
    for (index, part) in parts.iter().enumerate().skip(1) {
        let (mut cursor, file_bytes) = open(part)?;
        let start = read_start(&mut cursor, file_bytes, &mut names)?;
        check_part(&start, index as u64, parts.len() as u64)?;
        header.tensor_count += start.tensors.count;
        header.tensor_bytes = header.tensor_bytes.saturating_add(start.tensors.bytes);
        header.parameters = header.parameters.saturating_add(start.tensors.parameters);
        header.shape.tensors.join(&start.tensors.by_use);
    }
    architectures::check_names(
        &header.architecture,
        header.block_count,
        &names,
        header.data_offset,
    )?;
    Ok(header)
}

/// Checks the first bytes of a file that is not at hand as a whole, e.g. before a download. `file_bytes` is its full length.
/// Fails with [`Error::Truncated`] when the prefix ends before the header does; `needed_bytes` is then a lower bound.
pub fn validate_prefix(prefix: &[u8], file_bytes: u64) -> Result<Header> {
    let readable = (prefix.len() as u64).min(file_bytes);
    let mut cursor = Cursor::new(Bytes::new(prefix), readable, PathBuf::new());
    let mut names = Names::default();
    let start = read_start(&mut cursor, file_bytes, &mut names)?;
    let header = into_header(start, &names)?;
    if header.part_count == 1 {
        architectures::check_names(
            &header.architecture,
            header.block_count,
            &names,
            header.data_offset,
        )?;
    }
    Ok(header)
}

/// What was read up to the tensor data.
struct Start {
    version: u32,
    metadata: Metadata,
    tensors: Tensors,
}

fn open(path: &Path) -> Result<(Cursor<File>, u64)> {
    // Asked before opening: opening a pipe would wait for a writer.
    let metadata = fs::metadata(path).map_err(|source| Error::io(path, source))?;
    if !metadata.is_file() {
        return Err(Error::NotAFile {
            path: path.to_owned(),
        });
    }
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    Ok((
        Cursor::new(file, metadata.len(), path.to_owned()),
        metadata.len(),
    ))
}

fn read_start<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    file_bytes: u64,
    names: &mut Names,
) -> Result<Start> {
    let magic: [u8; 4] = cursor.array(&"magic")?;
    if &magic != b"GGUF" {
        return Err(Error::NotGguf {
            found: format!("`{}`", magic.escape_ascii()),
        });
    }
    let version = read_version(cursor)?;
    let at = cursor.position();
    let tensor_count = cursor.u64(&"tensor count")?;
    tensors::check_count(tensor_count, at)?;
    let at = cursor.position();
    let entry_count = cursor.u64(&"metadata count")?;
    let metadata = Metadata::read(cursor, entry_count, at)?;
    let alignment = alignment(&metadata)?;
    let tensors = tensors::read(cursor, tensor_count, alignment, file_bytes, names)?;
    Ok(Start {
        version,
        metadata,
        tensors,
    })
}

fn read_version<R: Read + Seek>(cursor: &mut Cursor<R>) -> Result<u32> {
    let at = cursor.position();
    let version = cursor.u32(&"version")?;
    let swapped = version.swap_bytes();
    match version {
        types::OLDEST_VERSION..=types::NEWEST_VERSION => Ok(version),
        0 => Err(invalid(&"version", at, "is 0")),
        _ if version < types::OLDEST_VERSION => Err(Error::TooOld { version }),
        // In the other byte order a small number has its low half empty.
        _ if version.trailing_zeros() >= 16 => Err(Error::BigEndian { version: swapped }),
        _ => Err(Error::TooNew {
            version,
            supported: types::NEWEST_VERSION,
        }),
    }
}

fn alignment(metadata: &Metadata) -> Result<u64> {
    let key = "general.alignment";
    let alignment = metadata.size(key)?.unwrap_or(types::DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two()
        || !(types::DEFAULT_ALIGNMENT..=types::MAX_ALIGNMENT).contains(&alignment)
    {
        let reason = format!(
            "is {alignment}, a power of two from {} to {} is needed",
            types::DEFAULT_ALIGNMENT,
            types::MAX_ALIGNMENT
        );
        return Err(metadata.wrong(key, reason));
    }
    Ok(alignment)
}

fn into_header(start: Start, names: &Names) -> Result<Header> {
    let Start {
        version,
        metadata,
        tensors,
    } = start;
    let architecture = architecture(&metadata)?;
    let token_count = tokenizer::check(&metadata)?;
    let sizes = hyperparameters::check(&metadata, &architecture)?;
    let Sizes {
        context_length,
        block_count,
        embedding_length,
        ..
    } = sizes;
    architectures::check(
        &metadata,
        &architecture,
        block_count,
        embedding_length,
        names,
    )?;
    let label = |key: &str| metadata.text(key).map(|text| text.map(str::to_owned));
    let file_type = metadata
        .entries
        .get("general.file_type")
        .and_then(metadata::Entry::integer);
    Ok(Header {
        version,
        name: label("general.name")?,
        basename: label("general.basename")?,
        size_label: label("general.size_label")?,
        quantisation: file_type.and_then(types::quantisation),
        context_length,
        block_count,
        embedding_length,
        head_count: sizes.head_count,
        head_count_kv: sizes.head_count_kv,
        key_length: sizes.key_length,
        value_length: sizes.value_length,
        token_count,
        chat_template: label("tokenizer.chat_template")?,
        causal: metadata
            .flag(&format!("{architecture}.attention.causal"))?
            .unwrap_or(true),
        pooling: pooling(&metadata, &architecture)?,
        tensor_count: tensors.count,
        data_offset: tensors.data_offset,
        tensor_bytes: tensors.bytes,
        parameters: tensors.parameters,
        part_count: part_numbers(&metadata)?.1,
        shape: Shape::read(&metadata, &architecture, tensors.by_use),
        architecture,
    })
}

fn architecture(metadata: &Metadata) -> Result<String> {
    let key = ARCHITECTURE;
    let architecture = metadata
        .text(key)?
        .ok_or_else(|| metadata.wrong(key, "is missing"))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if architecture.is_empty() || architecture.len() > 64 || !architecture.bytes().all(plain) {
        return Err(metadata.wrong(key, "is not a name of 1 to 64 letters, digits, - and _"));
    }
    let reason = match (architecture, metadata.text("general.type")?) {
        (projector::ARCHITECTURE, _) | (_, Some("mmproj")) => {
            "it is the vision part of another model"
        }
        (_, Some("adapter")) => "it is an adapter for another model",
        (_, Some("imatrix")) | ("imatrix", _) => "it holds statistics for quantising",
        _ => return Ok(architecture.to_owned()),
    };
    Err(Error::Unsupported {
        what: architecture.to_owned(),
        reason: reason.to_owned(),
    })
}

fn pooling(metadata: &Metadata, architecture: &str) -> Result<Option<Pooling>> {
    let key = format!("{architecture}.pooling_type");
    Ok(match metadata.size(&key)? {
        None => None,
        Some(0) => Some(Pooling::None),
        Some(1) => Some(Pooling::Mean),
        Some(2) => Some(Pooling::Cls),
        Some(3) => Some(Pooling::Last),
        Some(4) => Some(Pooling::Rank),
        Some(other) => return Err(metadata.wrong(&key, format!("is {other}, 0 to 4 are known"))),
    })
}

/// Number of this part (from 0) and of all parts; 0 of 1 in a file that is not split.
fn part_numbers(metadata: &Metadata) -> Result<(u64, u64)> {
    let number = |key: &str, default: u64| match metadata.entries.get(key) {
        None => Ok(default),
        Some(entry) if entry.kind == types::Kind::U16 => Ok(entry.integer().unwrap_or(default)),
        Some(_) => Err(metadata.wrong(key, "must be an unsigned 16-bit number")),
    };
    let (part, count) = (number("split.no", 0)?, number("split.count", 1)?.max(1));
    if count > types::MAX_PARTS {
        return Err(metadata.wrong(
            "split.count",
            format!("is {count}, at most {} are allowed", types::MAX_PARTS),
        ));
    }
    Ok((part, count))
}

/// The files of a model, this one first. llama.cpp opens the others by itself, so they are found by its rule: `-00001-of-00003`.
fn part_paths(path: &Path, first: &Start) -> Result<Vec<PathBuf>> {
    let (part, count) = part_numbers(&first.metadata)?;
    if part != 0 {
        return Err(first.metadata.wrong(
            "split.no",
            format!("is {part}: open the first part of the model"),
        ));
    }
    let paths = part_paths_of(path, count);
    if paths.len() as u64 != count {
        let reason =
            format!("the model has {count} parts, but the file is not named as the first of them");
        return Err(first.metadata.wrong("split.count", reason));
    }
    Ok(paths)
}

/// The files of a model of `count` parts, this one first; only this one when it is not named as the first of them.
pub(crate) fn part_paths_of(path: &Path, count: u64) -> Vec<PathBuf> {
    let mut paths = vec![path.to_owned()];
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if let Some(stem) = name.strip_suffix(&format!("-00001-of-{count:05}.gguf")) {
        paths.extend(
            (2..=count)
                .map(|part| path.with_file_name(format!("{stem}-{part:05}-of-{count:05}.gguf"))),
        );
    }
    paths
}

fn check_part(start: &Start, expected: u64, count: u64) -> Result<()> {
    let (part, of) = part_numbers(&start.metadata)?;
    if (part, of) == (expected, count) {
        return Ok(());
    }
    let reason = format!("says part {part} of {of}, part {expected} of {count} was expected");
    Err(start.metadata.wrong("split.no", reason))
}
