"""A thousand JSON schemas and more of rising strangeness: what broke a compiler of grammars before, or could."""

SIZES = 27


def schemas():
    """Each with its name: every family in every size."""
    for family in (plain, references, contradictions, wrong, bombs):
        for n in range(SIZES):
            for name, schema in family(n):
                yield f"{name} {n}", schema


def nested(depth, wrap):
    schema = {"type": "integer"}
    for _ in range(depth):
        schema = wrap(schema)
    return schema


def array_of(schema):
    return {"type": "array", "items": schema}


def plain(n):
    yield "objects in objects", nested(n, lambda inner: {"type": "object", "properties": {"a": inner}, "required": ["a"]})
    yield "arrays in arrays", nested(n, array_of)
    yield "many fields", {"type": "object", "properties": {f'field {i} é\U0001f600\n"\\': {"type": ["string", "null"]} for i in range(n * 8)}}
    yield "large enum", {"enum": [f"value-{i}-ß" for i in range(n * 200)]}
    yield "prefix items", {"type": "array", "prefixItems": [{"type": "number"}] * (n * 3 + 1), "items": False}
    yield "bounds", {"type": "string", "minLength": n * 10, "maxLength": n * 1000}
    yield "numbers", {"type": "number", "minimum": -n * 1.1, "exclusiveMaximum": 10.0**n, "multipleOf": 0.01}
    yield "constants", {"const": {"a": [None, True, n, "\x00\x7f\uffff"], "b": {"": {}}}}


def references(n):
    def link(to):
        return {"type": "object", "properties": {"next": {"$ref": f"#/$defs/d{to}"}, "v": {"type": "integer"}}, "required": ["v"]}

    yield "ring of references", {"$ref": "#/$defs/d0", "$defs": {f"d{i}": link((i + 1) % (n + 1)) for i in range(n + 1)}}
    yield "reference to itself", {"$ref": "#"}
    yield "references only", {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    yield "unknown reference", {"$ref": f"#/$defs/{n}"}
    yield "outside reference", {"$ref": f"https://example.com/{n}.json"}
    yield "file reference", {"$ref": "file:///etc/passwd"}
    yield "tree", {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}, "maxItems": n}}}


def contradictions(n):
    yield "all of", {"allOf": [{"properties": {f"p{i}": {"type": "string"}}, "required": [f"p{i}"]} for i in range(n)]}
    yield "any of types", {"anyOf": [nested(i % 6, array_of) for i in range(n)]}
    yield "one of", {"oneOf": [{"properties": {"kind": {"const": i}}, "required": ["kind"]} for i in range(n)]}
    yield "crossed any of", {"allOf": [{"anyOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(n % 14)]}
    yield "string and number", {"allOf": [{"type": "string"}, {"type": "number", "minimum": n}]}
    yield "required but forbidden", {"type": "object", "required": [f"r{n}"], "additionalProperties": False}
    yield "short and long", {"type": "string", "minLength": n + 1, "maxLength": n}
    yield "pattern against const", {"const": "a", "pattern": f"^b{{{n}}}$"}


ODD = [None, 7, "x", [], [{}], {}, True, -1.5]
KEYWORDS = [
    "type", "properties", "required", "items", "enum", "pattern", "minLength", "allOf", "$ref", "$defs", "format", "multipleOf",
    "x-guidance", "$schema", "$id", "maxItems", "patternProperties", "additionalProperties",
]  # fmt: skip


def wrong(n):
    word = KEYWORDS[n % len(KEYWORDS)]
    for i in range(n % 4, len(ODD), 2):
        yield f"{word} is odd {i}", {"type": "object", word: ODD[i]}
    yield "unknown keyword", {f"keyword-{n}": n}
    yield "not", {"not": {"type": "string"}}
    yield "if", {"if": {"type": "string"}, "then": {"maxLength": n}}
    yield "guidance", {"type": "string", "x-guidance": {"lenient": True, "whitespace_pattern": "("}}
    yield "dollar id", {"$id": "http://[", "type": "string"}


def bombs(n):
    def pattern(text):
        return {"type": "string", "pattern": text}

    yield "nested stars", pattern("^" + "(" * n + "a" + ")*" * n + "$")
    # Beyond 361 the validator gives up.
    yield "counted", pattern(f"^(a{{1,{n * 13 + 1}}}){{1,{n * 13 + 1}}}$")
    yield "exponential", pattern(f"^(a|b)*a(a|b){{{n}}}$")
    yield "unicode", pattern(f"^\\p{{L}}{{{n}}}[^\\p{{Greek}}]+$")
    yield "look", pattern("(?=a)b(?<!c)\\1")
    yield "alternatives", pattern("|".join(f"x{i}y" for i in range(n * 50)))
    yield (
        "pattern fields",
        {"type": "object", "patternProperties": {f"^a{{{n}}}": {"type": "string"}, "b$": {"type": "number"}}, "additionalProperties": {"type": "null"}},
    )
    yield "many items", {"type": "array", "items": {"type": "string", "maxLength": 50}, "minItems": n * 100, "maxItems": n * 1000}
    yield "format", {"type": "string", "format": ["date-time", "uuid", "email", "ipv6", "frog", "regex"][n % 6]}
    yield "many required", {"type": "object", "minProperties": n, "maxProperties": n * 3}
