//! Divides the open files of the process between the connections of both listeners, the subscribers of the feed, and
//! the rest of the service.

use std::time::Duration;

use crate::http::Limits;
use crate::{admin, receiver};

/// The most connections of the admin listener, without the subscribers of the feed.
const ADMIN_CONNECTIONS_MAX: usize = 128;

/// How many open files are reserved for the admin listener, the journal, the index and the sinks. If the limit is less
/// than twice this number, they get half of all files instead.
const RESERVED_FILES: u64 = ADMIN_CONNECTIONS_MAX as u64 + 96;

/// The limits of the receiver's listener. `open_files` is the limit of open files, if there is one. Each connection is
/// an open file, so fewer connections may fit than configured; that is logged. `subscribers_max` files are left to the
/// feed, see [`subscribers_max`].
pub(super) fn receiver_limits(options: &receiver::Options, subscribers_max: usize, open_files: Option<u64>) -> Limits {
    let reserved = RESERVED_FILES.saturating_add(subscribers_max as u64);
    let fit = at_most(open_files.map(|limit| limit - (limit / 2).min(reserved)));
    let connections_max = fitting("receiver.connections_max", options.connections_max, fit, open_files);
    Limits { connections_max, ..options.limits() }
}

/// How many subscribers the feed may have. Fewer may fit into the limit of open files than configured; that is logged.
/// If the limit leaves no file for them, subscribers may take up to half of the other connections of the admin
/// listener.
pub(super) fn subscribers_max(options: &admin::Options, open_files: Option<u64>) -> usize {
    let fit = at_most(open_files.map(|limit| spare(limit).max(limit / 16)));
    fitting("admin.subscribers_max", options.subscribers_max, fit, open_files)
}

/// Returns the configured number of connections, or `fit` with a warning if fewer fit into the limit of open files.
fn fitting(key: &str, configured: usize, fit: usize, open_files: Option<u64>) -> usize {
    if fit < configured {
        tracing::warn!(
            "{key} = {configured}: the limit of open files is {}, so only {fit} fit; \
             raise that limit (`ulimit -n`, `LimitNOFILE=`, `--ulimit nofile=`), or lower the key",
            open_files.unwrap_or(u64::MAX),
        );
    }
    configured.min(fit)
}

/// The limits of the admin listener, for a few known clients and the subscribers of the feed. `open_files` is the limit
/// of open files, if there is one; `subscribers_max` comes from [`subscribers_max`].
pub(super) fn admin_limits(subscribers_max: usize, open_files: Option<u64>) -> Limits {
    let others = at_most(open_files.map(|limit| limit / 8)).min(ADMIN_CONNECTIONS_MAX);
    let spare = open_files.map_or(usize::MAX, |limit| usize::try_from(spare(limit)).unwrap_or(usize::MAX));
    Limits {
        connections_max: others + subscribers_max.min(spare),
        headers_bytes_max: 16 * 1024,
        headers_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(75),
        write_timeout: Duration::from_secs(30),
    }
}

/// The most open files that subscribers of the feed may take.
fn spare(open_files: u64) -> u64 {
    (open_files / 2).saturating_sub(RESERVED_FILES)
}

/// A number of connections, at least one.
fn at_most(limit: Option<u64>) -> usize {
    limit.map_or(usize::MAX, |limit| usize::try_from(limit.max(1)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_others() {
        let options = receiver::Options { connections_max: 4096, ..receiver::Options::default() };
        for (open_files, receiver, admin, subscribers) in [
            (None, 4096, 128 + 256, 256),
            (Some(1_048_576), 4096, 128 + 256, 256),
            (Some(4096 + 224 + 256), 4096, 128 + 256, 256),
            (Some(1024), 544, 128 + 256, 256),
            (Some(512), 256, 64 + 32, 32),
            (Some(256), 128, 32, 16),
            (Some(64), 32, 8, 4),
            (Some(0), 1, 1, 1),
        ] {
            let fit = subscribers_max(&admin::Options::default(), open_files);
            assert_eq!(fit, subscribers, "{open_files:?}");
            assert_eq!(receiver_limits(&options, fit, open_files).connections_max, receiver, "{open_files:?}");
            assert_eq!(admin_limits(fit, open_files).connections_max, admin, "{open_files:?}");
        }
        let few = receiver::Options { connections_max: 10, ..options };
        assert_eq!(receiver_limits(&few, 256, Some(64)).connections_max, 10);
    }
}
