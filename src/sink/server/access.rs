//! The URL, the user and the password of a server, from every place where a user may put them.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use super::url::ServerUrl;
use crate::sink::mistake::Mistakes;
use crate::sink::own_secrets::OwnSecrets;
use crate::sink::secrets::OneLineText;
use crate::sink::url_source::url_elsewhere;
use crate::sink::{Mistake, SecretSources};

/// A password. `Debug` doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The text of the password.
    pub(in crate::sink) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Password, D::Error> {
        String::deserialize(deserializer).map(Password)
    }
}

/// The user and the password that a sink logs in with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sink) struct Credentials {
    /// The user.
    pub(in crate::sink) user: Option<String>,
    /// The password.
    pub(in crate::sink) password: Option<Password>,
}

impl Credentials {
    /// The credentials of a sink: its own keys, or else the ones in the URL.
    pub(in crate::sink) fn of(url: &ServerUrl, user: Option<&str>, password: Option<&Password>) -> Credentials {
        Credentials {
            user: user.map(str::to_owned).or_else(|| url.user()),
            password: password.cloned().or_else(|| url.password().map(Password)),
        }
    }

    /// The secrets that no message may show.
    pub(in crate::sink) fn own_secrets(&self) -> OwnSecrets {
        let mut secrets = OwnSecrets::default();
        self.password.iter().for_each(|password| secrets.add(password.reveal()));
        secrets
    }
}

/// The keys of a sink that say where its server is, and who livehook is there.
pub(in crate::sink) struct Access<'o> {
    /// `url`
    pub(in crate::sink) url: &'o mut ServerUrl,
    /// `url_file`
    pub(in crate::sink) url_file: Option<&'o Path>,
    /// `user`
    pub(in crate::sink) user: &'o mut Option<String>,
    /// The password of `password_file`, or of the variable.
    pub(in crate::sink) password: &'o mut Option<Password>,
    /// `password_file`
    pub(in crate::sink) password_file: Option<&'o Path>,
}

impl Access<'_> {
    /// Reads the files and the variables. A variable wins over a key and a file.
    pub(in crate::sink) fn take_secrets(self, sources: &dyn SecretSources) -> Vec<Mistake> {
        let mut mistakes = Mistakes::default();
        if let Some(url) = url_elsewhere(!self.url.is_missing(), self.url_file, sources, &mut mistakes) {
            *self.url = ServerUrl::new(&url);
        }
        let login = Login { user: self.user, password: self.password, password_file: self.password_file };
        login.take_secrets("", sources, &mut mistakes);
        mistakes.into_list()
    }
}

/// The keys of a sink that say who livehook is at its server.
pub(in crate::sink) struct Login<'o> {
    /// `user`
    pub(in crate::sink) user: &'o mut Option<String>,
    /// The password of `password_file`, or of the variable.
    pub(in crate::sink) password: &'o mut Option<Password>,
    /// `password_file`
    pub(in crate::sink) password_file: Option<&'o Path>,
}

impl Login<'_> {
    /// Reads the file and the variables, and adds the mistakes in them. `section` is where its keys are, such as `sasl.`. A variable
    /// wins over a key and a file.
    pub(in crate::sink) fn take_secrets(self, section: &str, sources: &dyn SecretSources, mistakes: &mut Mistakes) {
        let (key, file) = (format!("{section}password_file"), self.password_file);
        let password = OneLineText { noun: "password", purpose: "PASSWORD", key: &key, file };
        if let Some(text) = password.read(sources, mistakes) {
            *self.password = Some(Password(text));
        }
        let key = format!("{section}user");
        let user = OneLineText { noun: "user", purpose: "USER", key: &key, file: None };
        if let Some(text) = user.read(sources, mistakes) {
            *self.user = Some(text);
        }
    }
}
