//! How a family of models writes thoughts and tool calls, found out from its chat template.
//!
//! Detection goes by the text of the template and not by the name of the model: the template is what the model was trained
//! with, and a renamed file keeps it.

/// The form in which a model writes tool calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// `<tool_call>{"name": …, "arguments": …}</tool_call>`: Hermes, Qwen 2.5 and 3, and what models without a form of their own
    /// are told to write.
    #[default]
    Hermes,
    /// `{"name": …, "parameters": …}` as the whole answer or after `<|python_tag|>`: Llama 3.
    Llama3,
    /// `[TOOL_CALLS][{"name": …, "arguments": …}, …]`: Mistral up to 2024.
    MistralList,
    /// `[TOOL_CALLS]name[ARGS]{…}`: Mistral since 2025.
    MistralNamed,
    /// `<function=name>{…}</function>`: Functionary, and Llama 3.1 with its own prompt.
    Function,
    /// `<|channel|>commentary to=functions.name <|constrain|>json<|message|>{…}<|call|>`: gpt-oss.
    Harmony,
}

/// The texts round a thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thoughts {
    pub open: &'static str,
    pub close: &'static str,
}

/// The pairs that are in use. Longer ones first: `<think>` is no part of `<thinking>`, but the order costs nothing.
const THOUGHTS: [Thoughts; 3] = [
    Thoughts {
        open: "<thinking>",
        close: "</thinking>",
    },
    Thoughts {
        open: "[THINK]",
        close: "[/THINK]",
    },
    Thoughts {
        open: "<think>",
        close: "</think>",
    },
];

/// How one answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Syntax {
    pub family: Family,
    /// `None` when the template knows no thoughts; the channels of [`Family::Harmony`] are not listed here.
    pub thoughts: Option<Thoughts>,
    /// The prompt ends inside a thought, so the answer begins there.
    pub thinking_open: bool,
}

impl Syntax {
    /// Finds the form in the source of a chat template.
    pub fn detect(template: &str) -> Self {
        let has = |text: &str| template.contains(text);
        let family = if has("<|channel|>") && has("<|message|>") {
            Family::Harmony
        } else if has("[TOOL_CALLS]") && has("[ARGS]") {
            Family::MistralNamed
        } else if has("[TOOL_CALLS]") {
            Family::MistralList
        } else if has("<tool_call>") {
            Family::Hermes
        } else if has("<function=") {
            Family::Function
        } else if has("<|python_tag|>") || has("<|start_header_id|>") && has("parameters") {
            Family::Llama3
        } else {
            Family::Hermes
        };
        Self {
            family,
            thoughts: THOUGHTS.into_iter().find(|t| has(t.open) || has(t.close)),
            thinking_open: false,
        }
    }

    /// The same syntax for an answer to `prompt`, which may end inside a thought.
    #[must_use]
    pub fn after(mut self, prompt: &str) -> Self {
        self.thinking_open = self
            .thoughts
            .is_some_and(|t| prompt.trim_end().ends_with(t.open));
        self
    }

    /// The texts that must be visible for an answer to be taken apart. Where the vocabulary holds one of them as a special
    /// token, that token has to be rendered although special tokens are hidden otherwise.
    pub fn markers(&self) -> Vec<&'static str> {
        let calls: &[&'static str] = match self.family {
            Family::Hermes => &["<tool_call>", "</tool_call>"],
            Family::Llama3 => &["<|python_tag|>"],
            Family::MistralList | Family::MistralNamed => &["[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"],
            Family::Function => &["<function=", "</function>"],
            Family::Harmony => &[
                "<|channel|>",
                "<|message|>",
                "<|constrain|>",
                "<|start|>",
                "<|end|>",
                "<|call|>",
                "<|return|>",
            ],
        };
        let thoughts = self.thoughts.iter().flat_map(|t| [t.open, t.close]);
        calls.iter().copied().chain(thoughts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_families_by_their_templates() {
        let cases = [
            (
                "{%- if tools %}…within <tool_call></tool_call> XML tags",
                Family::Hermes,
            ),
            ("{{ '<|python_tag|>' + x }}", Family::Llama3),
            (
                "<|start_header_id|>… {\"name\": function name, \"parameters\": …}",
                Family::Llama3,
            ),
            ("{{ '[TOOL_CALLS] [' }}", Family::MistralList),
            (
                "[TOOL_CALLS]{{ name }}[ARGS]{{ arguments }}",
                Family::MistralNamed,
            ),
            (
                "<function={{ name }}>{{ args }}</function>",
                Family::Function,
            ),
            (
                "<|start|>assistant<|channel|>final<|message|>",
                Family::Harmony,
            ),
            ("<|im_start|>{{ role }}", Family::Hermes),
        ];
        for (template, family) in cases {
            assert_eq!(Syntax::detect(template).family, family, "{template}");
        }
    }

    #[test]
    fn knows_thoughts_and_whether_the_prompt_opened_one() {
        let syntax = Syntax::detect("… {{ '<think>\n' }} … </think>");
        assert_eq!(syntax.thoughts.unwrap().close, "</think>");
        assert!(
            syntax
                .after("<|im_start|>assistant\n<think>\n")
                .thinking_open
        );
        assert!(
            !syntax
                .after("assistant\n<think>\n\n</think>\n\n")
                .thinking_open
        );
        assert!(!Syntax::detect("plain").after("<think>").thinking_open);
        assert!(syntax.markers().contains(&"</think>"));
        assert_eq!(Syntax::detect("[THINK]").thoughts.unwrap().open, "[THINK]");
        assert_eq!(
            Syntax::detect("<thinking>").thoughts.unwrap().open,
            "<thinking>"
        );
    }
}
