//! Waits while another livehook uses the data directory, and takes its place when it ends.
//!
//! During the wait the receiver's port stays closed, so that a load balancer sends callbacks to the other one. Nothing of the data
//! directory is opened before the lock is taken, because the other one changes it.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use axum::http::StatusCode;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::certificates::Certificates;
use super::inherited::InheritedSockets;
use super::limits::admin_limits;
use super::ports::Ports;
use super::service_manager;
use super::unready::{admin_router, answer_during};
use crate::config::Config;
use crate::http::{ErrorBody, raise_open_files_limit};
use crate::storage::volume::network_file_system;
use crate::storage::{Lock, StorageError, make_data_dir};
use crate::telemetry::{Metrics, UnreadyReason};

const STANDBY: ErrorBody = ErrorBody::new_static(
    StatusCode::SERVICE_UNAVAILABLE,
    "standby",
    "this livehook waits until the one that uses its data directory ends: send the request to that one",
);

/// Takes the lock on the data directory and opens the ports, as soon as no other livehook holds the lock. Until then, the admin
/// endpoint answers 503 `standby` if its port is free, and shows `metrics`. The lock is `None` if the disk is too full for its file.
///
/// # Errors
/// An address or the data directory cannot be used, or the data directory is on a network file system.
pub(super) async fn wait_for_turn(
    config: &Config,
    sockets: &InheritedSockets,
    certificates: &Certificates,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Option<Lock>, Ports)> {
    // First, because a mistake must show at once, and not when the other one ends.
    let admin = Ports::bind_admin(config, sockets, certificates)?;
    match take_lock(&config.data_dir) {
        Err(StorageError::Locked(_)) => {}
        Err(error) if error.is_disk_full() => {
            return Ok((None, Ports::bind_after_wait(config, sockets, certificates, admin).await?));
        }
        lock => return Ok((Some(lock?), Ports::bind_after_wait(config, sockets, certificates, admin).await?)),
    }
    let shown = config.data_dir.display();
    if let Some(name) = network_file_system(&config.data_dir) {
        bail!("{shown}: this is on {name}, where locks are not reliable; --wait needs a `data_dir` on a local disk");
    }
    tracing::info!("another livehook uses {shown}: waiting until it ends, and taking no callbacks");
    match &admin {
        Some(admin) => {
            let scheme = config.admin.scheme();
            tracing::info!("until then {scheme}://{}/readyz answers 503 `standby`", admin.local_addr()?);
        }
        None => {
            tracing::info!("until then nothing answers for this livehook, because {} is in use", config.admin.listen)
        }
    }

    service_manager::ready("waiting until another livehook ends, which uses the data directory");
    let began = Instant::now();
    let data_dir = config.data_dir.clone();
    let listener = match &admin {
        Some(admin) => {
            let router = admin_router(config, metrics, UnreadyReason::Standby, STANDBY, admin.local_addr()?);
            Some((admin, admin_limits(0, raise_open_files_limit()), router))
        }
        None => None,
    };
    // The thread sleeps in the system until the lock is free, so a wait costs nothing and ends at once.
    let lock = async { Ok(spawn_blocking(move || Lock::wait(&data_dir)).await??) };
    let lock = answer_during(listener, lock).await?;
    tracing::info!(waited_secs = began.elapsed().as_secs(), "the other livehook has ended: taking over {shown}");
    Ok((Some(lock), Ports::bind_after_wait(config, sockets, certificates, admin).await?))
}

fn take_lock(data_dir: &Path) -> Result<Lock, StorageError> {
    make_data_dir(data_dir)?;
    Lock::take(data_dir)
}
