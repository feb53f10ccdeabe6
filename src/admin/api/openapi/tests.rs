use serde_json::Value;

use super::*;
use crate::admin::Options;
use crate::admin::access::Access;
use crate::admin::api::routes::describe;
use crate::admin::guard::Guard;
use crate::admin::logins::Logins;
use crate::callback::ReasonCategory;
use crate::session::State;

fn description() -> Description {
    let guard =
        Guard::new(Access::shared(&Options::default()), ([127, 0, 0, 1], 9090).into(), Arc::new(Logins::new(|| 0)));
    let mut description = describe(Arc::new(guard));
    complete(&mut description);
    description
}

fn json_description() -> Value {
    serde_json::to_value(description()).unwrap()
}

fn operations(description: &Value) -> Vec<(String, &Value)> {
    let paths = description["paths"].as_object().unwrap();
    let methods =
        paths.iter().flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |method| (path, method)));
    methods.map(|(path, (method, operation))| (format!("{method} {path}"), operation)).collect()
}

// A change of the document is a change of the API, or of its documentation. Look at each.
#[test]
fn document_is_as_recorded() {
    let mut description = description();
    description.info.version = "(version)".to_owned();
    insta::assert_snapshot!(serde_json::to_string_pretty(&description).unwrap());
}

#[test]
fn every_operation_is_documented() {
    let description = json_description();
    let mut ids = std::collections::HashSet::new();
    for (name, operation) in operations(&description) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}");
        assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
        assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{name}");
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        for parameter in parameters {
            assert!(parameter["description"].is_string(), "{name}: {parameter}");
            assert!(!parameter["schema"]["type"].is_array(), "a parameter is never null: {name}: {parameter}");
        }
        for status in ["400", "401", "403", "500"] {
            assert!(operation["responses"][status]["description"].is_string(), "{name} {status}");
        }
    }
}

#[test]
fn words_are_those_of_the_code() {
    let description = json_description();
    let words = |name: &str| {
        let words = description["components"]["schemas"][name]["enum"].as_array().unwrap();
        words.iter().map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words("ReasonCategory"), ReasonCategory::ALL.map(ReasonCategory::label));
    assert_eq!(words("SessionState"), [State::Live, State::Ended, State::Stale].map(State::label));
}

#[test]
fn nullable_members_are_required() {
    let description = json_description();
    let session = &description["components"]["schemas"]["Session"];
    let required = session["required"].as_array().unwrap();
    assert!(required.contains(&"ended".into()) && required.contains(&"reason".into()), "{session}");
    let problem = &description["components"]["schemas"]["Problem"]["required"];
    assert!(!problem.as_array().unwrap().contains(&"parameter".into()), "{problem}");
}
