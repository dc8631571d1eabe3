//! Hostile requests, one after the other and many at once, against the real child: it must answer each of them with text or with an
//! error, and must not die of any.

use std::time::{Duration, Instant};

use hearth_engine::embed::Task;
use hearth_engine::supervisor::Supervisor;
use hearth_engine::{Engine, Event, Generation, Limits, Request};
use serde_json::{Value, json};

use super::child::Child;
use super::report::{Must, Report};

/// An answer that takes longer than this is cancelled; one that does not end within as much again counts as a hang.
const PATIENCE: Duration = Duration::from_secs(20);
/// Requests in flight.
const AT_ONCE: usize = 6;

/// Sends random requests for `seconds` to a model that writes text and to one that makes vectors; the seed brings a run back.
pub(crate) async fn fuzz(
    report: &mut Report,
    child: &Child,
    encoder: &Supervisor,
    seconds: u64,
    seed: u64,
) {
    let mut random = Random(fastrand::Rng::with_seed(seed));
    let started = Instant::now();
    let processes = || (child.process(), encoder.child_id());
    let process = processes();
    let (mut sent, mut refused, mut failed) = (0_u64, 0_u64, 0_u64);
    while started.elapsed() < Duration::from_secs(seconds) {
        let mut running = Vec::new();
        for _ in 0..random.0.usize(1..=AT_ONCE) {
            if random.0.u8(..) < 60 {
                let body = random.task();
                let Ok(task) = serde_json::from_value::<Task>(body.clone()) else {
                    refused += 1;
                    continue;
                };
                sent += 1;
                // Now and then the wrong model is asked.
                let generation = if random.0.u8(..) < 20 {
                    child.encode(task)
                } else {
                    encoder.encode(task)
                };
                running.push((body, random.0.u8(..), generation));
                continue;
            }
            let body = random.request();
            // What is no request at all does not reach the child.
            let Ok(request) = serde_json::from_value::<Request>(body.clone()) else {
                refused += 1;
                continue;
            };
            sent += 1;
            running.push((body, random.0.u8(..), child.generate(request)));
        }
        if random.0.u8(..) < 20 {
            child.limit(random.limits());
            encoder.limit(random.limits());
        }
        for (body, fate, generation) in running {
            if fate < 40 {
                continue;
            }
            if let Event::Failed(error) = last_event(&body, fate < 80, generation).await {
                failed += 1;
                let died = processes() != process;
                assert!(!died, "a child died: {error}\n{body}");
            }
        }
    }
    assert_eq!(processes(), process, "the children are the same");
    let alive = child.ask(super::child::greedy("still there", 4)).await;
    report.row("hostile requests that ended the engine", "", 0.0, &Must::AtMost(0.0), &format!("{sent} sent, {failed} refused by the engine, {refused} by the protocol, {seconds} s, seed {seed}"));
    report.note("answer after them", "ms", alive.total_ms());
}

/// How a request ended that is perhaps cancelled after its first event.
async fn last_event(body: &Value, cancel: bool, mut generation: Generation) -> Event {
    let mut until = Instant::now() + PATIENCE;
    let mut patient = true;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, generation.events.recv()).await {
            Ok(Some(event)) if event.is_last() => return event,
            Ok(Some(_)) if cancel => generation.cancel.cancel(),
            Ok(Some(_)) => {}
            Ok(None) => panic!("no last event for {body}"),
            Err(_) if patient => {
                generation.cancel.cancel();
                patient = false;
                until += PATIENCE;
            }
            Err(late) => panic!("{late}: no end of {body}"),
        }
    }
}

struct Random(fastrand::Rng);

impl Random {
    fn task(&mut self) -> Value {
        let lengths = [0, 1, 20, 200, 20_000];
        let texts: Vec<String> = (0..self.0.usize(0..12))
            .map(|_| {
                let length = lengths[self.0.usize(0..lengths.len())];
                self.text(length)
            })
            .collect();
        let priority = self.pick(&[json!("interactive"), json!("api"), json!("background")]);
        if self.0.u8(..) < 30 {
            let query = self.text(20);
            return json!({ "kind": "rerank", "value": { "query": query, "documents": texts, "priority": priority } });
        }
        let pooling = self.pick(&[
            json!(null),
            json!("mean"),
            json!("cls"),
            json!("last"),
            json!("rank"),
        ]);
        let long = self.pick(&[json!("split"), json!("truncate"), json!("refuse")]);
        json!({ "kind": "embed", "value": {
            "inputs": texts, "normalize": self.0.bool(), "pooling": pooling, "long": long, "priority": priority,
        } })
    }

    fn request(&mut self) -> Value {
        let mut body = json!({
            "prompt": self.prompt(),
            "sampling": self.sampling(),
            "max_tokens": self.pick(&[json!(1), json!(3), json!(12), json!(null), json!(0), json!(u32::MAX), json!(-1)]),
            "stop": self.stops(),
            "ignore_eos": self.0.bool(),
            "priority": self.pick(&[json!("interactive"), json!("api"), json!("background")]),
            "overflow": self.pick(&[json!("refuse"), json!("cut")]),
            "shift": self.0.bool(),
            "read_ahead": self.0.u8(..) < 30,
            "parse": self.0.bool(),
            "conversation": self.pick(&[json!(null), json!("a"), json!(""), json!("../../etc/passwd")]),
        });
        // Endless answers would be what takes the time.
        if body["max_tokens"].is_null() || body["max_tokens"] == json!(u32::MAX) {
            body["stop"] = json!(["e", " "]);
        }
        if self.0.u8(..) < 90 {
            body["constraint"] = self.constraint();
            body["max_tokens"] = json!(self.0.u32(1..20));
        }
        if self.0.u8(..) < 60 {
            body["tools"] = json!([{ "name": self.text(12), "description": self.text(40), "parameters": self.schema(3) }]);
            body["tool_choice"] = self.pick(&[
                json!("auto"),
                json!("none"),
                json!("required"),
                json!({ "named": "x" }),
            ]);
            body["max_tokens"] = json!(self.0.u32(1..20));
        }
        body
    }

    fn prompt(&mut self) -> Value {
        let length = self
            .pick(&[json!(0), json!(1), json!(20), json!(200), json!(3000)])
            .as_u64()
            .unwrap_or_default() as usize;
        if self.0.bool() {
            return json!({ "kind": "text", "value": self.text(length) });
        }
        let roles = ["system", "user", "assistant", "tool"];
        let messages: Vec<Value> = (0..self.0.usize(0..6))
            .map(|_| json!({ "role": roles[self.0.usize(0..4)], "content": self.text(length) }))
            .collect();
        json!({ "kind": "chat", "value": messages })
    }

    fn text(&mut self, length: usize) -> String {
        let parts = [
            "word ",
            "<|im_start|>",
            "<|im_end|>",
            "\0",
            "é",
            "漢字",
            "👩‍👩‍👧‍👦",
            "\u{202e}",
            "\u{fffd}",
            "\n",
            "\\u0000",
            "{{ 1 }}",
            "{% for %}",
            "<think>",
            "</think>",
            "<tool_call>",
            "[TOOL_CALLS]",
            "aaaaaaaaaaaaaaaa",
            "        ",
            "\u{e000}",
            "ﷺ",
        ];
        let mut text = String::new();
        while text.len() < length {
            text.push_str(parts[self.0.usize(0..parts.len())]);
        }
        text
    }

    fn sampling(&mut self) -> Value {
        let mut number = |usual: f64| {
            let odd = [0.0, 1.0, -1.0, 1e-30, 1e30, 2.0, 0.5, f64::from(f32::MAX)];
            let at = self.0.usize(0..3 * odd.len());
            json!(odd.get(at).copied().unwrap_or(usual))
        };
        json!({
            "temperature": number(0.7), "top_p": number(0.9), "min_p": number(0.05), "typical_p": number(1.0),
            "repeat_penalty": number(1.1), "presence_penalty": number(0.0), "frequency_penalty": number(0.0),
            "top_k": self.pick(&[json!(0), json!(1), json!(40), json!(1_000_000), json!(u32::MAX)]),
            "repeat_last_n": self.pick(&[json!(0), json!(64), json!(65_536), json!(u32::MAX)]),
            "seed": self.pick(&[json!(null), json!(0), json!(u32::MAX)]),
        })
    }

    fn stops(&mut self) -> Value {
        let stops: Vec<String> = (0..self.0.usize(0..4)).map(|_| self.text(3)).collect();
        self.pick(&[json!([]), json!(stops), json!([""]), json!(vec!["x"; 100])])
    }

    fn constraint(&mut self) -> Value {
        let text = self.text(30);
        let schema = self.schema(4);
        self.pick(&[
            json!({ "kind": "json_object" }),
            json!({ "kind": "json_schema", "value": schema }),
            json!({ "kind": "gbnf", "value": text }),
            json!({ "kind": "gbnf", "value": "root ::= \"a\" root | \"b\"" }),
            json!({ "kind": "gbnf", "value": "root ::= root" }),
            json!({ "kind": "regex", "value": "(a|b)*c{1,5}" }),
            json!({ "kind": "regex", "value": "(((((a*)*)*)*)*)*" }),
            json!({ "kind": "regex", "value": text }),
        ])
    }

    fn schema(&mut self, depth: usize) -> Value {
        let inner = if depth == 0 {
            json!(true)
        } else {
            self.schema(depth - 1)
        };
        let text = self.text(8);
        self.pick(&[
            json!({ "type": "object", "properties": { text.clone(): inner.clone() }, "required": [text] }),
            json!({ "type": "array", "items": inner, "minItems": 2, "maxItems": 1 }),
            json!({ "type": "string", "pattern": "^(a+)+$", "maxLength": 3 }),
            json!({ "anyOf": [inner.clone(), { "not": inner }] }),
            json!({ "$ref": "#" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "enum": [] }),
            json!({ "type": "integer", "minimum": 5, "maximum": 1 }),
            json!({ "type": 7 }),
            json!(false),
            json!("text"),
            json!({}),
        ])
    }

    fn limits(&mut self) -> Limits {
        Limits {
            threads: self.0.bool().then(|| self.0.u32(0..4)),
            duty: [1.0, 0.5, 0.0, -1.0, f32::NAN][self.0.usize(0..5)],
            step_ms: [0, 20, 100, u32::MAX][self.0.usize(0..4)],
            slots: self.0.bool().then(|| self.0.u32(0..20)),
            background: true,
        }
    }

    fn pick(&mut self, from: &[Value]) -> Value {
        from[self.0.usize(0..from.len())].clone()
    }
}
