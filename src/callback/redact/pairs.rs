//! Finds the values of secret names in the pairs of a JSON text: `{"name":"txSecret","value":"abc"}` and `["txSecret","abc"]`.

use std::ops::Range;

use super::json_strings::value_length;

/// Follows the objects and arrays of a JSON text.
#[derive(Default)]
pub(super) struct Pairs {
    open: Vec<Container>,
}

/// An object or array that isn't closed yet.
#[derive(Default)]
struct Container {
    is_array: bool,
    /// Whether a member of the object, or the first item of the array, is a secret name.
    has_name: bool,
    /// Where the values in question start.
    values: Vec<usize>,
}

impl Pairs {
    /// Reads the text between two strings, which starts at `start`. Calls `hide` for the value of each pair that ends in it.
    pub(super) fn pass(&mut self, json: &str, between: Range<usize>, mut hide: impl FnMut(Range<usize>)) {
        for (position, byte) in
            json[between.clone()].bytes().enumerate().map(|(index, byte)| (between.start + index, byte))
        {
            match byte {
                b'{' | b'[' => self.open.push(Container { is_array: byte == b'[', ..Container::default() }),
                b',' => {
                    if let Some(array) = self.open.last_mut().filter(|container| container.is_array) {
                        array.values.push(position + 1);
                    }
                }
                b'}' | b']' => {
                    let Some(closed) = self.open.pop() else { continue };
                    match closed.values[..] {
                        _ if !closed.has_name => {}
                        [value] if closed.is_array => hide(value..position),
                        _ if closed.is_array => {}
                        _ => closed.values.into_iter().for_each(|start| {
                            hide(start..start + value_length(&json[start..]).unwrap_or_default());
                        }),
                    }
                }
                _ => {}
            }
        }
    }

    /// A member that may hold the value of a pair has its value at `start`.
    pub(super) fn add_value(&mut self, start: usize) {
        if let Some(object) = self.open.last_mut() {
            object.values.push(start);
        }
    }

    /// A string of the present object or array is a secret name.
    pub(super) fn add_name(&mut self) {
        if let Some(container) = self.open.last_mut() {
            container.has_name |= !container.is_array || container.values.is_empty();
        }
    }
}
