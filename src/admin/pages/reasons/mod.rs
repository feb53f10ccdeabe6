//! `/reasons`: why streams stop. How often and when, what each reason means, and where interruptions are frequent.

mod change;
mod chart;
mod ends;
mod lists;
mod show;

pub(super) use show::show;
