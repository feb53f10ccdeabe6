use serde_json::Value;

use super::super::parameters::{LIMIT_DEFAULT, LIMIT_MAX};
use super::super::{changes, reads};
use super::*;
use crate::admin::problem::API_PREFIX;
use crate::callback::ReasonCategory;
use crate::session::State;

fn description() -> Value {
    serde_json::from_str(&DOCUMENT.0).unwrap()
}

fn operations(description: &Value) -> Vec<(String, &Value)> {
    let paths = description["paths"].as_object().unwrap();
    let methods =
        paths.iter().flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |method| (path, method)));
    methods.map(|(path, (method, operation))| (format!("{method} {path}"), operation)).collect()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let description = description();
    let mut described: Vec<&str> = description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut there: Vec<String> = reads()
        .iter()
        .chain(&changes())
        .map(|(path, _)| format!("{API_PREFIX}{path}").replace("{*names}", "{domain}/{app_name}/{stream}"))
        .collect();
    described.sort_unstable();
    there.sort_unstable();
    there.dedup();
    assert_eq!(described, there);
}

#[test]
fn every_operation_says_what_it_is_for() {
    let description = description();
    let mut ids = std::collections::HashSet::new();
    for (name, operation) in operations(&description) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}");
        assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
        assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{name}");
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        for parameter in parameters {
            assert!(parameter["description"].is_string(), "{name}: {parameter}");
            assert!(
                !parameter["schema"]["type"].is_array(),
                "a parameter is left out, never null: {name}: {parameter}"
            );
        }
        for status in ["400", "401", "403", "500"] {
            assert!(operation["responses"][status]["description"].is_string(), "{name} {status}");
        }
    }
}

#[test]
fn words_and_bounds_are_those_of_the_code() {
    let description = description();
    let words = |name: &str| {
        let words = description["components"]["schemas"][name]["enum"].as_array().unwrap();
        words.iter().map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words("ReasonCategory"), ReasonCategory::ALL.map(ReasonCategory::label));
    assert_eq!(words("SessionState"), [State::Live, State::Ended, State::Stale].map(State::label));
    for (name, operation) in operations(&description) {
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(limit) = parameters.iter().find(|parameter| parameter["name"] == "limit") else { continue };
        let schema = &limit["schema"];
        let told = [&schema["default"], &schema["minimum"], &schema["maximum"]].map(|number| number.as_f64().unwrap());
        assert_eq!(told, [LIMIT_DEFAULT as f64, 1.0, LIMIT_MAX as f64], "{name}");
    }
}

#[test]
fn what_may_be_null_is_always_there() {
    let description = description();
    let session = &description["components"]["schemas"]["Session"];
    let required = session["required"].as_array().unwrap();
    assert!(required.contains(&"ended".into()) && required.contains(&"reason".into()), "{session}");
    let problem = &description["components"]["schemas"]["Problem"]["required"];
    assert!(!problem.as_array().unwrap().contains(&"parameter".into()), "{problem}");
}
