//! Every call style of the dialect on the fake engine, as golden JSON, and a table of bad requests.

mod bad;
mod golden;

use serde_json::{Value, json};

/// Puts words in the place of what differs from run to run.
fn scrub(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(scrub),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match key.as_str() {
                    "id" | "call_id" | "item_id" if value.is_string() => {
                        // Ids keep their prefix, which clients look at.
                        let text = value.as_str().unwrap_or_default();
                        let end = text.find(['-', '_']).map_or(0, |at| at + 1);
                        *value = format!("{}…", &text[..end]).into();
                    }
                    "created" | "created_at" => *value = "time".into(),
                    "timings" => *value = "figures".into(),
                    _ => scrub(value),
                }
            }
        }
        _ => {}
    }
}

/// The `data:` events of a stream. How the text was cut into events depends on time, so text that follows text is joined.
fn events(text: &str) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let mut event = serde_json::from_str(data).unwrap_or_else(|_| json!(data));
        scrub(&mut event);
        if !events.last_mut().is_some_and(|last| join(last, &event)) {
            events.push(event);
        }
    }
    events
}

/// Appends the text of `next` to `last` when they are alike apart from it.
fn join(last: &mut Value, next: &Value) -> bool {
    for pointer in [
        "/choices/0/delta/content",
        "/choices/0/delta/reasoning_content",
        "/choices/0/delta/tool_calls/0/function/arguments",
        "/choices/0/text",
        "/delta",
    ] {
        let (Some(Value::String(old)), Some(Value::String(new))) =
            (last.pointer(pointer), next.pointer(pointer))
        else {
            continue;
        };
        if old.is_empty() || new.is_empty() {
            return false;
        }
        let both = format!("{old}{new}");
        let mut same = next.clone();
        for (value, text) in [(&mut *last, both.clone()), (&mut same, both)] {
            if let Some(place) = value.pointer_mut(pointer) {
                *place = text.into();
            }
            if let Some(number) = value.get_mut("sequence_number") {
                *number = "joined".into();
            }
        }
        assert_eq!(*last, same);
        return true;
    }
    false
}
