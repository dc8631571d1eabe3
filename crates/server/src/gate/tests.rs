//! The gate against a reference that is written as the rules are read, over every combination of what a request may carry.

use std::collections::BTreeSet;
use std::fmt::Write;

use axum::http::HeaderName;
use hearth_app::inference::FakeEngines;
use hearth_app::keys::{MemorySecrets, Scope};
use hearth_app::paths::Paths;
use hearth_app::{App, Options};

use super::*;

mod every_route;

const PORT: u16 = 8100;
const LAN_IP: [u8; 4] = [192, 168, 1, 5];
const LISTED: &str = "https://app.example";

/// A value of an axis: its name in the golden file, and what is sent.
type Value = (&'static str, Option<&'static str>);

const HOSTS: [Value; 14] = [
    ("ipv4", Some("127.0.0.1:8100")),
    ("localhost", Some("LocalHost:8100")),
    ("ipv6", Some("[::1]:8100")),
    ("lan-ip", Some("192.168.1.5:8100")),
    ("listed-name", Some("mac.local:8100")),
    ("absent", None),
    ("empty", Some("")),
    ("no-port", Some("localhost")),
    ("other-port", Some("localhost:80")),
    ("signed-port", Some("localhost:+8100")),
    ("rebound-name", Some("evil.example:8100")),
    ("prefix-trick", Some("127.0.0.1.evil.example:8100")),
    ("user-trick", Some("localhost:8100@evil.example")),
    ("other-lan-ip", Some("192.168.1.6:8100")),
];
const ORIGINS: [Value; 6] = [
    ("none", None),
    ("listed", Some(LISTED)),
    ("unlisted", Some("https://evil.example")),
    ("suffix", Some("https://app.example.evil.example")),
    ("null", Some("null")),
    ("file", Some("file://")),
];
const SITES: [Value; 5] = [
    ("absent", None),
    ("none", Some("none")),
    ("same-origin", Some("same-origin")),
    ("same-site", Some("same-site")),
    ("cross-site", Some("cross-site")),
];
const TYPES: [Value; 4] = [
    ("absent", None),
    ("json", Some("application/json; charset=utf-8")),
    ("text", Some("text/plain")),
    ("form", Some("multipart/form-data; boundary=x")),
];
const KEYS: [&str; 4] = ["absent", "good", "admin", "wrong"];
const METHODS: [&str; 4] = ["GET", "POST", "OPTIONS", "PREFLIGHT"];
const ROUTES: [&str; 5] = [
    "/v1/chat/completions",
    "/health",
    "/api/pull",
    "/metrics",
    "/nowhere",
];
/// Name, and whether the local network and keys are on.
const BINDS: [(&str, bool, bool); 3] = [
    ("loopback", false, false),
    ("loopback+key", false, true),
    ("lan+key", true, true),
];

/// One request in words.
struct Case {
    bind: (&'static str, bool, bool),
    host: Value,
    origin: Value,
    site: Value,
    kind: Value,
    key: &'static str,
    method: &'static str,
    route: &'static str,
}

/// The rules as they are read: the answer, and the axes that it took to know it.
fn expected(case: &Case) -> (&'static str, Vec<&'static str>) {
    let Case {
        host,
        origin,
        site,
        kind,
        key,
        method,
        route,
        ..
    } = case;
    let (bind, lan, keyed) = case.bind;
    // Values that are treated alike have one row.
    let mut seen = vec![bind];
    let is_ours = matches!(host.0, "ipv4" | "localhost" | "ipv6" | "listed-name")
        || lan && host.0 == "lan-ip";
    if !is_ours {
        seen.push(host.0);
        return ("403 host", seen);
    }
    seen.push("own host");
    if !matches!(origin.0, "none" | "listed") {
        seen.push(origin.0);
        return ("403 page", seen);
    }
    seen.extend([origin.0, site.0]);
    let foreign_site = matches!(site.0, "same-site" | "cross-site");
    if foreign_site && origin.0 == "none" {
        return ("403 page", seen);
    }
    seen.push(method);
    let from_browser = origin.0 != "none" || site.0 != "absent";
    if from_browser && *method == "POST" {
        seen.push(kind.0);
        if kind.0 != "json" {
            return ("415", seen);
        }
    }
    if *method == "PREFLIGHT" && origin.0 == "listed" {
        return ("204", seen);
    }
    if !keyed {
        return ("pass", seen);
    }
    seen.extend([*route, *key]);
    let open = *route == "/health" && *method == "GET";
    let good_for = !matches!(*route, "/api/pull" | "/metrics");
    let outcome = match *key {
        _ if open => "pass",
        "absent" | "wrong" => "401",
        "good" if !good_for => "403 scope",
        _ => "pass",
    };
    (outcome, seen)
}

struct Fixture {
    gates: Vec<Gate>,
    good: String,
    admin: String,
    _home: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let home = tempfile::tempdir().unwrap();
    let app = App::open(Options {
        paths: Paths::under(home.path()),
        engines: Arc::new(FakeEngines { in_child: false }),
    });
    let keys = app.open_keys(Arc::<MemorySecrets>::default());
    let good = keys.create("good", vec![Scope::Inference]).await.unwrap();
    let admin = keys.create("admin", vec![Scope::Admin]).await.unwrap();
    let gates = BINDS.map(|(_, lan, keyed)| {
        Gate::with(Rules {
            ports: vec![PORT],
            lan,
            hosts: vec!["mac.local".into()],
            origins: vec![LISTED.into()],
            keys: keyed.then(|| keys.clone()),
        })
    });
    Fixture {
        gates: gates.into(),
        good: good.secret,
        admin: admin.secret,
        _home: home,
    }
}

fn decided(fixture: &Fixture, at: usize, case: &Case, number: usize) -> &'static str {
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: Option<&str>| {
        if let Some(value) = value {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
    };
    put("host", case.host.1);
    put("origin", case.origin.1);
    put("sec-fetch-site", case.site.1);
    put("content-type", case.kind.1);
    let key = match case.key {
        "good" => Some(fixture.good.as_str()),
        "admin" => Some(fixture.admin.as_str()),
        "wrong" => Some("hearth-0000"),
        _ => None,
    };
    // Each of the three places in turn.
    let bearer = key.map(|key| format!("Bearer {key}"));
    match number % 3 {
        0 => put("authorization", bearer.as_deref()),
        1 => put("x-api-key", key),
        _ => put("api-key", key),
    }
    let method = match case.method {
        "PREFLIGHT" => {
            put("access-control-request-method", Some("POST"));
            Method::OPTIONS
        }
        name => name.parse().unwrap(),
    };
    // Every request from another address, so that no wrong key has to wait.
    let peer = IpAddr::from((0x0a00_0000 + number as u32).to_be_bytes());
    let connection = Connection {
        peer: SocketAddr::new(peer, 50_000),
        local: SocketAddr::from((LAN_IP, PORT)),
    };
    let gate = &fixture.gates[at];
    match gate.decide(
        &method,
        case.route,
        &headers,
        Some(connection),
        Instant::now(),
    ) {
        Outcome::Pass => "pass",
        Outcome::Preflight => "204",
        Outcome::Refuse(refused) => match (refused.status.as_u16(), refused.reason) {
            (401, _) => "401",
            (415, _) => "415",
            (403, reason) if reason.contains("Host") => "403 host",
            (403, reason) if reason.contains("API key") => "403 scope",
            (403, _) => "403 page",
            (_, reason) => panic!("{reason}"),
        },
    }
}

fn cases(at: usize) -> impl Iterator<Item = Case> {
    let count = HOSTS.len() * ORIGINS.len() * SITES.len() * TYPES.len();
    let count = count * KEYS.len() * METHODS.len() * ROUTES.len();
    (0..count).map(move |mut n| {
        let mut take = |size: usize| {
            let index = n % size;
            n /= size;
            index
        };
        Case {
            bind: BINDS[at],
            host: HOSTS[take(HOSTS.len())],
            origin: ORIGINS[take(ORIGINS.len())],
            site: SITES[take(SITES.len())],
            kind: TYPES[take(TYPES.len())],
            key: KEYS[take(KEYS.len())],
            method: METHODS[take(METHODS.len())],
            route: ROUTES[take(ROUTES.len())],
        }
    })
}

#[tokio::test]
async fn every_combination_is_decided_as_the_rules_say() {
    let fixture = fixture().await;
    let mut rows = BTreeSet::new();
    let mut number = 0;
    for at in 0..BINDS.len() {
        for case in cases(at) {
            let (outcome, seen) = expected(&case);
            let row = format!("{} -> {outcome}", seen.join(" | "));
            assert_eq!(decided(&fixture, at, &case, number), outcome, "{row}");
            rows.insert(row);
            number += 1;
        }
    }
    assert!(number >= 2_000, "{number}");
    let mut golden = format!("{number} combinations, {} rows\n", rows.len());
    for row in rows {
        writeln!(golden, "{row}").unwrap();
    }
    insta::assert_snapshot!("gate", golden);
}

#[test]
fn a_header_that_comes_twice_is_refused() {
    let gate = Gate::new(PORT);
    for (name, value) in [("host", "localhost:8100"), ("origin", LISTED)] {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "localhost:8100".parse().unwrap());
        headers.append(HeaderName::from_static(name), value.parse().unwrap());
        headers.append(HeaderName::from_static(name), value.parse().unwrap());
        let outcome = gate.decide(&Method::GET, "/", &headers, None, Instant::now());
        assert!(matches!(outcome, Outcome::Refuse(_)), "{name}");
    }
}

#[tokio::test]
async fn wrong_keys_have_to_wait() {
    let fixture = fixture().await;
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, "localhost:8100".parse().unwrap());
    headers.insert("x-api-key", "hearth-wrong".parse().unwrap());
    let now = Instant::now();
    let statuses: Vec<u16> = (0..7)
        .map(
            |_| match fixture.gates[1].decide(&Method::GET, "/v1/models", &headers, None, now) {
                Outcome::Refuse(refused) => {
                    assert_eq!(refused.status == 429, refused.retry_after_s.is_some());
                    refused.status.as_u16()
                }
                outcome => panic!("{outcome:?}"),
            },
        )
        .collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
    headers.insert("x-api-key", fixture.good.parse().unwrap());
    let outcome = fixture.gates[1].decide(&Method::GET, "/v1/models", &headers, None, now);
    assert_eq!(outcome, Outcome::Pass);
}
