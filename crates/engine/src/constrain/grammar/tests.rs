//! What a grammar lets through is what the parser of answers understands, for each family.

use std::sync::Arc;

use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo};

use super::*;
use crate::constrain::compile::{Compiler, Compiling, Guide};
use crate::output::{Output, Piece};

const END: u32 = 256;
const SPECIAL: [&str; 9] = [
    "<|end of text|>",
    "<|channel|>",
    "<|message|>",
    "<|constrain|>",
    "<|start|>",
    "<|end|>",
    "[TOOL_CALLS]",
    "[ARGS]",
    "<|call|>",
];

/// A vocabulary of single bytes and of special tokens.
fn vocabulary() -> TokEnv {
    let mut words: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    for special in SPECIAL {
        let mut word = vec![TokTrie::SPECIAL_TOKEN_MARKER];
        word.extend(special.bytes());
        words.push(word);
    }
    let info = TokRxInfo::new(words.len() as u32, END);
    Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)))
}

fn text_of(token: u32) -> Vec<u8> {
    match SPECIAL.get((token as usize).wrapping_sub(256)) {
        Some(special) => special.as_bytes().to_vec(),
        None => vec![token as u8],
    }
}

fn guide(request: &Request, syntax: &Syntax) -> Result<Guide, Error> {
    let compiler = Compiler::new(&vocabulary())?;
    Wanted::of(request, syntax).map_or_else(
        || panic!("the answer would be free"),
        |wanted| compiler.start(wanted).and_then(Compiling::wait),
    )
}

fn request() -> Request {
    let mut request = Request::text("x");
    request.parse = true;
    request.thinking = Some(false);
    for name in ["get_weather", "now"] {
        request.tools.push(Tool {
            name: name.into(),
            description: String::new(),
            parameters: json!({
                "properties": { "city": { "$ref": "#/$defs/city" }, "days": { "type": "integer", "maximum": 9, "minimum": 0 } },
                "required": ["city"],
                "additionalProperties": false,
                "$defs": { "city": { "enum": ["Bern", "Zürich"] } },
            }),
        });
    }
    request
}

fn syntaxes() -> [Syntax; 6] {
    [
        Family::Hermes,
        Family::Llama3,
        Family::MistralList,
        Family::MistralNamed,
        Family::Function,
        Family::Harmony,
    ]
    .map(|family| Syntax {
        family,
        thoughts: Syntax::detect("<think>").thoughts,
        thinking_open: false,
    })
}

/// A random answer that the grammar allows, to its end.
fn walk(guide: &mut Guide, seed: u64) -> String {
    let mut text = Vec::new();
    let mut random = seed;
    for _ in 0..4000 {
        let allowed = guide.allowed().unwrap().to_list();
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // White space is always allowed somewhere, and a random walk would not get past it.
        let dense: Vec<u32> = allowed
            .iter()
            .copied()
            .filter(|t| !matches!(t, 9 | 10 | 13 | 32))
            .collect();
        let choice = if dense.is_empty() { &allowed } else { &dense };
        let token = if allowed.contains(&END) {
            END
        } else {
            choice[(random >> 33) as usize % choice.len()]
        };
        if token == END {
            return String::from_utf8(text).unwrap();
        }
        text.extend(text_of(token));
        guide.accept(token as i32).unwrap();
    }
    panic!("no end: {}", String::from_utf8_lossy(&text));
}

#[test]
fn a_required_call_is_understood_in_every_family() {
    for syntax in syntaxes() {
        for seed in 0..6 {
            let mut request = request();
            request.tool_choice = match seed % 2 {
                0 => ToolChoice::Required,
                _ => ToolChoice::Named("now".into()),
            };
            let text = walk(&mut guide(&request, &syntax).unwrap(), seed);
            let names = request.tools.iter().map(|t| t.name.clone()).collect();
            let mut output = Output::new(syntax, names, seed);
            let mut pieces = output.push(&text);
            pieces.extend(output.finish());
            assert!(!pieces.is_empty(), "{text}");
            for (at, pair) in pieces.chunks(2).enumerate() {
                let [
                    Piece::ToolCall { name, .. },
                    Piece::ToolArguments {
                        text: arguments, ..
                    },
                ] = pair
                else {
                    panic!("{syntax:?}: {text}: {pieces:?}")
                };
                assert!(seed % 2 == 0 || (name == "now" && at == 0), "{text}");
                let arguments: Value = serde_json::from_str(arguments).unwrap();
                let city = &arguments["city"];
                assert!(city == "Bern" || city == "Zürich", "{text}");
            }
        }
    }
}

/// Whether every token of the text is allowed in its turn, and the end after it.
fn takes(guide: &mut Guide, text: &str) -> bool {
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let special = SPECIAL.iter().position(|s| rest.starts_with(s));
        let token = special.map_or(u32::from(first), |at| at as u32 + 256);
        let Ok(mask) = guide.allowed() else {
            return false;
        };
        if !mask.is_allowed(token) {
            return false;
        }
        guide.accept(token as i32).unwrap();
        rest = &rest[text_of(token).len()..];
    }
    guide.allowed().is_ok_and(|mask| mask.is_allowed(END))
}

#[test]
fn a_thought_may_come_before_the_constrained_answer() {
    let mut request = Request::text("x");
    request.constraint = Some(Constraint::JsonSchema(json!({
        "type": "object",
        "properties": { "a": { "type": "integer" } },
        "required": ["a"],
        "additionalProperties": false,
    })));
    let [plain, .., harmony] = syntaxes();
    let open = Syntax {
        thinking_open: true,
        ..plain
    };
    // Parsed, thinking, syntax, text, taken.
    let cases = [
        (true, None, plain, "{\"a\": 1}", true),
        (
            true,
            None,
            plain,
            "<think>Hm {.\n</think>\n\n{\"a\": 1}",
            true,
        ),
        (true, None, plain, "<think>Hm.</think>no", false),
        (
            true,
            Some(false),
            plain,
            "<think>Hm.</think>{\"a\": 1}",
            false,
        ),
        (true, None, open, "Hm.</think>{\"a\": 1}", true),
        (true, None, open, "{\"a\": 1}", false),
        (false, None, open, "{\"a\": 1}", true),
        (
            true,
            None,
            harmony,
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{\"a\":1}",
            true,
        ),
        (
            true,
            None,
            harmony,
            "<|channel|>final<|message|>{\"a\":1}",
            true,
        ),
        (true, None, harmony, "<|channel|>final<|message|>{}", false),
    ];
    for (parse, thinking, syntax, text, taken) in cases {
        request.parse = parse;
        request.thinking = thinking;
        let mut guide = guide(&request, &syntax).unwrap();
        assert_eq!(
            takes(&mut guide, text),
            taken,
            "{text} {parse} {thinking:?} {syntax:?}"
        );
    }
}

#[test]
fn with_tools_to_choose_from_an_answer_is_a_call_or_conforms() {
    let mut request = request();
    request.constraint = Some(Constraint::Regex("yes|no".into()));
    let [hermes, ..] = syntaxes();
    let call =
        "<tool_call>\n{\"name\": \"now\", \"arguments\": {\"city\": \"Bern\"}}\n</tool_call>";
    for (text, taken) in [("yes", true), (call, true), ("maybe", false)] {
        assert_eq!(
            takes(&mut guide(&request, &hermes).unwrap(), text),
            taken,
            "{text}"
        );
    }
    // Nobody would tell calls from text.
    request.parse = false;
    assert!(!takes(&mut guide(&request, &hermes).unwrap(), call));
}

#[test]
fn what_the_caller_writes_for_the_compiler_has_no_effect() {
    let mut request = Request::text("x");
    request.constraint = Some(Constraint::JsonSchema(json!({
        "not": { "type": "string" },
        "x-guidance": { "lenient": true },
    })));
    let [plain, ..] = syntaxes();
    assert!(matches!(
        guide(&request, &plain),
        Err(Error::InvalidRequest { .. })
    ));
    // No more than 64 blanks in a row.
    request.constraint = Some(Constraint::JsonObject);
    let blanks = |n: usize| format!("{{{}}}", " ".repeat(n));
    assert!(takes(&mut guide(&request, &plain).unwrap(), &blanks(64)));
    assert!(!takes(&mut guide(&request, &plain).unwrap(), &blanks(65)));
}
