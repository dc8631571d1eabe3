//! The vision part of a model: turns a picture into entries of the KV cache.
//!
//! Pixels come decoded and within their limits; llama.cpp scales and cuts them as the model wants. All pieces of one picture, with
//! the tokens that the model puts around it, are computed in one call.

use std::ffi::CString;
use std::path::Path;
use std::rc::Rc;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::mtmd::{
    MtmdBitmap, MtmdContext, MtmdContextParams, MtmdEvalError, MtmdInputChunks, MtmdInputText,
    mtmd_default_marker,
};

use crate::Error;
use crate::backend::DecodeError;
use crate::picture::{MAX_IMAGES, Pixels};

/// How many cut pictures are kept between their being counted and computed.
const KEPT: usize = 2 * MAX_IMAGES;
/// What llama.cpp answers when the KV cache has no room.
const NO_ROOM: i32 = 1;

/// See the module text. Must be dropped before the model.
pub(super) struct Vision {
    context: MtmdContext,
    /// By [`Pixels::key`], the least recently used first.
    cut: Vec<(u64, Rc<MtmdInputChunks>)>,
}

/// How much a picture takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Entries of the KV cache.
    pub cells: usize,
    /// Positions; fewer than entries where a model counts rows and columns.
    pub positions: usize,
}

impl Vision {
    /// Loads the projector of a model; the error says why it does not go with it.
    pub(super) fn load(
        path: &Path,
        model: &LlamaModel,
        threads: u32,
        gpu: bool,
    ) -> Result<Self, String> {
        let path = path.to_str().ok_or("its path is not Unicode")?;
        let marker = CString::new(mtmd_default_marker()).map_err(|e| e.to_string())?;
        let params = MtmdContextParams {
            use_gpu: gpu,
            print_timings: false,
            n_threads: threads as i32,
            media_marker: marker,
            ..MtmdContextParams::default()
        };
        let context = MtmdContext::init_from_file(path, model, &params)
            .map_err(|_| "its vision part does not go with it".to_owned())?;
        if !context.support_vision() {
            return Err("its vision part cannot see".to_owned());
        }
        Ok(Self {
            context,
            cut: Vec::new(),
        })
    }

    pub(super) fn extent(&mut self, image: &Pixels) -> Result<Extent, Error> {
        let chunks = self.chunks(image)?;
        Ok(Extent {
            cells: chunks.total_tokens(),
            positions: chunks.total_positions().max(0) as usize,
        })
    }

    /// Computes a picture from `position` on; what was begun stays when it fails.
    pub(super) fn decode(
        &mut self,
        context: &mut LlamaContext,
        image: &Pixels,
        position: i32,
        sequence: i32,
        batch_tokens: u32,
    ) -> Result<(), DecodeError> {
        let chunks = self.chunks(image).map_err(DecodeError::Failed)?;
        let batch = batch_tokens as i32;
        let end = chunks.eval_chunks(&mut self.context, context, position, sequence, batch, false);
        match end {
            Ok(_) => Ok(()),
            Err(MtmdEvalError::EvalFailure(NO_ROOM)) => Err(DecodeError::Full),
            Err(error) => Err(DecodeError::Failed(Error::Backend {
                reason: format!("a picture could not be computed: {error}"),
            })),
        }
    }

    /// The picture as the model takes it.
    fn chunks(&mut self, image: &Pixels) -> Result<Rc<MtmdInputChunks>, Error> {
        if let Some(at) = self.cut.iter().position(|(key, _)| *key == image.key) {
            let known = self.cut.remove(at);
            let chunks = known.1.clone();
            self.cut.push(known);
            return Ok(chunks);
        }
        let failed = |reason: String| Error::Backend {
            reason: format!("a picture could not be prepared: {reason}"),
        };
        let bitmap = MtmdBitmap::from_image_data(image.width, image.height, &image.rgb)
            .map_err(|e| failed(e.to_string()))?;
        let text = MtmdInputText {
            text: mtmd_default_marker().to_owned(),
            add_special: false,
            parse_special: true,
        };
        let chunks = self
            .context
            .tokenize(text, &[&bitmap])
            .map_err(|e| failed(e.to_string()))?;
        if chunks.total_tokens() == 0 {
            return Err(failed("it takes no room".into()));
        }
        let chunks = Rc::new(chunks);
        if self.cut.len() >= KEPT {
            self.cut.remove(0);
        }
        self.cut.push((image.key, chunks.clone()));
        Ok(chunks)
    }
}
