//! The categories of reasons, one word each.

use std::fmt;
use std::str::FromStr;

use crate::callback::invalid_text::InvalidText;

/// Why a push ended, in one word. The set is closed, so metrics can use it as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum ReasonCategory {
    /// The pusher ended it.
    Client,
    /// The network between the pusher and the vendor failed.
    Network,
    /// The vendor does not accept the pushed content.
    Content,
    /// The connection was open, but no data came.
    Idle,
    /// The vendor failed.
    Internal,
    /// The push was not allowed.
    Rejected,
    /// The account's operator stopped it.
    Operator,
    /// Another push took its place.
    Replaced,
    /// No stop arrived, and a person ended the session.
    Manual,
    /// The callback does not say why.
    Unknown,
}

impl ReasonCategory {
    /// Every category.
    pub const ALL: [ReasonCategory; 10] = [
        ReasonCategory::Client,
        ReasonCategory::Network,
        ReasonCategory::Content,
        ReasonCategory::Idle,
        ReasonCategory::Internal,
        ReasonCategory::Rejected,
        ReasonCategory::Operator,
        ReasonCategory::Replaced,
        ReasonCategory::Manual,
        ReasonCategory::Unknown,
    ];

    /// Whether a stop of this category breaks a broadcast off: neither the pusher nor the operator wanted it.
    pub fn is_interruption(self) -> bool {
        !matches!(
            self,
            ReasonCategory::Client | ReasonCategory::Operator | ReasonCategory::Replaced | ReasonCategory::Manual
        )
    }

    /// The name of the category in every output, in lower case. It can be parsed again.
    pub fn label(self) -> &'static str {
        match self {
            ReasonCategory::Client => "client",
            ReasonCategory::Network => "network",
            ReasonCategory::Content => "content",
            ReasonCategory::Idle => "idle",
            ReasonCategory::Internal => "internal",
            ReasonCategory::Rejected => "rejected",
            ReasonCategory::Operator => "operator",
            ReasonCategory::Replaced => "replaced",
            ReasonCategory::Manual => "manual",
            ReasonCategory::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ReasonCategory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` keeps to the width of a column.
        formatter.pad(self.label())
    }
}

impl FromStr for ReasonCategory {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<ReasonCategory, InvalidText> {
        let found = ReasonCategory::ALL.into_iter().find(|category| category.label() == text);
        found.ok_or_else(|| {
            let names = ReasonCategory::ALL.map(ReasonCategory::label).join(", ");
            InvalidText::new(text, "a reason category", format!("one of {names}"))
        })
    }
}

impl serde::Serialize for ReasonCategory {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn category_is_read_back_from_its_label() {
        for category in ReasonCategory::ALL {
            assert_eq!(category.label().parse(), Ok(category));
            assert_eq!(serde_json::to_value(category).unwrap(), category.to_string());
        }
    }

    #[test]
    fn unknown_category_is_named() {
        for text in ["", "Client", "clients", "18"] {
            let error = text.parse::<ReasonCategory>().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "`{text}` is not a reason category: give one of client, network, content, idle, internal, rejected, \
                     operator, replaced, manual, unknown"
                )
            );
        }
    }
}
