//! A thousand schemas and more of rising strangeness: each compiles or is refused with a reason, in time.

use super::*;

/// Schemas that have broken, or could break, a compiler: by family and size.
fn schemas() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for n in 0..27_usize {
        families(n, &mut |name, schema| {
            all.push((format!("{name} {n}"), schema))
        });
    }
    all
}

fn families(n: usize, add: &mut dyn FnMut(&str, Value)) {
    plain(n, add);
    references(n, add);
    contradictions(n, add);
    wrong(n, add);
    bombs(n, add);
}

fn nested(depth: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..depth).fold(json!({ "type": "integer" }), |inner, _| wrap(inner))
}

fn plain(n: usize, add: &mut dyn FnMut(&str, Value)) {
    add(
        "objects in objects",
        nested(
            n,
            |s| json!({ "type": "object", "properties": { "a": s }, "required": ["a"] }),
        ),
    );
    add(
        "arrays in arrays",
        nested(n, |s| json!({ "type": "array", "items": s })),
    );
    let properties: serde_json::Map<String, Value> = (0..n * 8)
        .map(|i| {
            (
                format!("field {i} é\u{1F600}\n\"\\"),
                json!({ "type": ["string", "null"] }),
            )
        })
        .collect();
    add(
        "many fields",
        json!({ "type": "object", "properties": properties }),
    );
    add(
        "large enum",
        json!({ "enum": (0..n * 200).map(|i| format!("value-{i}-ß")).collect::<Vec<_>>() }),
    );
    add(
        "prefix items",
        json!({ "type": "array", "prefixItems": vec![json!({ "type": "number" }); n * 3], "items": false }),
    );
    add(
        "bounds",
        json!({ "type": "string", "minLength": n * 10, "maxLength": n * 1000 }),
    );
    add(
        "numbers",
        json!({ "type": "number", "minimum": -(n as f64) * 1.1, "exclusiveMaximum": 10_f64.powi(n as i32), "multipleOf": 0.01 }),
    );
    add(
        "constants",
        json!({ "const": { "a": [null, true, n, "\u{0}\u{7f}\u{ffff}"], "b": { "": {} } } }),
    );
}

fn references(n: usize, add: &mut dyn FnMut(&str, Value)) {
    let mut definitions = serde_json::Map::new();
    for i in 0..=n {
        let next = format!("#/$defs/d{}", (i + 1) % (n + 1));
        definitions.insert(
            format!("d{i}"),
            json!({ "type": "object", "properties": { "next": { "$ref": next }, "v": { "type": "integer" } }, "required": ["v"] }),
        );
    }
    add(
        "ring of references",
        json!({ "$ref": "#/$defs/d0", "$defs": definitions.clone() }),
    );
    add("reference to itself", json!({ "$ref": "#" }));
    add(
        "references only",
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } }),
    );
    add(
        "unknown reference",
        json!({ "$ref": format!("#/$defs/{n}") }),
    );
    add(
        "outside reference",
        json!({ "$ref": format!("https://example.com/{n}.json") }),
    );
    add("file reference", json!({ "$ref": "file:///etc/passwd" }));
    add(
        "tree",
        json!({ "type": "object", "properties": { "children": { "type": "array", "items": { "$ref": "#" }, "maxItems": n } } }),
    );
}

fn contradictions(n: usize, add: &mut dyn FnMut(&str, Value)) {
    add(
        "all of",
        json!({ "allOf": (0..n).map(|i| json!({ "properties": { format!("p{i}"): { "type": "string" } }, "required": [format!("p{i}")] })).collect::<Vec<_>>() }),
    );
    add(
        "any of types",
        json!({ "anyOf": (0..n).map(|i| nested(i % 6, |s| json!({ "type": "array", "items": s }))).collect::<Vec<_>>() }),
    );
    add(
        "one of",
        json!({ "oneOf": (0..n).map(|i| json!({ "properties": { "kind": { "const": i } }, "required": ["kind"] })).collect::<Vec<_>>() }),
    );
    add(
        "crossed any of",
        json!({ "allOf": (0..n % 14).map(|i| json!({ "anyOf": [{ "required": [format!("a{i}")] }, { "required": [format!("b{i}")] }] })).collect::<Vec<_>>() }),
    );
    add(
        "string and number",
        json!({ "allOf": [{ "type": "string" }, { "type": "number", "minimum": n }] }),
    );
    add(
        "required but forbidden",
        json!({ "type": "object", "required": [format!("r{n}")], "additionalProperties": false }),
    );
    add(
        "short and long",
        json!({ "type": "string", "minLength": n + 1, "maxLength": n }),
    );
    add(
        "pattern against const",
        json!({ "const": "a", "pattern": format!("^b{{{n}}}$") }),
    );
}

fn wrong(n: usize, add: &mut dyn FnMut(&str, Value)) {
    let odd = [
        json!(null),
        json!(n),
        json!("x"),
        json!([]),
        json!([{}]),
        json!({}),
        json!(true),
        json!(-1.5),
    ];
    let words = [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "pattern",
        "minLength",
        "allOf",
        "$ref",
        "$defs",
        "format",
        "multipleOf",
        "x-guidance",
        "$schema",
        "$id",
        "maxItems",
        "patternProperties",
        "additionalProperties",
    ];
    let word = words[n % words.len()];
    for (i, value) in odd.iter().enumerate().skip(n % 4).step_by(2) {
        add(
            &format!("{word} is odd {i}"),
            json!({ "type": "object", word: value }),
        );
    }
    add("unknown keyword", json!({ format!("keyword-{n}"): n }));
    add("not", json!({ "not": { "type": "string" } }));
    add(
        "if",
        json!({ "if": { "type": "string" }, "then": { "maxLength": n } }),
    );
    add(
        "guidance",
        json!({ "type": "string", "x-guidance": { "lenient": true, "whitespace_pattern": "(" } }),
    );
    add("dollar id", json!({ "$id": "http://[", "type": "string" }));
}

fn bombs(n: usize, add: &mut dyn FnMut(&str, Value)) {
    let pattern = |p: String| json!({ "type": "string", "pattern": p });
    add(
        "nested stars",
        pattern(format!("^{}a{}$", "(".repeat(n), ")*".repeat(n))),
    );
    add(
        "counted",
        pattern(format!("^(a{{1,{}}}){{1,{}}}$", n * 20 + 1, n * 20 + 1)),
    );
    add("exponential", pattern(format!("^(a|b)*a(a|b){{{n}}}$")));
    add(
        "unicode",
        pattern(format!("^\\p{{L}}{{{n}}}[^\\p{{Greek}}]+$")),
    );
    add("look", pattern("(?=a)b(?<!c)\\1".into()));
    add(
        "alternatives",
        pattern(
            (0..n * 50)
                .map(|i| format!("x{i}y"))
                .collect::<Vec<_>>()
                .join("|"),
        ),
    );
    add(
        "pattern fields",
        json!({ "type": "object", "patternProperties": { format!("^a{{{n}}}"): { "type": "string" }, "b$": { "type": "number" } }, "additionalProperties": { "type": "null" } }),
    );
    add(
        "many items",
        json!({ "type": "array", "items": { "type": "string", "maxLength": 50 }, "minItems": n * 100, "maxItems": n * 1000 }),
    );
    let format = ["date-time", "uuid", "email", "ipv6", "frog", "regex"][n % 6];
    add("format", json!({ "type": "string", "format": format }));
    add(
        "many required",
        json!({ "type": "object", "minProperties": n, "maxProperties": n * 3 }),
    );
}

#[test]
fn a_thousand_strange_schemas_compile_or_are_refused_in_time() {
    let Some(model) = model() else { return };
    let all = schemas();
    assert!(all.len() >= 1000, "{}", all.len());
    let mut grammars = Grammars::default();
    let (mut compiled, mut refused) = (0, 0);
    let mut slowest = (Duration::ZERO, String::new());
    let mut slowest_mask = (Duration::ZERO, String::new());
    for (name, schema) in all {
        let request = constrained(Constraint::JsonSchema(schema.clone()));
        let began = Instant::now();
        let result = request.validate().and_then(|()| {
            let compiling = grammars.start(&request, &Syntax::default(), model)?;
            compiling.map(Compiling::wait).transpose()
        });
        let took = began.elapsed();
        if took > slowest.0 {
            slowest = (took, name.clone());
        }
        assert!(
            took < COMPILE_LIMIT + Duration::from_secs(2),
            "{name} took {took:?}"
        );
        match result {
            Ok(Some(mut guide)) => {
                compiled += 1;
                // A walk through the grammar: it must not panic and must not be slow.
                for step in 0..20_usize {
                    let began = Instant::now();
                    let Ok(mask) = guide.allowed() else { break };
                    if began.elapsed() > slowest_mask.0 {
                        slowest_mask = (began.elapsed(), name.clone());
                    }
                    let tokens = mask.to_list();
                    let token = tokens[(step * 7919) % tokens.len()];
                    if guide.accept(token as i32).is_err() {
                        break;
                    }
                }
            }
            Ok(None) => panic!("{name}: the answer would be free"),
            Err(Error::InvalidRequest { field, reason }) => {
                refused += 1;
                assert_eq!(field, "json_schema", "{name}");
                assert!(
                    reason.len() > 10 && !reason.contains("panic"),
                    "{name}: {reason}"
                );
            }
            Err(other) => panic!("{name}: {other:?}"),
        }
    }
    println!(
        "{compiled} compiled, {refused} refused, slowest {slowest:?}, slowest mask {slowest_mask:?}"
    );
    assert!(
        compiled > 300 && refused > 300,
        "{compiled} compiled, {refused} refused"
    );
}
