//! The keys that every sink with a URL has, and their rules.

use std::path::Path;

use super::limits::Limits;
use super::tls_files::TlsFiles;
use super::url::ServerUrl;
use crate::sink::mistake::Mistakes;

/// The keys of a sink whose server has a URL.
pub(in crate::sink) struct ServerKeys<'o> {
    /// `url`
    pub(in crate::sink) url: &'o ServerUrl,
    /// `url_file`
    pub(in crate::sink) url_file: Option<&'o Path>,
    /// `password_file`
    pub(in crate::sink) password_file: Option<&'o Path>,
    /// The files of TLS.
    pub(in crate::sink) tls: TlsFiles<'o>,
    /// The limits of a request.
    pub(in crate::sink) limits: Limits,
    /// The scheme without and with TLS.
    pub(in crate::sink) schemes: [&'static str; 2],
    /// The rule of `url`.
    pub(in crate::sink) url_rule: &'static str,
}

impl<'o> ServerKeys<'o> {
    /// Whether the connection is encrypted.
    pub(in crate::sink) fn is_tls(&self) -> bool {
        self.url.scheme() == self.schemes[1]
    }

    /// Adds the mistakes in these keys. Returns whether the URL is right.
    pub(in crate::sink) fn check(&self, mistakes: &mut Mistakes) -> bool {
        // A sink without a valid name has no variables, and its files are not read.
        let is_elsewhere = self.url.is_missing() && self.url_file.is_some();
        let broken = self.url.broken_rule(&self.schemes, self.url_rule).filter(|_| !is_elsewhere);
        // A wrong URL may contain a password, so its text is not shown.
        broken.into_iter().for_each(|rule| mistakes.add("url", None, rule));
        self.tls.check(self.is_tls() || is_elsewhere, self.schemes[1], mistakes);
        self.limits.check(mistakes);
        broken.is_none()
    }

    /// Returns the files that hold secrets, each with its key.
    pub(in crate::sink) fn secret_files(&self) -> Vec<(&'static str, &'o Path)> {
        secret_files(self.url_file, self.password_file, self.tls)
    }

    /// Returns the files that the sink reads.
    pub(in crate::sink) fn read_files(&self) -> Vec<&'o Path> {
        read_files(self.url_file, self.password_file, self.tls)
    }

    /// Returns a warning if a secret crosses the network unencrypted.
    pub(in crate::sink) fn warning(&self, has_secret: bool) -> Option<String> {
        let is_open = has_secret && !self.is_tls() && !self.url.is_loopback();
        let scheme = self.schemes[1];
        is_open.then(|| format!("the password is sent unencrypted; use {scheme}:// if the server has TLS"))
    }
}

/// Returns the files of a sink that hold secrets, each with its key.
pub(in crate::sink) fn secret_files<'o>(
    url_file: Option<&'o Path>,
    password_file: Option<&'o Path>,
    tls: TlsFiles<'o>,
) -> Vec<(&'static str, &'o Path)> {
    let files = [("url_file", url_file), ("password_file", password_file), ("client_key_file", tls.client_key_file)];
    files.into_iter().filter_map(|(key, path)| Some((key, path?))).collect()
}

/// Returns the files that a sink reads.
pub(in crate::sink) fn read_files<'o>(
    url_file: Option<&'o Path>,
    password_file: Option<&'o Path>,
    tls: TlsFiles<'o>,
) -> Vec<&'o Path> {
    let files = secret_files(url_file, password_file, tls).into_iter().map(|(_, path)| path);
    files.chain(tls.ca_file).chain(tls.client_certificate_file).collect()
}
