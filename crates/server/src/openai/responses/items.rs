//! The output of a response as it grows: thoughts, text and calls as items, each begun, filled and closed by events in the order that
//! clients expect.
//!
//! The same events make the streamed and the whole response. Nothing here knows the engine beyond its events.

use hearth_app::engine::{Event, FinishReason, Summary, TokenLogprob};
use serde_json::{Value, json};

use super::request::Head;
use super::shape::{
    CallItem, Incomplete, InputDetails, MessageItem, OutputItem, OutputPart, ReasoningItem,
    ResponseError, ResponseShape, ResponseUsage,
};
use crate::answer::Wire;
use crate::openai::output::{self, TokenShape};
use crate::refusal::Refusal;
use crate::sse;

/// What an item holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
    Call { call_id: String, name: String },
}

/// The item that is being filled.
struct Open {
    kind: Kind,
    id: String,
    text: String,
    logprobs: Vec<TokenShape>,
}

/// Makes items of events.
pub(super) struct Items {
    head: Head,
    sequence: u64,
    done: Vec<OutputItem>,
    open: Option<Open>,
    summary: Option<Summary>,
}

impl Items {
    pub(super) fn new(head: Head) -> Self {
        Self {
            head,
            sequence: 0,
            done: Vec::new(),
            open: None,
            summary: None,
        }
    }

    /// Takes an event of the engine; `out` gets what a stream sends of it.
    pub(super) fn take(&mut self, event: Event, out: &mut Vec<String>) {
        match event {
            Event::Text { text, logprobs } => {
                self.switch(&Kind::Text, out);
                self.text(&text, &logprobs, out);
            }
            Event::Reasoning { text } => {
                self.switch(&Kind::Reasoning, out);
                self.fill("response.reasoning_text.delta", &text, true, out);
            }
            Event::ToolCall { id, name, .. } => {
                self.finish(out);
                self.begin(Kind::Call { call_id: id, name }, out);
            }
            Event::ToolArguments { text, .. } => {
                self.fill("response.function_call_arguments.delta", &text, false, out);
            }
            Event::Finished(summary) => {
                self.finish(out);
                self.summary = Some(summary);
            }
            _ => {}
        }
    }

    /// The response as it is now.
    pub(super) fn response(&self) -> ResponseShape {
        let incomplete = self
            .summary
            .as_ref()
            .is_some_and(|summary| summary.reason == FinishReason::Length);
        ResponseShape {
            head: self.head.clone(),
            object: "response",
            status: match self.summary {
                None => "in_progress",
                Some(_) if incomplete => "incomplete",
                Some(_) => "completed",
            },
            output: self.done.clone(),
            error: None,
            incomplete_details: incomplete.then_some(Incomplete {
                reason: "max_output_tokens",
            }),
            previous_response_id: None,
            store: false,
            truncation: "disabled",
            usage: self.summary.as_ref().map(usage),
        }
    }

    fn send(&mut self, name: &str, mut value: Value, out: &mut Vec<String>) {
        value["type"] = name.into();
        value["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        out.push(sse::named(name, &value));
    }

    /// Goes on with the open item when it is of this kind, else with a new one.
    fn switch(&mut self, kind: &Kind, out: &mut Vec<String>) {
        if self.open.as_ref().is_none_or(|open| open.kind != *kind) {
            self.finish(out);
            self.begin(kind.clone(), out);
        }
    }

    fn begin(&mut self, kind: Kind, out: &mut Vec<String>) {
        let id = output::id(match kind {
            Kind::Text => "msg_",
            Kind::Reasoning => "rs_",
            Kind::Call { .. } => "fc_",
        });
        let open = Open {
            kind,
            id,
            text: String::new(),
            logprobs: Vec::new(),
        };
        let output_index = self.done.len();
        let event = json!({ "output_index": output_index, "item": open.item("in_progress") });
        self.send("response.output_item.added", event, out);
        if let Some(part) = open.part() {
            let event = json!({ "item_id": open.id, "output_index": output_index, "content_index": 0, "part": part });
            self.send("response.content_part.added", event, out);
        }
        self.open = Some(open);
    }

    fn text(&mut self, text: &str, logprobs: &[TokenLogprob], out: &mut Vec<String>) {
        let odds = output::chat_logprobs(logprobs, self.head.logprobs);
        let odds = odds.map_or_else(Vec::new, |odds| odds.content);
        let Some(open) = &mut self.open else { return };
        open.text.push_str(text);
        open.logprobs.extend(odds.iter().cloned());
        let event = json!({
            "item_id": open.id,
            "output_index": self.done.len(),
            "content_index": 0,
            "delta": text,
            "logprobs": odds,
        });
        self.send("response.output_text.delta", event, out);
    }

    fn fill(&mut self, name: &str, text: &str, in_part: bool, out: &mut Vec<String>) {
        let Some(open) = &mut self.open else { return };
        open.text.push_str(text);
        let mut event =
            json!({ "item_id": open.id, "output_index": self.done.len(), "delta": text });
        if in_part {
            event["content_index"] = 0.into();
        }
        self.send(name, event, out);
    }

    fn finish(&mut self, out: &mut Vec<String>) {
        let Some(open) = self.open.take() else { return };
        let place = json!({ "item_id": open.id, "output_index": self.done.len() });
        let with = |more: Value| {
            let mut event = place.clone();
            if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
                event.extend(more);
            }
            event
        };
        match &open.kind {
            Kind::Text => {
                let text =
                    json!({ "content_index": 0, "text": open.text, "logprobs": open.logprobs });
                self.send("response.output_text.done", with(text), out);
            }
            Kind::Reasoning => {
                let text = json!({ "content_index": 0, "text": open.text });
                self.send("response.reasoning_text.done", with(text), out);
            }
            Kind::Call { name, .. } => {
                let call = json!({ "name": name, "arguments": open.text });
                self.send("response.function_call_arguments.done", with(call), out);
            }
        }
        if let Some(part) = open.part() {
            let event = with(json!({ "content_index": 0, "part": part }));
            self.send("response.content_part.done", event, out);
        }
        let item = open.item("completed");
        let event = json!({ "output_index": self.done.len(), "item": item });
        self.send("response.output_item.done", event, out);
        self.done.push(item);
    }
}

impl Open {
    fn part(&self) -> Option<OutputPart> {
        let is_text = match self.kind {
            Kind::Text => true,
            Kind::Reasoning => false,
            Kind::Call { .. } => return None,
        };
        Some(OutputPart {
            kind: if is_text {
                "output_text"
            } else {
                "reasoning_text"
            },
            text: self.text.clone(),
            annotations: is_text.then(Vec::new),
            logprobs: is_text.then(|| self.logprobs.clone()),
        })
    }

    /// An item that has just begun holds no part yet: the part has an event of its own.
    fn item(&self, status: &'static str) -> OutputItem {
        let id = self.id.clone();
        let content = self.part().filter(|_| status == "completed");
        let content = content.into_iter().collect();
        match &self.kind {
            Kind::Text => OutputItem::Message(MessageItem {
                id,
                kind: "message",
                status,
                role: "assistant",
                content,
            }),
            Kind::Reasoning => OutputItem::Reasoning(ReasoningItem {
                id,
                kind: "reasoning",
                status,
                summary: Vec::new(),
                content,
            }),
            Kind::Call { call_id, name } => OutputItem::Call(CallItem {
                id,
                kind: "function_call",
                status,
                call_id: call_id.clone(),
                name: name.clone(),
                arguments: self.text.clone(),
            }),
        }
    }
}

fn usage(summary: &Summary) -> ResponseUsage {
    ResponseUsage {
        input_tokens: summary.prompt_tokens,
        input_tokens_details: InputDetails {
            cached_tokens: summary.cached_tokens,
        },
        output_tokens: summary.tokens,
        total_tokens: summary.prompt_tokens + summary.tokens,
    }
}

impl Wire for Items {
    fn open(&mut self, out: &mut Vec<String>) {
        for name in ["response.created", "response.in_progress"] {
            let event = json!({ "response": self.response() });
            self.send(name, event, out);
        }
    }

    fn event(&mut self, _: usize, event: Event, out: &mut Vec<String>) {
        self.take(event, out);
    }

    fn failed(&mut self, refusal: &Refusal, out: &mut Vec<String>) {
        let mut response = self.response();
        response.status = "failed";
        response.error = Some(ResponseError {
            code: refusal.code,
            message: refusal.text(),
        });
        self.send("response.failed", json!({ "response": response }), out);
    }

    fn close(&mut self, out: &mut Vec<String>) {
        let response = self.response();
        let name = format!("response.{}", response.status);
        self.send(&name, json!({ "response": response }), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caching::Caching;
    use crate::openai::responses::request::ResponsesRequest;

    fn items() -> Items {
        let body = json!({ "model": "m", "input": "a" });
        let request: ResponsesRequest = serde_json::from_value(body).unwrap();
        Items::new(request.ask(Caching(true)).unwrap().1)
    }

    fn text(text: &str) -> Event {
        Event::Text {
            text: text.into(),
            logprobs: vec![],
        }
    }

    #[test]
    fn thoughts_and_text_are_items_of_their_own() {
        let mut items = items();
        let mut out = Vec::new();
        for event in [
            Event::Reasoning { text: "h".into() },
            Event::Reasoning { text: "m".into() },
            text("y"),
            text("es"),
            Event::Finished(Summary {
                reason: FinishReason::Stop,
                stop: None,
                prompt_tokens: 7,
                cached_tokens: 3,
                tokens: 4,
                ttft_ms: 0.0,
                prefill_ms: 0.0,
                decode_ms: 0.0,
            }),
        ] {
            items.take(event, &mut out);
        }
        // Begun, part begun, two pieces, text, part and item ended: twice.
        assert_eq!((out.len(), items.sequence), (14, 14));
        let response = json!(items.response());
        assert_eq!(response["status"], "completed");
        let output = &response["output"];
        assert_eq!(output[0]["type"], "reasoning");
        assert_eq!(output[0]["content"][0]["text"], "hm");
        assert_eq!(output[1]["type"], "message");
        assert_eq!(output[1]["content"][0]["text"], "yes");
        assert_eq!(response["usage"]["total_tokens"], 11);
    }
}
