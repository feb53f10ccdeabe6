//! `--config` and `--url`: which running service a command talks to.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use reqwest::Url;

use super::data_dir::DataDirArguments;
use super::stored_data::StoredDataArguments;
use crate::admin::Token;
use crate::cli::client::{Service, admin_url, parse_url, shown};
use crate::config::{Config, DataConfig, Mistakes, Process};

/// Where the service is.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct ServiceArguments {
    /// The configuration file of the service (LIVEHOOK_CONFIG). The command reads `data_dir`, `admin.listen`, `admin.tls`
    /// and the token from it. Flags and environment variables override the file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The URL of the admin endpoint of the service, for example http://127.0.0.1:9090
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    url: Option<Url>,
    /// A PEM file with certificates. For https, trust only servers with a certificate from this file [default: with `admin.tls`,
    /// its `cert_file`]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// The admin endpoint of a service, and how to get in.
struct Endpoint {
    url: Url,
    token: Option<Token>,
    /// The certificates that are trusted; `None` for those of the system.
    certificates: Option<PathBuf>,
}

impl ServiceArguments {
    /// Whether the user named a service by its URL.
    pub(crate) fn has_url(&self) -> bool {
        self.url.is_some()
    }

    /// Returns the data directory of the service.
    ///
    /// # Errors
    /// The configuration file cannot be read, or its `data_dir` has a mistake.
    pub(crate) fn data_dir(&self, data_dir: &DataDirArguments) -> Result<PathBuf, Mistakes> {
        StoredDataArguments::new(self.config.clone(), data_dir.clone()).path()
    }

    /// Returns the data directory of the service and its index settings.
    ///
    /// # Errors
    /// The configuration file cannot be read, or has mistakes in these parts.
    pub(crate) fn data(&self, data_dir: &DataDirArguments) -> Result<DataConfig, Mistakes> {
        Config::find_data(self.config.as_deref(), data_dir.data_dir.as_deref(), &Process)
    }

    /// Returns a client for the admin endpoint. It waits up to `timeout` for each answer.
    ///
    /// # Errors
    /// The address or the token is unknown, or the configuration file cannot be read.
    pub(crate) fn connect(&self, timeout: Duration) -> anyhow::Result<Service> {
        let Endpoint { url, token, certificates } = self.find()?;
        let token = token.ok_or_else(|| no_token(&url))?;
        Service::new(url, timeout, Some(&token), certificates.as_deref())
    }

    /// Returns a client that only reads. On a loopback address that needs no token.
    ///
    /// # Errors
    /// The address is unknown, or the configuration file cannot be read.
    pub(crate) fn connect_to_read(&self, timeout: Duration) -> anyhow::Result<Service> {
        let Endpoint { url, token, certificates } = self.find()?;
        Service::new(url, timeout, token.as_ref(), certificates.as_deref())
    }

    fn find(&self) -> anyhow::Result<Endpoint> {
        let admin = Config::find_admin(self.config.as_deref(), &Process)?;
        let (url, own) = match &self.url {
            Some(url) => (url.clone(), None),
            // A certificate is seldom for a loopback address, so the service is known by the certificate itself.
            None => (admin_url(&admin)?, admin.tls.map(|files| files.cert_file)),
        };
        Ok(Endpoint { url, token: admin.token, certificates: self.ca.clone().or(own) })
    }
}

fn no_token(url: &Url) -> anyhow::Error {
    anyhow!(
        "this command needs the admin token of the service at {}. Use --config with the file of the service, or set \
         LIVEHOOK_ADMIN_TOKEN. If the service has no token: make one with `livehook keygen`, set `admin.token`, and \
         reload the service with SIGHUP",
        shown(url)
    )
}
