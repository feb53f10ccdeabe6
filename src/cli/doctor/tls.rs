//! Examines the certificates of the listeners with TLS.

use std::net::SocketAddr;

use reqwest::Url;

use super::report::Report;
use crate::config::Config;
use crate::tls::{Identity, ServedIdentity, ServerFiles};

/// The area of these findings. The doubts about a certificate are warnings of the configuration, which has its own area.
const AREA: &str = "TLS";

/// Reports for each listener with TLS until when its certificate is valid, for which names, and what clients may refuse. `url` is the
/// public URL of the receiver, if the user gave it.
pub(super) fn check(config: &Config, url: Option<&Url>, report: &mut Report<'_, '_>) -> anyhow::Result<()> {
    let receiver = ("receiver.tls", &config.receiver.tls, config.receiver.listen, url);
    for (table, files, listen, url) in [receiver, ("admin.tls", &config.admin.tls, config.admin.listen, None)] {
        if let Some(files) = files {
            check_listener(table, files, listen, url, report)?;
        }
    }
    Ok(())
}

fn check_listener(
    table: &str,
    files: &ServerFiles,
    listen: SocketAddr,
    url: Option<&Url>,
    report: &mut Report<'_, '_>,
) -> anyhow::Result<()> {
    let served = match ServedIdentity::open(files.clone()) {
        Ok(served) => served,
        // The files have changed since the configuration was checked.
        Err(error) => {
            return report.error(
                AREA,
                format!("{table}: {error}"),
                "`livehook serve` does not start with it, and a running one keeps its certificate so far",
                "correct the files; while they are being renewed, try again in a moment",
            );
        }
    };
    let identity = served.identity();
    let shown = format!("{table} at {listen}: {}", described(&identity));
    report.ok(AREA, format!("{shown}, valid until {}", identity.valid_until()))?;
    match url.filter(|url| url.scheme() == "https").and_then(Url::host_str) {
        Some(host) if !identity.is_for(host) => report.warning(
            AREA,
            format!("{table}: the certificate is not for {host}"),
            "if no proxy stands before livehook, CSS refuses the connection",
            format!("get a certificate for {host}, or use one of its names in the URL"),
        ),
        _ => Ok(()),
    }
}

fn described(identity: &Identity) -> String {
    let names = identity.names();
    if names.is_empty() {
        "certificate without a host name".to_owned()
    } else {
        format!("certificate for {}", names.join(", "))
    }
}
