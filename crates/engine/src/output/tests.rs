//! Answers in the documented form of each family, cut anywhere.

use proptest::prelude::*;

use super::*;

const WEATHER: &str = r#"{"city": "Zürich, \"old town\"", "days": 3}"#;

fn syntax(family: Family) -> Syntax {
    Syntax {
        family,
        thoughts: Syntax::detect("<think>").thoughts,
        thinking_open: false,
    }
}

fn parser(syntax: Syntax) -> Output {
    let tools = ["get_weather", "now"].map(str::to_owned).to_vec();
    Output::new(syntax, tools, 7)
}

/// The pieces of `text`, cut into parts of `size` characters, neighbours of one kind merged.
fn parse(syntax: Syntax, text: &str, size: usize) -> Vec<Piece> {
    let mut output = parser(syntax);
    let chars: Vec<char> = text.chars().collect();
    let mut all = Vec::new();
    for part in chars.chunks(size) {
        all.extend(output.push(&part.iter().collect::<String>()));
    }
    all.extend(output.finish());
    merge(all)
}

fn merge(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut merged: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (merged.last_mut(), &piece) {
            (Some(Piece::Text(a)), Piece::Text(b))
            | (Some(Piece::Reasoning(a)), Piece::Reasoning(b)) => a.push_str(b),
            (
                Some(Piece::ToolArguments { index: i, text: a }),
                Piece::ToolArguments { index: j, text: b },
            ) if i == j => a.push_str(b),
            _ => merged.push(piece),
        }
    }
    merged
}

/// Short form: `T:` text, `R:` thought, `C:` name and arguments.
fn shown(pieces: &[Piece]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => lines.push(format!("T:{text}")),
            Piece::Reasoning(text) => lines.push(format!("R:{text}")),
            Piece::ToolCall { name, .. } => lines.push(format!("C:{name}")),
            Piece::ToolArguments { text, .. } => lines.last_mut().unwrap().push_str(text),
        }
    }
    lines
}

fn check(syntax: Syntax, text: &str, expected: &[&str]) {
    for size in [1, 2, 3, 5, 7, 1000] {
        assert_eq!(
            shown(&parse(syntax, text, size)),
            expected,
            "{text} by {size}"
        );
    }
}

#[test]
fn hermes_and_qwen() {
    let s = syntax(Family::Hermes);
    let call = format!("C:get_weather{WEATHER}");
    check(
        s,
        &format!(
            "<tool_call>\n{{\"name\": \"get_weather\", \"arguments\": {WEATHER}}}\n</tool_call>"
        ),
        &[&call],
    );
    check(
        s,
        &format!(
            "<think>\nI need both.\n</think>\n\nLet me look.\n<tool_call>\n{{\"arguments\": {WEATHER}, \"name\": \"get_weather\"}}\n</tool_call>\n<tool_call>\n{{\"name\": \"now\"}}\n</tool_call>"
        ),
        &["R:I need both.", "T:Let me look.", &call, "C:now{}"],
    );
    // Arguments as text, as some fine-tunes write them; the closing marker is missing.
    check(
        s,
        r#"<tool_call>{"name": "now", "arguments": "{\"zone\": \"UTC\"}"}"#,
        &[r#"C:now{"zone": "UTC"}"#],
    );
}

#[test]
fn llama_3() {
    let s = syntax(Family::Llama3);
    let call = format!("C:get_weather{WEATHER}");
    check(
        s,
        &format!("{{\"name\": \"get_weather\", \"parameters\": {WEATHER}}}"),
        &[&call],
    );
    check(
        s,
        &format!(
            "<|python_tag|>{{\"type\": \"function\", \"name\": \"get_weather\", \"parameters\": {WEATHER}}}; {{\"name\": \"now\", \"parameters\": {{}}}}"
        ),
        &[&call, "C:now{}"],
    );
    let python = "<|python_tag|>brave_search.call(query=\"x\")";
    check(s, python, &[&format!("T:{python}")]);
    let answer = r#"{"answer": 42, "name": "now"}"#;
    check(s, answer, &[&format!("T:{answer}")]);
    check(
        s,
        "Use {\"name\": \"now\"}.",
        &["T:Use {\"name\": \"now\"}."],
    );
}

#[test]
fn mistral() {
    let s = syntax(Family::MistralList);
    let call = format!("C:get_weather{WEATHER}");
    check(
        s,
        &format!(
            "[TOOL_CALLS] [{{\"name\": \"get_weather\", \"arguments\": {WEATHER}}}, {{\"name\": \"now\", \"arguments\": {{}}, \"id\": \"abcdefghi\"}}]"
        ),
        &[&call, "C:now{}"],
    );
    check(
        syntax(Family::MistralNamed),
        &format!(
            "Sure.[TOOL_CALLS]get_weather[ARGS]{WEATHER}[TOOL_CALLS]now[CALL_ID]123456789[ARGS]{{}}"
        ),
        &["T:Sure.", &call, "C:now{}"],
    );
    let thinking = Syntax {
        thoughts: Syntax::detect("[THINK]").thoughts,
        ..s
    };
    check(thinking, "[THINK]Hm.[/THINK]Yes.", &["R:Hm.", "T:Yes."]);
    check(s, "[TOOL_CALLS] [1]", &["T:[TOOL_CALLS] [1]"]);
}

#[test]
fn functionary() {
    let s = syntax(Family::Function);
    check(
        s,
        &format!("<function=get_weather>{WEATHER}</function>\n<function=now></function>"),
        &[&format!("C:get_weather{WEATHER}"), "C:now{}"],
    );
    check(
        s,
        "<function=rm>{}</function>",
        &["T:<function=rm>{}</function>"],
    );
}

#[test]
fn harmony() {
    let s = Syntax {
        thoughts: None,
        ..syntax(Family::Harmony)
    };
    check(
        s,
        "<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>Four.<|return|>",
        &["R:Easy.", "T:Four."],
    );
    check(
        s,
        &format!(
            "<|channel|>analysis<|message|>Look it up.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{WEATHER}<|call|>"
        ),
        &["R:Look it up.", &format!("C:get_weather{WEATHER}")],
    );
    check(
        s,
        "<|start|>assistant to=functions.now<|channel|>commentary json<|message|>{}",
        &["C:now{}"],
    );
    check(
        s,
        "<|channel|>commentary<|message|>First, the plan.<|end|>",
        &["T:First, the plan."],
    );
}

#[test]
fn what_only_looks_like_a_call_is_text() {
    let s = syntax(Family::Hermes);
    for text in [
        "<tool_call>oops</tool_call>",
        "<tool_call>{\"name\": \"rm\", \"arguments\": {}}</tool_call>",
        "<tool_call>{\"name\": 3}</tool_call>",
        "<tool_call>{\"arguments\": {}}</tool_call>",
        "<tool_call>{\"name\": \"now\", \"arguments\": [1]}</tool_call>",
        "<tool_call>{\"name\": \"now\"",
        "a < b <tool <tool_cal",
        "code: <think> is a marker </think>",
    ] {
        check(s, text, &[&format!("T:{text}")]);
    }
    // A call that breaks after it began: what follows is text, nothing is lost.
    check(
        s,
        "<tool_call>{\"name\": \"now\", \"arguments\": {\"a\": oops}}</tool_call>",
        &["C:now{\"a\": ", "T:oops}}</tool_call>"],
    );
}

#[test]
fn a_thought_that_the_prompt_opened() {
    let s = Syntax {
        thinking_open: true,
        ..syntax(Family::Hermes)
    };
    check(s, "\nHm.\n</think>\n\nYes.\n", &["R:Hm.", "T:Yes.\n"]);
    check(s, "cut off in the", &["R:cut off in the"]);
}

#[test]
fn without_tools_only_thoughts_are_taken_out() {
    let mut output = Output::new(syntax(Family::Hermes), Vec::new(), 1);
    let text = "<think>a</think><tool_call>{\"name\": \"now\"}</tool_call>";
    let mut pieces = output.push(text);
    pieces.extend(output.finish());
    assert_eq!(
        shown(&merge(pieces)),
        ["R:a", "T:<tool_call>{\"name\": \"now\"}</tool_call>"]
    );
    assert_eq!(output.calls(), 0);
}

#[test]
fn arguments_stream_before_the_call_ends() {
    let mut output = parser(syntax(Family::Hermes));
    let first = output.push("<tool_call>\n{\"name\": \"now\", \"arguments\": {\"zone\": \"U");
    assert_eq!(shown(&first), ["C:now{\"zone\": \"U"]);
    assert_eq!(
        shown(&output.push("TC\"}}\n</tool")[..0]),
        Vec::<String>::new()
    );
    assert!(output.finish().is_empty());
    assert_eq!(output.calls(), 1);
}

#[test]
fn ids_differ_between_calls_and_requests_and_nothing_else() {
    let mut ids = std::collections::HashSet::new();
    for seed in 0..200 {
        for index in 0..20 {
            let id = call_id(seed, index);
            assert!(id.len() == 15 && id.starts_with("call_"));
            assert!(id[5..].chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(ids.insert(id.clone()));
            assert_eq!(id, call_id(seed, index));
        }
    }
}

fn families() -> impl Strategy<Value = Syntax> {
    let all = [
        Family::Hermes,
        Family::Llama3,
        Family::MistralList,
        Family::MistralNamed,
        Family::Function,
        Family::Harmony,
    ];
    (0..all.len(), any::<bool>()).prop_map(move |(at, open)| Syntax {
        thinking_open: open && all[at] != Family::Harmony,
        ..syntax(all[at])
    })
}

/// Answers put together from what the parsers look for.
fn answers() -> impl Strategy<Value = String> {
    let parts = [
        "<tool_call>",
        "</tool_call>",
        "<think>",
        "</think>",
        "[TOOL_CALLS]",
        "[ARGS]",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "\"name\"",
        "\"arguments\"",
        "\"parameters\"",
        "\"now\"",
        "now",
        "{\"name\": \"now\", \"arguments\": {",
        "<function=",
        ">",
        "</function>",
        "<|channel|>",
        "analysis",
        "final",
        "<|message|>",
        "<|end|>",
        "<|start|>",
        "to=functions.now",
        "<|python_tag|>",
        ";",
        "é",
        " ",
        "\n",
        "<",
        "1",
        "text",
    ];
    proptest::collection::vec(0..parts.len(), 0..24)
        .prop_map(move |at| at.into_iter().map(|i| parts[i]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_cut_does_not_matter(syntax in families(), text in answers(), size in 1usize..9) {
        prop_assert_eq!(parse(syntax, &text, size), parse(syntax, &text, usize::MAX >> 1));
    }

    /// Without calls, all visible characters come out, in order; markers of thoughts are the only thing that goes.
    #[test]
    fn no_text_is_lost(text in answers(), open in any::<bool>()) {
        let syntax = Syntax { thinking_open: open, ..syntax(Family::Hermes) };
        let pieces = parse(syntax, &text, 3);
        prop_assume!(!pieces.iter().any(|p| matches!(p, Piece::ToolCall { .. })));
        let out: String = pieces.iter().map(|p| match p {
            Piece::Text(t) | Piece::Reasoning(t) => t.as_str(),
            _ => "",
        }).collect();
        let bare = |s: &str| s.replace("<think>", "").replace("</think>", "").split_whitespace().collect::<String>();
        prop_assert_eq!(bare(&out), bare(&text));
    }
}
