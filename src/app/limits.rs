//! How the open files of the process are divided: connections of both listeners, subscribers of the feed, and the rest.

use std::time::Duration;

use crate::http::Limits;
use crate::{admin, receiver};

/// The most connections of the admin listener.
const ADMIN_CONNECTIONS_MAX: usize = 128;

/// How many open files are not for connections of the receiver nor for subscribers of the feed, where there are more than
/// twice as many: those of the admin listener, the journal, the index and the sinks.
const RESERVED_FILES: u64 = ADMIN_CONNECTIONS_MAX as u64 + 96;

/// The limits of the receiver's listener. `open_files` is how many files the process may have open, if there is a
/// limit: connections are files, and leave some to the journal, the sinks and the admin endpoint with its
/// `subscribers_max`, see [`subscribers_max`]. A cap that is lowered by that is logged.
pub(super) fn receiver_limits(options: &receiver::Options, subscribers_max: usize, open_files: Option<u64>) -> Limits {
    let reserved = RESERVED_FILES.saturating_add(subscribers_max as u64);
    let fit = at_most(open_files.map(|limit| limit - (limit / 2).min(reserved)));
    if fit < options.connections_max {
        tracing::warn!(
            "receiver.connections_max = {}: the limit of open files, which is {}, leaves room for {fit} only; \
             raise that (`ulimit -n`, `LimitNOFILE=`, `--ulimit nofile=`), or lower the key",
            options.connections_max,
            open_files.unwrap_or(u64::MAX),
        );
    }
    Limits { connections_max: options.connections_max.min(fit), ..options.limits() }
}

/// How many subscribers the feed may have: as many as configured, as far as they fit into the limit of open files,
/// which is as for the receiver. A cap that is lowered by that is logged. Where files are so few that there is none
/// to spare, subscribers may take half of the other connections of the admin listener.
pub(super) fn subscribers_max(options: &admin::Options, open_files: Option<u64>) -> usize {
    let fit = at_most(open_files.map(|limit| spare(limit).max(limit / 16)));
    if fit < options.subscribers_max {
        tracing::warn!(
            "admin.subscribers_max = {}: the limit of open files, which is {}, leaves room for {fit} only; \
             raise that (`ulimit -n`, `LimitNOFILE=`, `--ulimit nofile=`), or lower the key",
            options.subscribers_max,
            open_files.unwrap_or(u64::MAX),
        );
    }
    options.subscribers_max.min(fit)
}

/// The limits of the admin listener: few clients, known ones, and beside them the subscribers of the feed.
/// `open_files` is as for the receiver, `subscribers_max` from [`subscribers_max`].
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

/// How many open files are for subscribers of the feed at most.
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
    fn connections_leave_some_of_the_open_files_to_others() {
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
