//! What a command shows of text that others wrote.

pub(super) use crate::printable::printable;
