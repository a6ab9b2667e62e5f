//! The OpenAPI document and its page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use tacit::routers::{Policy, routes};

use crate::app::{Home, Setup, Tacit, run};

async fn document(tacit: &Tacit) -> Value {
    let answer = tacit.get("/openapi.json").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    answer.json().await.unwrap()
}

/// Path, method and operation of everything in the document.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            found.push((path.clone(), method.to_uppercase(), operation.clone()));
        }
    }
    found
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_valid_openapi_3_1() {
    let tacit = Tacit::start().await;
    let document = document(&tacit).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(
        (&document["info"]["title"], &document["info"]["version"]),
        (&"Tacit".into(), &env!("CARGO_PKG_VERSION").into())
    );
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let schemes = document["components"]["securitySchemes"].as_object().expect("schemes");
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (path, method, operation) in operations(&document) {
        let name = format!("{method} {path}");
        assert!(!operation["responses"].as_object().expect("responses").is_empty(), "{name}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(status.parse::<u16>().is_ok_and(|status| (200..600).contains(&status)), "{name} {status}");
            assert!(!response["description"].as_str().unwrap().is_empty(), "{name} {status}");
        }
        for tag in operation["tags"].as_array().expect("tags") {
            assert!(tags.contains(&tag), "{name} has an unknown tag {tag}");
        }
        for requirement in operation["security"].as_array().into_iter().flatten() {
            assert!(requirement.as_object().unwrap().keys().all(|scheme| schemes.contains_key(scheme)), "{name}");
        }
        let declared: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let in_path: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(declared, in_path, "{name}");
    }
}

#[tokio::test]
async fn every_route_is_in_the_document_and_nothing_else() {
    let tacit = Tacit::start().await;
    let documented: BTreeSet<(String, String)> =
        operations(&document(&tacit).await).into_iter().map(|(path, method, _)| (path, method)).collect();
    let mut expected = BTreeSet::new();
    for route in routes() {
        let methods = route.methods.iter().filter(|method| **method != "HEAD").map(ToString::to_string);
        // A route of all methods is documented by one of them.
        let any = route.methods.is_empty().then(|| "GET".to_owned());
        // Every mount of /verify answers in the same way, to gateways.
        let path = if matches!(route.policy, Policy::Gateway(_)) { "/verify" } else { route.path };
        expected.extend(methods.chain(any).map(|method| (path.to_owned(), method)));
    }
    assert_eq!(documented, expected);
}

/// The statuses that the table of docs/api-design.md gives each method and path.
fn documented_statuses() -> BTreeMap<(String, String), BTreeSet<String>> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api-design.md")).unwrap();
    let mut found = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| ") && line.contains(" | /")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [method, paths, _, _, success, refusals] = cells[..] else { panic!("not a row of the table: {line}") };
        let words = success.split(|c: char| !c.is_ascii_digit()).chain(refusals.split(|c: char| !c.is_ascii_digit()));
        let statuses: BTreeSet<String> = words.filter(|word| word.len() == 3).map(str::to_owned).collect();
        // A route of all methods is documented by one of them.
        let method = if method == "any" { "GET" } else { method };
        for path in paths.split(", ") {
            found.insert((path.to_owned(), method.to_owned()), statuses.clone());
        }
    }
    found
}

#[tokio::test]
async fn the_document_and_the_table_of_routes_name_the_same_statuses() {
    let tacit = Tacit::start().await;
    let table = documented_statuses();
    for (path, method, operation) in operations(&document(&tacit).await) {
        let documented: BTreeSet<String> = operation["responses"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(table.get(&(path.clone(), method.clone())), Some(&documented), "{method} {path}");
    }
}

#[tokio::test]
async fn an_operation_id_is_its_handlers_name_and_comes_once() {
    let tacit = Tacit::start().await;
    let handlers: String = ["", "/pages"]
        .iter()
        .flat_map(|folder| fs::read_dir(format!("{}/src/routers{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut seen = BTreeSet::new();
    for (path, method, operation) in operations(&document(&tacit).await) {
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        assert!(handlers.contains(&format!("pub async fn {id}(")), "{method} {path}: no handler {id}");
        assert!(seen.insert(id), "{method} {path}: its id comes twice");
    }
}

#[tokio::test]
async fn what_needs_a_sign_in_says_so_and_documents_its_401() {
    let tacit = Tacit::start().await;
    let operations = operations(&document(&tacit).await);
    for route in routes().into_iter().filter(|route| route.policy != Policy::Anyone) {
        for (path, method, operation) in operations.iter().filter(|(path, ..)| *path == route.path) {
            assert!(operation["security"].as_array().is_some_and(|list| !list.is_empty()), "{method} {path}");
            let kind = if route.policy == Policy::Client { "application/json" } else { "application/problem+json" };
            let refusal = &operation["responses"]["401"]["content"][kind];
            assert!(refusal.is_object(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_command_prints_the_same_document() {
    let tacit = Tacit::start().await;
    let printed = run(&tacit.home, &["openapi"], "");
    assert!(printed.status.success());
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    assert_eq!(printed, document(&tacit).await);
}

#[tokio::test]
async fn below_a_base_path_the_document_and_the_page_point_there() {
    let tacit = Setup::default().set("server.base_path", "/auth").spawn_in(Home::new());
    let base = tacit.url.clone();
    assert!(base.ends_with("/auth"), "{base}");
    let document: Value = tacit.get("/openapi.json").send().await.unwrap().json().await.unwrap();
    assert_eq!(document["servers"][0]["url"], "/auth");
    let flows = &document["components"]["securitySchemes"]["oauth2"]["flows"];
    assert_eq!(flows["password"]["tokenUrl"], "/auth/token");
    let page = tacit.get("/docs").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<base href=\"/auth/docs/\">"));
    let script = tacit.get("/docs/swagger-initializer.js").send().await.unwrap().text().await.unwrap();
    assert!(script.contains("/auth/openapi.json"), "{script}");
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let tacit = Tacit::start().await;
    let answer = tacit.get("/docs").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("unsafe-eval"), "{policy}");
    let page = answer.text().await.unwrap();
    assert!(!page.contains("<script>"), "an inline script, which the policy forbids");
    let mut files = 0;
    for attribute in ["src=\"", "href=\""] {
        for rest in page.split(attribute).skip(1) {
            let target = rest.split('"').next().unwrap();
            assert!(!target.contains("//"), "{target}");
            if target.starts_with("./") || target.starts_with(|c: char| c.is_ascii_alphabetic()) {
                let file = target.trim_start_matches("./");
                let answer = tacit.get(&format!("/docs/{file}")).send().await.unwrap();
                assert_eq!(answer.status(), 200, "{file}");
                files += 1;
            }
        }
    }
    assert!(files >= 4, "{page}");
    for outside in ["..%2f..%2fCargo.toml", "%2e%2e%2fCargo.toml", "nothing.js", "%00"] {
        assert_eq!(tacit.get(&format!("/docs/{outside}")).send().await.unwrap().status(), 404, "{outside}");
    }
}
