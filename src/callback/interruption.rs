//! Stand-in for the build.
#![allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReasonCategory {
    Client,
    Network,
    Content,
    Idle,
    Internal,
    Rejected,
    Operator,
    Replaced,
    Unknown,
}
impl ReasonCategory {
    pub const ALL: [ReasonCategory; 9] = [
        ReasonCategory::Client,
        ReasonCategory::Network,
        ReasonCategory::Content,
        ReasonCategory::Idle,
        ReasonCategory::Internal,
        ReasonCategory::Rejected,
        ReasonCategory::Operator,
        ReasonCategory::Replaced,
        ReasonCategory::Unknown,
    ];
    pub fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Network => "network",
            Self::Content => "content",
            Self::Idle => "idle",
            Self::Internal => "internal",
            Self::Rejected => "rejected",
            Self::Operator => "operator",
            Self::Replaced => "replaced",
            Self::Unknown => "unknown",
        }
    }
}
impl serde::Serialize for ReasonCategory {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.label())
    }
}
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reason {
    pub errcode: Option<i64>,
    pub sub: Option<i64>,
    pub category: ReasonCategory,
    pub meaning: &'static str,
    pub actor: &'static str,
    pub advice: &'static str,
    pub is_hint: bool,
}
impl Reason {
    pub fn of(errcode: Option<i64>, _errmsg: Option<&str>) -> Reason {
        let category = match errcode {
            Some(1 | 2 | 3) => ReasonCategory::Client,
            Some(21) => ReasonCategory::Replaced,
            Some(12..=17) => ReasonCategory::Network,
            _ => ReasonCategory::Unknown,
        };
        Reason { errcode, sub: None, category, meaning: "m", actor: "a", advice: "v", is_hint: false }
    }
}
