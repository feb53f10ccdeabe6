//! `reload`: reads the configuration again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::JsonBody;
use super::json::{Answer, answer, json};
use super::responses;
use super::state::Api;
use crate::admin::problem::Problem;
use crate::admin::{NotReloaded, SettingChange};

/// How to reload.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = ReloadRequest)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ReloadRequest {
    /// Whether only to say what a reload would change.
    dry_run: bool,
}

/// The result of a reload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reload)]
struct ReloadView {
    /// Whether nothing was changed, because that was requested.
    dry_run: bool,
    /// The configuration file that the service reads; `null` if there is none.
    file: Option<String>,
    /// Every difference from the configuration that was in use.
    changes: Vec<ChangeView>,
    /// A sentence for each setting that is allowed but may be unintended.
    warnings: Vec<String>,
}

/// A setting that differs. Secrets are never shown: a callback key is shown by its fingerprint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingChange)]
struct ChangeView {
    /// Its key, for example `receiver.leeway_secs` or `sinks.archive`.
    key: String,
    /// The value that was in use; `null` if there is none, or if it is secret.
    before: Option<String>,
    /// The new value; `null` if there is none, or if it is secret.
    after: Option<String>,
    /// Whether it takes effect only after a restart.
    needs_restart: bool,
}

/// Reload the configuration.
///
/// The service reads its configuration file, the files of its secrets and its environment again, and takes over what has changed,
/// without refusing a request. If the configuration has a mistake, nothing changes, and `detail` of the 422 lists every mistake.
#[utoipa::path(
    post, path = "/reload", tag = "service",
    request_body = ReloadRequest,
    responses((status = 200, body = ReloadView, description = "What has changed"), responses::InvalidConfiguration)
)]
pub(super) async fn reload_configuration(
    State(api): State<Arc<Api>>,
    JsonBody(ReloadRequest { dry_run }): JsonBody<ReloadRequest>,
) -> Answer {
    let reloaded = api.reloads.request(dry_run).await.map_err(|error| match error {
        NotReloaded::Mistakes(report) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_configuration", report),
        NotReloaded::Failed(reason) => Problem::unavailable("unavailable", reason),
    })?;
    let changes = reloaded.changes.into_iter();
    let view = |SettingChange { key, before, after, needs_restart }| ChangeView { key, before, after, needs_restart };
    let changes = changes.map(view).collect();
    let (file, warnings) = (reloaded.file, reloaded.warnings);
    Ok(answer(json(&ReloadView { dry_run, file, changes, warnings })))
}
