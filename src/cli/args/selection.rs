//! `--type`, `--stream`, `--domain`, `--since` and `--until`: which events or streams a command selects.

use super::time_range::TimeRangeArguments;
use crate::callback::{DomainPattern, EventSelection, EventType, NamePattern, StreamSelection};

/// Which events.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct EventArguments {
    /// Only events of this type: a name (push, stop, recording) or a number (100). Repeat the flag for more types
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<EventType>,
    #[command(flatten)]
    streams: StreamArguments,
    #[command(flatten)]
    received: TimeRangeArguments,
}

impl EventArguments {
    /// Returns the selection.
    ///
    /// # Errors
    /// The time range is empty: wrong usage.
    pub(crate) fn selection(&self) -> anyhow::Result<EventSelection> {
        let (types, streams) = (self.types.clone(), self.streams.selection());
        Ok(EventSelection { types, streams, received: self.received.range()? })
    }
}

/// Which streams.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct StreamArguments {
    /// Only this stream; `*` matches any characters (room-*). Repeat the flag for more streams
    #[arg(long = "stream", value_name = "STREAM", value_parser = NamePattern::new)]
    streams: Vec<NamePattern>,
    /// Only this domain, or all domains below one (*.example.com). Repeat the flag for more domains
    #[arg(long = "domain", value_name = "DOMAIN", value_parser = DomainPattern::new)]
    domains: Vec<DomainPattern>,
}

impl StreamArguments {
    /// Returns the selection.
    pub(crate) fn selection(&self) -> StreamSelection {
        let StreamArguments { streams: names, domains } = self.clone();
        StreamSelection { domains, names, ..StreamSelection::default() }
    }
}
