//! The language of a grammar, before and after: what llguidance takes is what GBNF means.

use std::sync::OnceLock;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::ApproximateTokEnv;
use llguidance::{Matcher, ParserFactory};
use proptest::prelude::*;

use super::*;

const JSON: &str = r#"root ::= object
value ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}"#;

const SUMS: &str = r#"root ::= (expr "=" ws term "\n")+
expr ::= term ([-+*/] term)*
term ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num ::= [0-9]+ ws
ws ::= [ \t\n]*"#;

/// A grammar, compiled for a vocabulary of single bytes.
fn language(lark: &str) -> Matcher {
    static FACTORY: OnceLock<ParserFactory> = OnceLock::new();
    let factory = FACTORY.get_or_init(|| {
        let env = ApproximateTokEnv::single_byte_env();
        let mut factory = ParserFactory::new_simple(&env).unwrap();
        factory.quiet();
        factory
    });
    let parser = factory.create_parser(TopLevelGrammar::from_lark(lark.to_owned()));
    let matcher = Matcher::new(parser);
    assert_eq!(matcher.get_error(), None, "{lark}");
    matcher
}

/// Whether all of a text is taken and may end there.
fn accepts(language: &Matcher, text: &str) -> bool {
    let mut matcher = language.deep_clone();
    let tokens: Vec<u32> = text.bytes().map(u32::from).collect();
    let taken = matcher.try_consume_tokens(&tokens).unwrap();
    taken == tokens.len() && (matcher.is_stopped() || matcher.is_accepting().unwrap())
}

fn lark_of(gbnf: &str) -> String {
    let rules = to_lark(&parse(gbnf).unwrap());
    format!("start: {ROOT}\n{}", rules.join("\n"))
}

fn check(gbnf: &str, inside: &[&str], outside: &[&str]) {
    let lark = lark_of(gbnf);
    let language = language(&lark);
    for text in inside {
        assert!(
            accepts(&language, text),
            "{text:?} is in the language\n{lark}"
        );
    }
    for text in outside {
        assert!(
            !accepts(&language, text),
            "{text:?} is not in the language\n{lark}"
        );
    }
}

#[test]
fn json_by_grammar() {
    check(
        JSON,
        &[
            "{}",
            "{\"a\":1}",
            "{\"a\": [true, {\"b\\u00e9\": -1.5e+3}, \"ü\"]}",
            "{ \"a\":\n  null }",
        ],
        &[
            "",
            "[]",
            "{\"a\"}",
            "{\"a\":01}",
            "{\"a\":\"\n\"}",
            "{\"a\":tru}",
            "{}}",
        ],
    );
    // Inside strings a grammar by characters is slow, so their repetition has to be within a lexeme.
    let lark = lark_of(JSON);
    let inside = |l: &&str| l.starts_with('N') && l.ends_with('*');
    assert!(lark.lines().any(|l| inside(&l)), "{lark}");
}

#[test]
fn a_lexeme_that_would_swallow_what_follows_is_taken_apart() {
    check(
        SUMS,
        &["1=2\n", "a +(b*2) = 3\n\nx=y\n", "1 = 2\n\n\n"],
        &["1=2", "=\n", "1==2\n", "(1=2\n"],
    );
    check(
        "root ::= \"ab\" \"x\" | \"a\" \"by\"",
        &["abx", "aby"],
        &["ab", "ax"],
    );
    check(
        "root ::= [a-z]* \"end\" [a-z]*",
        &["end", "enend", "xendx"],
        &["en", ""],
    );
    check(
        "root ::= s\ns ::= \"a\" s \"a\" | \"a\"",
        &["a", "aaa", "aaaaa"],
        &["aa", ""],
    );
    check("root ::= root \"a\" | \"b\"", &["b", "baa"], &["a", "bb"]);
    check("root ::= ([é-ü] .){2}", &["éxüy"], &["éx", "exüy"]);
    check(
        "root ::= \"x\"{0} \"y\"{2,3} z?\nz ::= \"\" | \"z\" z",
        &["yy", "yyyzz"],
        &["xyy", "y"],
    );
}

/// Small grammars over three letters, with recursion.
fn grammars() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("\"a\"".to_owned()),
        Just("\"b\"".to_owned()),
        Just("\"ab\"".to_owned()),
        Just("[ab]".to_owned()),
        Just("[^a]".to_owned()),
        Just("\"\"".to_owned()),
    ];
    let item = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(|v| v.join(" ")),
            proptest::collection::vec(inner.clone(), 2..3)
                .prop_map(|v| format!("({})", v.join(" | "))),
            (inner, 0..4_usize)
                .prop_map(|(i, op)| format!("({i}){}", ["*", "+", "?", "{1,2}"][op])),
        ]
    });
    proptest::collection::vec(item, 5).prop_map(|i| {
        // The recursion makes the parts round it separate; the last branch is a way out of it.
        format!(
            "root ::= ({}) s ({})\ns ::= ({}) s ({}) | {} | \"c\"",
            i[0], i[1], i[2], i[3], i[4]
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Lexemes change nothing: every text is taken or refused as it is when the grammar goes by characters.
    #[test]
    fn lexemes_do_not_change_the_language(gbnf in grammars(), seeds in proptest::collection::vec(any::<u64>(), 8)) {
        let grammar = parse(&gbnf).unwrap();
        let single: Vec<bool> = grammar.nodes.iter().map(|n| matches!(n, Node::Char(_))).collect();
        let exact = format!("start: {ROOT}\n{}", lark::with_lexemes(&grammar, &single).join("\n"));
        let quick = format!("start: {ROOT}\n{}", to_lark(&grammar).join("\n"));
        let (by_chars, by_lexemes) = (language(&exact), language(&quick));
        for seed in seeds {
            let text = walk(&by_chars, seed);
            for end in 0..=text.len() {
                let text = &text[..end];
                prop_assert_eq!(accepts(&by_chars, text), accepts(&by_lexemes, text), "{} in\n{}\n{}", text, gbnf, quick);
            }
        }
    }
}

/// A random text that the grammar lets through, complete or not. Texts that are not made from the grammar are mostly refused,
/// and show nothing.
fn walk(language: &Matcher, seed: u64) -> String {
    let mut matcher = language.deep_clone();
    let (mut text, mut random) = (String::new(), seed);
    for _ in 0..8 {
        let Ok(mask) = matcher.compute_mask() else {
            break;
        };
        let allowed: Vec<char> = ('a'..='c').filter(|c| mask.is_allowed(*c as u32)).collect();
        if allowed.is_empty() {
            break;
        }
        let c = allowed[(random % allowed.len() as u64) as usize];
        random /= 3;
        text.push(c);
        matcher.consume_token(c as u32).unwrap();
        if matcher.is_stopped() {
            break;
        }
    }
    text
}
