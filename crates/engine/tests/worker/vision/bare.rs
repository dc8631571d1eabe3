//! The plainest loop over a picture there is, by llama.cpp's own way through a prompt with pictures.

use std::ffi::CString;
use std::num::NonZeroU32;
use std::path::Path;

use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::mtmd::{
    MtmdBitmap, MtmdContext, MtmdContextParams, MtmdInputText, mtmd_default_marker,
};
use llama_cpp_2::sampling::LlamaSampler;

use super::super::llama_backend;

/// The system prompt of the question.
pub const SYSTEM: &str = "Look well.";

/// The greedy answer to a picture in front of a text.
pub fn answer(model: &Path, projector: &Path, picture: &[u8], text: &str, tokens: i32) -> String {
    let backend = llama_backend();
    let model = LlamaModel::load_from_file(&backend, model, &LlamaModelParams::default()).unwrap();
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(2048))
        .with_n_threads(1)
        .with_n_threads_batch(1);
    let mut context = model.new_context(&backend, params).unwrap();
    let params = MtmdContextParams {
        use_gpu: false,
        n_threads: 1,
        media_marker: CString::new(mtmd_default_marker()).unwrap(),
        ..MtmdContextParams::default()
    };
    let path = projector.to_str().unwrap();
    let mut vision = MtmdContext::init_from_file(path, &model, &params).unwrap();
    let picture = image::load_from_memory(picture).unwrap().into_rgb8();
    let (width, height) = picture.dimensions();
    let bitmap = MtmdBitmap::from_image_data(width, height, &picture).unwrap();
    let prompt = format!(
        "<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{}{text}<|im_end|>\n<|im_start|>assistant\n",
        mtmd_default_marker()
    );
    let chunks = vision.tokenize(
        MtmdInputText {
            text: prompt,
            add_special: true,
            parse_special: true,
        },
        &[&bitmap],
    );
    let end = chunks
        .unwrap()
        .eval_chunks(&mut vision, &mut context, 0, 0, 512, true)
        .unwrap();
    let mut sampler = LlamaSampler::greedy();
    let mut batch = LlamaBatch::new(1, 1);
    let mut bytes = Vec::new();
    for position in end..end + tokens {
        let token = sampler.sample(&context, -1);
        let vocabulary = model.vocab();
        vocabulary.token_to_piece_into(token, &mut bytes, false, None);
        batch.clear();
        batch.add(token, position, &[0], true).unwrap();
        context.decode(&mut batch).unwrap();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
