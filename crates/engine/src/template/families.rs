//! Templates in the documented form of each family, with tools, calls and thoughts.

use serde_json::json;

use super::*;
use crate::{Role, ToolCall};

/// The shape of Qwen's templates: tools in the system message, `<tool_call>` in the assistant's, thoughts on demand.
const QWEN: &str = r#"{%- if tools %}
{{- '<|im_start|>system\n' }}{%- if messages[0].role == 'system' %}{{- messages[0].content + '\n\n' }}{%- endif %}
{{- '<tools>' }}{%- for tool in tools %}{{- "\n" }}{{- tool | tojson }}{%- endfor %}
{{- '\n</tools>\n<tool_call>\n{"name": <name>, "arguments": <args>}\n</tool_call><|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == "user" %}{{- '<|im_start|>user\n' + message.content + '<|im_end|>\n' }}
{%- elif message.role == "assistant" %}
{{- '<|im_start|>assistant\n' }}
{%- if message.reasoning_content is string %}{{- '<think>\n' + message.reasoning_content + '\n</think>\n\n' }}{%- endif %}
{{- message.content }}
{%- for tool_call in message.tool_calls %}
{%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
{{- '\n<tool_call>\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}
{%- if tool_call.arguments is string %}{{- tool_call.arguments }}{%- else %}{{- tool_call.arguments | tojson }}{%- endif %}
{{- '}\n</tool_call>' }}{%- endfor %}{{- '<|im_end|>\n' }}
{%- elif message.role == "tool" %}{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}
{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- else %}{{- '<think>\n' }}{%- endif %}{%- endif %}"#;

/// The shape of Mistral's templates: they check the length of ids.
const MISTRAL: &str = r#"{%- if not tools is defined %}{%- set tools = none %}{%- endif %}{{- bos_token }}
{%- for message in messages %}
{%- if message.role == 'user' %}
{%- if tools is not none and loop.last %}{{- '[AVAILABLE_TOOLS] ' }}{{- tools | tojson }}{{- '[/AVAILABLE_TOOLS]' }}{%- endif %}
{{- '[INST] ' + message.content + '[/INST]' }}
{%- elif message.tool_calls is defined and message.tool_calls is not none %}
{{- '[TOOL_CALLS] [' }}{%- for call in message.tool_calls %}{%- set out = call.function|tojson %}{{- out[:-1] }}
{%- if call.id is not defined or call.id|length != 9 %}{{- raise_exception('ids have nine characters') }}{%- endif %}
{{- ', "id": "' + call.id + '"}' }}{%- endfor %}{{- ']' + eos_token }}
{%- elif message.role == 'tool' %}{{- '[TOOL_RESULTS] {"content": ' + message.content + ', "call_id": "' + message.tool_call_id + '"}[/TOOL_RESULTS]' }}
{%- else %}{{- message.content + eos_token }}{%- endif %}{%- endfor %}"#;

const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n";

fn request() -> Request {
    let mut request = Request::chat(conversation());
    request.tools = vec![Tool {
        name: "get_weather".into(),
        description: "The weather <now>".into(),
        parameters: json!({ "type": "object" }),
    }];
    request
}

fn conversation() -> Vec<Message> {
    let mut called = Message::new(Role::Assistant, "");
    called.reasoning = Some("Need data.".into());
    called.tool_calls = vec![ToolCall {
        id: "call_0123456789".into(),
        name: "get_weather".into(),
        arguments: r#"{"city":"Bern"}"#.into(),
    }];
    let mut result = Message::new(Role::Tool, "{\"celsius\": 3}");
    result.tool_call_id = Some("call_0123456789".into());
    vec![Message::new(Role::User, "Weather?"), called, result]
}

#[test]
fn qwen_sees_tools_calls_results_and_thoughts() {
    let template = Template::new(Some(QWEN), "", "");
    let rendered = template.render(&conversation(), &request());
    assert_eq!(rendered.notice, None);
    for part in [
        "{\"type\": \"function\", \"function\": {\"name\": \"get_weather\", \"description\": \"The weather <now>\", \"parameters\": {\"type\": \"object\"}}}",
        "<think>\nNeed data.\n</think>",
        "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Bern\"}}\n</tool_call>",
        "<tool_response>\n{\"celsius\": 3}\n</tool_response>",
    ] {
        assert!(
            rendered.prompt.contains(part),
            "{part}\n{}",
            rendered.prompt
        );
    }
    assert!(rendered.syntax.thinking_open);
    assert_eq!(rendered.syntax.family, Family::Hermes);
    let mut calm = request();
    calm.thinking = Some(false);
    let rendered = template.render(&conversation(), &calm);
    assert!(!rendered.syntax.thinking_open);
    assert!(rendered.prompt.ends_with("<think>\n\n</think>\n\n"));
    calm.tool_choice = ToolChoice::None;
    assert!(
        !template
            .render(&conversation()[..1], &calm)
            .prompt
            .contains("<tools>")
    );
}

#[test]
fn mistral_gets_ids_of_nine_characters() {
    let rendered = Template::new(Some(MISTRAL), "<s>", "</s>").render(&conversation(), &request());
    assert_eq!(rendered.notice, None);
    assert_eq!(rendered.syntax.family, Family::MistralList);
    let call = r#"[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Bern"}, "id": "123456789"}]</s>"#;
    assert!(rendered.prompt.contains(call), "{}", rendered.prompt);
    assert!(rendered.prompt.contains("\"call_id\": \"123456789\""));
}

#[test]
fn a_template_without_tools_gets_them_in_plain_text() {
    for template in [
        Template::new(Some(CHATML), "", ""),
        Template::new(None, "", ""),
    ] {
        let mut messages = conversation();
        messages.insert(0, Message::new(Role::System, "Be brief."));
        let rendered = template.render(&messages, &request());
        assert_eq!(rendered.syntax.family, Family::Hermes);
        for part in [
            "<|im_start|>system\nBe brief.\n\nYou can call functions.",
            "\"name\":\"get_weather\"",
            "<|im_start|>assistant\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\":\"Bern\"}}\n</tool_call><|im_end|>",
            "<|im_start|>user\n<tool_response>\n{\"celsius\": 3}\n</tool_response><|im_end|>",
        ] {
            assert!(
                rendered.prompt.contains(part),
                "{part}\n{}",
                rendered.prompt
            );
        }
        assert_eq!(rendered.prompt.matches("<|im_start|>system").count(), 1);
    }
}

#[test]
fn a_template_that_fails_on_tools_gets_them_in_plain_text() {
    let source = "{% if tools %}{{ raise_exception('no') }}{% endif %}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";
    let rendered = Template::new(Some(source), "", "").render(&conversation(), &request());
    assert_eq!(rendered.notice, None);
    assert!(
        rendered.prompt.starts_with("[system]You can call"),
        "{}",
        rendered.prompt
    );
}

#[test]
fn arguments_are_text_where_the_template_prints_them() {
    let source = "{% if tools %}{% endif %}{% for m in messages %}{% for c in m.tool_calls %}{{ c.function.name }}({{ c.function.arguments }}){% endfor %}{% endfor %}";
    let rendered = Template::new(Some(source), "", "").render(&conversation(), &request());
    assert_eq!(rendered.prompt, r#"get_weather({"city":"Bern"})"#);
    let mut odd = conversation();
    odd[1].tool_calls[0].arguments = "not json".into();
    let rendered = Template::new(Some(QWEN), "", "").render(&odd, &request());
    assert!(
        rendered.prompt.contains("\"arguments\": not json}"),
        "{}",
        rendered.prompt
    );
}
