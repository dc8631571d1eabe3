//! Binds constraints to a loaded model: its vocabulary is read once, on the first request that needs it.

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;

use crate::constrain::compile::{Compiler, Compiling};
use crate::constrain::grammar::Wanted;
use crate::output::Syntax;
use crate::{Error, Request};

/// Compiles the constraints of requests to one model.
#[derive(Default)]
pub struct Grammars {
    compiler: Option<Compiler>,
}

impl Grammars {
    /// Starts to compile what `request` holds its answer to; `None` when the answer is free.
    ///
    /// Returns at once, except on the first call for a model, which reads the vocabulary: 0.1 to 0.5 s for a large one.
    pub fn start(
        &mut self,
        request: &Request,
        syntax: &Syntax,
        model: &LlamaModel,
    ) -> Result<Option<Compiling>, Error> {
        let Some(wanted) = Wanted::of(request, syntax) else {
            return Ok(None);
        };
        let compiler = match self.compiler.take() {
            Some(compiler) => compiler,
            None => read_vocabulary(model)?,
        };
        self.compiler.insert(compiler).start(wanted).map(Some)
    }
}

/// Reads the model's vocabulary. A file can hold one that the reader does not expect, which must not end the process.
fn read_vocabulary(model: &LlamaModel) -> Result<Compiler, Error> {
    let read = std::panic::AssertUnwindSafe(|| LlamaSampler::llguidance_tok_env(model));
    match std::panic::catch_unwind(read) {
        Ok(vocabulary) => Compiler::new(&vocabulary),
        Err(_) => Err(Error::Backend {
            reason: "the model's vocabulary cannot be used with constraints".into(),
        }),
    }
}
