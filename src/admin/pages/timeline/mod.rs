//! `/timeline`: which streams were on when, one lane a stream, one bar a session.

mod axis;
mod bars;
mod kinds;
mod lane;
mod legend;
mod scale;
mod show;
mod single;
mod wanted;

pub(super) use axis::axis;
pub(super) use kinds::{Kind, patterns};
pub(super) use legend::legend;
pub(super) use scale::{Scale, percent};
pub(super) use show::show;
pub(super) use single::single;
