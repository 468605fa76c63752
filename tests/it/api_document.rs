//! `/openapi.json`: each field of each route takes what its schema says, and nothing else.

use serde_json::{Value, json};

use crate::harness::{Answer, Home, Server};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// An operation, with a query that it takes.
struct Operation<'a> {
    method: String,
    path: String,
    described: &'a Value,
    server: &'a Server,
}

/// Every operation of the document.
fn operations<'a>(document: &'a Value, server: &'a Server) -> Vec<Operation<'a>> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, described) in methods.as_object().expect("methods") {
            let id = match path.split('/').nth(1) {
                Some("get_report") => NOBODY,
                Some("api") if path.starts_with("/api/reports") => NOBODY,
                _ => "nobody",
            };
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.replace("{id}", id).replace("{date}", "2026-12-25"),
                described,
                server,
            });
        }
    }
    all
}

impl Operation<'_> {
    /// The fields of its query, as described.
    fn fields(&self) -> impl Iterator<Item = &Value> {
        let all = self.described["parameters"].as_array();
        all.into_iter()
            .flatten()
            .filter(|field| field["in"] == "query")
    }

    /// The answer with this query, and with a value for each other field that must be there.
    fn with(&self, name: &str, values: &[&str]) -> Answer {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for value in values {
            query.append_pair(name, value);
        }
        for field in self.fields() {
            let other = field["name"].as_str().expect("a name");
            // The statement's dates may come in the body, so they are not marked as required.
            if other != name && (field["required"] == true || matches!(other, "from" | "to")) {
                let value = match other {
                    "from" => "2026-11-01",
                    "to" => "2026-11-02",
                    _ => NOBODY,
                };
                query.append_pair(other, value);
            }
        }
        self.server
            .request(&self.method, &format!("{}?{}", self.path, query.finish()))
    }
}

/// Values that a schema takes, and values that it excludes.
fn samples(schema: &Value) -> (Vec<String>, Vec<String>) {
    let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    if let Some(either) = schema["anyOf"].as_array() {
        let (good, mut bad) = samples(&either[0]);
        bad.retain(|value| !value.is_empty());
        return ([good, texts(&[""])].concat(), bad);
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words
            .iter()
            .map(|word| word.as_str().expect("a word").to_owned());
        return (words.collect(), texts(&["", "nearly", "Nearest"]));
    }
    if schema["type"] == "integer" {
        let [from, to] = ["minimum", "maximum"].map(|end| schema[end].as_u64().expect("an end"));
        let good = [from, to].map(|number| number.to_string()).to_vec();
        return (
            good,
            texts(&["", "-1", "1.5", "many", &(to + 1).to_string()]),
        );
    }
    match schema["format"].as_str().or(schema["pattern"].as_str()) {
        Some("date-time") => (
            texts(&["2026-11-01T12:00:00Z", "2026-11-01T12:00:00.25+01:00"]),
            texts(&["", "soon", "2026-02-30T00:00:00Z"]),
        ),
        Some("date") => (texts(&["2026-11-02"]), texts(&["", "soon", "2026-02-30"])),
        Some("uuid") => (texts(&[NOBODY]), texts(&["", "7", &NOBODY[1..]])),
        Some(_) => (
            texts(&["2026-10", "2026-W44"]),
            texts(&["", "2026", "2026-13"]),
        ),
        None if schema["minLength"] == 1 => (texts(&["nobody", " "]), texts(&[""])),
        None => (texts(&["nobody", ""]), Vec::new()),
    }
}

#[test]
fn every_field_takes_what_its_description_says_and_nothing_else() {
    let home = Home::seeded();
    let server = Server::start(&home);
    let document = server.get("/openapi.json").json();
    let mut tried = 0;
    for operation in operations(&document, &server) {
        let is_form = operation.described["requestBody"].is_object();
        for field in operation.fields() {
            let name = field["name"].as_str().expect("a name");
            let (good, bad) = samples(&field["schema"]);
            let place = |values: &[&str], answer: &Answer| {
                let Operation { method, path, .. } = &operation;
                format!(
                    "{method} {path}?{name}={values:?}: {}",
                    String::from_utf8_lossy(&answer.body)
                )
            };
            for value in &good {
                let answer = operation.with(name, &[value]);
                // The body is missing; a page's clock has its own words; half a span says nothing.
                let is_refused_for_more = is_form
                    || name == "as_of_local"
                    || String::from_utf8_lossy(&answer.body).contains("is missing");
                assert!(
                    answer.status != 400 || is_refused_for_more,
                    "{}",
                    place(&[value], &answer)
                );
                tried += 1;
            }
            for value in &bad {
                let answer = operation.with(name, &[value]);
                assert_eq!(answer.status, 400, "{}", place(&[value], &answer));
                tried += 1;
            }
            let twice = [good[0].as_str(); 2];
            let answer = operation.with(name, &twice);
            let told = answer.problem(400);
            assert!(told.contains("twice"), "{}", place(&twice, &answer));
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn every_route_says_which_problems_it_answers() {
    let home = Home::new();
    let server = Server::start(&home);
    let document = server.get("/openapi.json").json();
    for Operation {
        method,
        path,
        described,
        ..
    } in operations(&document, &server)
    {
        let has = |status: u16| described["responses"][status.to_string()].is_object();
        let writes = method != "GET";
        assert!(has(421), "{method} {path}");
        for status in [403, 413, 507] {
            assert!(!writes || has(status), "{method} {path}: {status}");
        }
        let parameters = described["parameters"].as_array().into_iter().flatten();
        for parameter in parameters {
            let (name, schema) = (&parameter["name"], &parameter["schema"]);
            assert!(has(400) || name == "id", "{method} {path}: {name}");
            let is_uuid = schema["format"] == "uuid" || schema["anyOf"][0]["format"] == "uuid";
            assert!(!is_uuid || has(404), "{method} {path}: {name}");
            if name == "offset" {
                let [plain, page] = [schema, &schema["anyOf"][0]].map(|schema| &schema["maximum"]);
                assert!(plain.is_u64() || page.is_u64(), "{method} {path}");
            }
            if name == "id" && path.contains("report") {
                assert_eq!(schema["format"], json!("uuid"), "{method} {path}");
            }
        }
    }
}

#[test]
fn every_route_says_what_a_request_must_carry() {
    let home = Home::new();
    let server = Server::start(&home);
    let document = server.get("/openapi.json").json();
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["token"]["scheme"], "bearer");
    assert_eq!(schemes["session"]["name"], "store-monitor");
    for (route, scope) in [
        (&document["paths"]["/api/polls"]["post"], "ingest"),
        (&document["paths"]["/stores"]["get"], "read"),
        (&document["paths"]["/trigger_report"]["post"], "report"),
        (&document["paths"]["/api/tokens"]["post"], "admin"),
    ] {
        let either = json!([{"token": [scope]}, {"session": [scope]}]);
        assert_eq!(route["security"], either);
    }
    for operation in operations(&document, &server) {
        let needs = operation.described["security"].as_array().expect("a list");
        // What needs something is refused without it, and nothing else is.
        let is_refused = operation.described["responses"]["401"].is_object();
        let is_log_in = operation.path == "/login";
        assert_eq!(
            !needs.is_empty(),
            is_refused && !is_log_in,
            "{}",
            operation.path
        );
    }
}

#[test]
fn a_token_or_link_with_an_empty_field_is_not_made() {
    let home = Home::new();
    let server = Server::start(&home);
    for target in [
        "/api/tokens?name=x&scope=read&expires=",
        "/api/links?store=7&expires=",
        "/api/tokens?name=x&scope=read&known_stores_only=",
    ] {
        let answer = server.request("POST", target);
        assert_eq!(answer.status, 400, "{target}");
    }
    assert_eq!(server.get("/api/tokens").json()["tokens"], json!([]));
}
