//! The members of a push or stop that livehook reads again, and where the line of the event has them.
//!
//! The index reads each event soon after it was received. With the places, it need not look at the other members.

use std::ops::Range;

use super::members::Member;

/// The names of the members, in the order of their values.
const NAMES: [&str; 8] = ["appid", "node", "user_ip", "push_duration", "errcode", "errmsg", "width", "height"];

/// The values of the members as JSON text; `None` for an absent one.
pub(super) struct StreamValues<'l> {
    pub(super) appid: Option<&'l str>,
    pub(super) node: Option<&'l str>,
    pub(super) user_address: Option<&'l str>,
    pub(super) push_duration: Option<&'l str>,
    pub(super) errcode: Option<&'l str>,
    pub(super) errmsg: Option<&'l str>,
    pub(super) width: Option<&'l str>,
    pub(super) height: Option<&'l str>,
}

impl<'l> StreamValues<'l> {
    /// Takes the values in the order of [`NAMES`].
    fn new(values: [Option<&'l str>; NAMES.len()]) -> StreamValues<'l> {
        let [appid, node, user_address, push_duration, errcode, errmsg, width, height] = values;
        StreamValues { appid, node, user_address, push_duration, errcode, errmsg, width, height }
    }
}

/// Where the values of the members are in `data`, in bytes from its start. The place of an absent one is empty.
#[derive(Clone, Debug)]
pub(super) struct StreamPlaces([Range<u32>; NAMES.len()]);

impl StreamPlaces {
    /// Returns the places in an object that has these members, without white space and without escapes in names.
    pub(super) fn of(members: &[Member<'_>]) -> StreamPlaces {
        let mut places = [const { 0..0 }; NAMES.len()];
        let mut position = r#"{""#.len();
        for Member { name, value, .. } in members {
            let start = position + name.len() + r#"":"#.len();
            let end = start + value.len();
            if let Some(which) = NAMES.iter().position(|known| known == name) {
                places[which] = start as u32..end as u32;
            }
            position = end + r#",""#.len();
        }
        StreamPlaces(places)
    }

    /// Returns the values in `data`.
    pub(super) fn values<'l>(&self, data: &'l str) -> StreamValues<'l> {
        let value = |place: &Range<u32>| data.get(place.start as usize..place.end as usize);
        StreamValues::new(self.0.each_ref().map(|place| value(place).filter(|value| !value.is_empty())))
    }
}

/// Finds the values among the members of an object.
pub(super) fn find<'l>(members: impl Iterator<Item = (&'l str, &'l str)>) -> StreamValues<'l> {
    let mut values = [None; NAMES.len()];
    for (name, value) in members {
        if let Some(which) = NAMES.iter().position(|known| *known == name) {
            values[which] = Some(value);
        }
    }
    StreamValues::new(values)
}
