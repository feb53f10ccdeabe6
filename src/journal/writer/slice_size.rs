//! How much one slice of pruning takes on. Events wait for the slice at work, so slices get smaller while they take long.

use std::time::Duration;

/// How many rows a full slice removes at most.
const ROWS: u32 = 250;

/// How many bytes of lines a full slice removes. The last record may go beyond.
const BYTES: u64 = 256 * 1024;

/// How many pages a full slice gives back to the disk.
const PAGES: u32 = 64;

/// A slice that takes longer makes the next one half as large. One that takes less than a quarter makes it twice as large.
const LONG: Duration = Duration::from_millis(4);

/// The smallest slice is an eighth of a full one. A still smaller one would take as long, because its sync remains.
const HALVINGS_MAX: u32 = 3;

/// The size of the next slice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SliceSize {
    halvings: u32,
}

impl SliceSize {
    /// How many rows the slice removes at most.
    pub(super) fn rows(self) -> u32 {
        ROWS >> self.halvings
    }

    /// How many bytes of lines the slice removes.
    pub(super) fn bytes(self) -> u64 {
        BYTES >> self.halvings
    }

    /// How many pages the slice gives back.
    pub(super) fn pages(self) -> u32 {
        PAGES >> self.halvings
    }

    /// Sets the size of the next slice by the time of the last one.
    pub(super) fn adapt(&mut self, took: Duration) {
        if took > LONG {
            self.halvings = (self.halvings + 1).min(HALVINGS_MAX);
        } else if took < LONG / 4 {
            self.halvings = self.halvings.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_slices_get_smaller() {
        let mut size = SliceSize::default();
        let sizes = [5, 5, 5, 5, 2, 0, 0, 0, 0].map(|took_ms| {
            size.adapt(Duration::from_millis(took_ms));
            size.rows()
        });
        assert_eq!(sizes, [125, 62, 31, 31, 31, 62, 125, 250, 250]);
        assert_eq!((size.bytes(), size.pages()), (BYTES, PAGES));
    }
}
