//! Finds the reason of a stop in the tables of causes, by its `errcode`.

use super::category::ReasonCategory;
use super::cause::Cause;
use super::cause_name::CauseName;
use super::causes::{ABSENT, CAUSES, MANUAL, UNLISTED};
use super::{hint, subcodes};

/// Returns every cause: first the causes of whole codes, then the causes of sub-codes.
fn causes() -> impl Iterator<Item = &'static Cause> {
    CAUSES.iter().chain(&subcodes::CAUSES)
}

/// One line of the vendor's table, explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// The vendor's code.
    pub errcode: i64,
    /// The vendor's sub-code, which only 18 and 21 have. `None` for these codes as a whole.
    pub sub: Option<i64>,
    /// The category.
    pub category: ReasonCategory,
    /// What happened, as part of a sentence.
    pub meaning: &'static str,
    /// Who has to act.
    pub actor: &'static str,
    /// What to check first, in whole sentences.
    pub advice: &'static str,
    /// The name of the cause, for translations.
    pub cause: CauseName,
}

impl Interruption {
    /// Returns every line of the table, sorted by code and sub-code. A whole code comes before its sub-codes.
    pub fn all() -> impl Iterator<Item = Interruption> {
        let mut all: Vec<Interruption> = causes().flat_map(Interruption::of_cause).collect();
        all.sort_by_key(|interruption| (interruption.errcode, interruption.sub));
        all.into_iter()
    }

    fn of_cause(cause: &'static Cause) -> impl Iterator<Item = Interruption> {
        let subs = || cause.subs.iter().copied().map(Some).chain(cause.subs.is_empty().then_some(None));
        let Cause { category, meaning, actor, advice, .. } = *cause;
        cause.errcodes.iter().flat_map(move |&errcode| {
            let name = cause.name(Some(errcode));
            subs().map(move |sub| Interruption { errcode, sub, category, meaning, actor, advice, cause: name })
        })
    }
}

/// Why a push ended, by its `errcode` and `errmsg`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Reason {
    /// The vendor's code. `None` if the callback has none.
    pub errcode: Option<i64>,
    /// The vendor's sub-code. A hint names it only if the cause belongs to a single sub-code.
    pub sub: Option<i64>,
    /// In one word.
    pub category: ReasonCategory,
    /// What happened, as part of a sentence.
    pub meaning: &'static str,
    /// Who has to act.
    pub actor: &'static str,
    /// What to check first, in whole sentences.
    pub advice: &'static str,
    /// Whether the cause is a guess from `errmsg`.
    pub is_hint: bool,
    /// The name of the cause, for translations.
    #[serde(skip)]
    pub cause: CauseName,
}

impl Reason {
    /// Returns the reason of a stop. A code that is not in the table has [`ReasonCategory::Unknown`].
    ///
    /// `errmsg` matters for the codes 18 and 21 only.
    pub fn of(errcode: Option<i64>, errmsg: Option<&str>) -> Reason {
        let Some(number) = errcode else { return Reason::new(None, None, &ABSENT, false) };
        if let Some(cause) = errmsg.and_then(|errmsg| hinted(number, errmsg)) {
            // A hint can't distinguish sub-codes with the same cause.
            let sub = match cause.subs {
                [only] => Some(*only),
                _ => None,
            };
            return Reason::new(errcode, sub, cause, true);
        }
        let cause = CAUSES.iter().find(|cause| cause.errcodes.contains(&number)).unwrap_or(&UNLISTED);
        Reason::new(errcode, None, cause, false)
    }

    /// Returns the reason of a session that a person ended.
    pub fn manual() -> Reason {
        Reason { cause: CauseName::Manual, ..Reason::new(None, None, &MANUAL, false) }
    }

    fn new(errcode: Option<i64>, sub: Option<i64>, cause: &Cause, is_hint: bool) -> Reason {
        let Cause { category, meaning, actor, advice, .. } = *cause;
        Reason { errcode, sub, category, meaning, actor, advice, is_hint, cause: cause.name(errcode) }
    }
}

/// Makes a reason of a line of the table. It is not a guess.
impl From<Interruption> for Reason {
    fn from(interruption: Interruption) -> Reason {
        let Interruption { errcode, sub, category, meaning, actor, advice, cause } = interruption;
        Reason { errcode: Some(errcode), sub, category, meaning, actor, advice, is_hint: false, cause }
    }
}

fn hinted(errcode: i64, errmsg: &str) -> Option<&'static Cause> {
    let sub = hint::sub(errcode, errmsg)?;
    subcodes::CAUSES.iter().find(|cause| cause.errcodes.contains(&errcode) && cause.subs.contains(&sub))
}

#[cfg(test)]
mod tests;
