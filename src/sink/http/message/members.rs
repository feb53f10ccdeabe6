//! The vendor's members of an event, as a template sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

use super::shown::shown;
use crate::callback::Event;

/// The members of a JSON object. An absent member is an empty text, because an event of another type lacks it.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<String, Value>);

impl Members {
    /// Reads the members of an event's `data`.
    pub(super) fn of(event: &Event) -> Members {
        serde_json::from_str(event.data()).map(Members::new).unwrap_or_default()
    }

    fn new(object: serde_json::Map<String, serde_json::Value>) -> Members {
        Members(object.into_iter().map(|(name, member)| (name, value(member))).collect())
    }
}

impl Object for Members {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let member = key.as_str().and_then(|name| self.0.get(name));
        Some(member.cloned().unwrap_or_else(|| Value::from("")))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|name| Value::from(shown(name))).collect())
    }
}

fn value(member: serde_json::Value) -> Value {
    match member {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(bool) => Value::from(bool),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(shown(&number.to_string())),
        },
        serde_json::Value::String(text) => Value::from(shown(&text)),
        serde_json::Value::Array(list) => list.into_iter().map(value).collect(),
        serde_json::Value::Object(object) => Value::from_object(Members::new(object)),
    }
}
