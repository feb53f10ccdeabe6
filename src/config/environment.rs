//! The environment variables that set a value. They win over the file, and flags win over them.

use super::admin_token;
use super::settings::Settings;
use super::sources::Sources;

/// Replaces the values of the settings that a variable sets. Other variables that begin with `LIVEHOOK_` only cause a warning.
pub(super) fn apply(settings: &mut Settings, sources: &mut Sources<'_>) {
    // Unlike an unknown key of the file, an unknown variable is not a mistake: Kubernetes sets LIVEHOOK_SERVICE_PORT and
    // others by itself.
    apply_admin_listen(settings, sources);
    sources.override_by_variable("LIVEHOOK_DATA_DIR", "data_dir", &mut settings.data_dir);
    sources.override_by_variable("LIVEHOOK_LISTEN", "receiver.listen", &mut settings.receiver.listen);
    apply_log(settings, sources);
    admin_token::apply(&mut settings.admin, sources);
}

/// Does the same for the log alone.
pub(super) fn apply_log(settings: &mut Settings, sources: &mut Sources<'_>) {
    sources.override_by_variable("LIVEHOOK_LOG_LEVEL", "log.level", &mut settings.log.level);
    sources.override_by_variable("LIVEHOOK_LOG_FORMAT", "log.format", &mut settings.log.format);
}

/// Does the same for the address of the admin endpoint alone.
pub(super) fn apply_admin_listen(settings: &mut Settings, sources: &mut Sources<'_>) {
    sources.override_by_variable("LIVEHOOK_ADMIN_LISTEN", "admin.listen", &mut settings.admin.listen);
}

/// Does the same for the address and the token of the admin endpoint.
pub(super) fn apply_admin(settings: &mut Settings, sources: &mut Sources<'_>) {
    apply_admin_listen(settings, sources);
    admin_token::apply(&mut settings.admin, sources);
}
