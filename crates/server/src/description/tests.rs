//! The description against the router itself, and as golden files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::description;
use crate::state::ServerState;
use crate::testing::TestServer;

/// Answer whatever is not there; no routes of their own. The second is axum's own.
const CATCH_ALL: [&str; 2] = ["/api/{*rest}", "/{*__private__axum_fallback}"];

fn described() -> Value {
    let mut description = serde_json::to_value(description()).unwrap();
    description["info"]["version"] = "version".into();
    description
}

/// In the order of the letters, which does not depend on how maps are built.
fn sorted(value: &Value) -> BTreeMap<&String, &Value> {
    value.as_object().unwrap().iter().collect()
}

#[test]
fn the_description_is_the_agreed_one() {
    let description = described();
    let paths = sorted(&description["paths"]);
    let mut operations = Vec::new();
    for (path, item) in &paths {
        for (method, operation) in sorted(item) {
            let responses = sorted(&operation["responses"]);
            let responses: Vec<&str> = responses.keys().map(|status| status.as_str()).collect();
            operations.push(format!("{method} {path}: {}", responses.join(", ")));
        }
    }
    insta::assert_json_snapshot!("operations", operations);
    insta::assert_json_snapshot!("chat", paths[&"/v1/chat/completions".to_owned()]);
    let schemas = sorted(&description["components"]["schemas"]);
    let schemas: Vec<&&String> = schemas.keys().collect();
    insta::assert_json_snapshot!("schemas", schemas);
    insta::assert_json_snapshot!("security", description["security"]);
}

#[test]
fn every_operation_has_a_name_of_its_own_and_every_reference_leads_somewhere() {
    let description = described();
    let mut names = BTreeSet::new();
    for (path, item) in sorted(&description["paths"]) {
        for (method, operation) in sorted(item) {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{method} {path}: {name}");
            let success = &operation["responses"]["200"];
            let is_described = success.is_null() || success["content"].is_object();
            // What is done says so by its status alone.
            let is_empty = ["/api/delete", "/api/copy"].contains(&path.as_str());
            assert!(is_described != is_empty, "{method} {path}");
        }
    }
    let text = description.to_string();
    for (at, _) in text.match_indices("\"$ref\":\"#") {
        let pointer = text[at + 9..].split('"').next().unwrap();
        assert!(description.pointer(pointer).is_some(), "{pointer}");
    }
}

/// The paths that a router knows. Only its debug output tells them.
fn routed(router: &axum::Router) -> BTreeSet<String> {
    let shown = format!("{router:?}");
    let mut routed = BTreeSet::new();
    for piece in shown.split("RouteId(").skip(1) {
        let path = piece.split_once("): \"").and_then(|(number, rest)| {
            let is_number = number.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| rest.split('"').next()).flatten()
        });
        routed.extend(path.map(str::to_owned));
    }
    routed
}

#[tokio::test]
async fn what_is_routed_is_described_and_the_other_way_round() {
    let server = TestServer::start();
    let routes = crate::routes::routes(ServerState::new(server.app.clone()))
        .merge(crate::loaded::routes(server.app.clone()))
        .merge(crate::moments::routes(server.app.clone()));
    let mut routed = routed(&routes);
    for path in CATCH_ALL {
        assert!(routed.remove(path), "{path} of {routed:?}");
    }
    // In a description a path has no wildcards.
    let routed: BTreeSet<String> = routed.iter().map(|path| path.replace("{*", "{")).collect();
    let description = described();
    let described: BTreeSet<String> = sorted(&description["paths"]).into_keys().cloned().collect();
    assert_eq!(routed, described);
    for (path, item) in sorted(&description["paths"]) {
        for method in sorted(item).into_keys() {
            let path = path
                .replace("{id}", "starter")
                .replace("{model}", "starter");
            let response = server.send(&method.to_uppercase(), &path, "{}").await;
            let status = response.status().as_u16();
            let is_there = match path.as_str() {
                "/hearth/v1/loaded/starter" => status == 404,
                // Nothing watches the machine in these tests.
                "/hearth/v1/moment" | "/hearth/v1/moments" => status == 503,
                _ => [200, 400, 501].contains(&status),
            };
            assert!(is_there, "{method} {path}: {status}");
        }
    }
}
