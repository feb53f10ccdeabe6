//! Reads the files and the variables of an HTTP sink: URL, secrets and template.

use std::collections::BTreeSet;

use super::chat_signature::ChatSecret;
use super::options::Options;
use super::signature::{SecretError, WebhookSecret};
use super::target_url::TargetUrl;
use crate::sink::mistake::Mistakes;
use crate::sink::secrets::{OneLineText, unreadable};
use crate::sink::url_source::url_elsewhere;
use crate::sink::{Mistake, SecretSources};

/// Adds the secrets of files and variables, and the template of its file. Returns the mistakes in them.
pub(super) fn take_files_and_variables(options: &mut Options, sources: &dyn SecretSources) -> Vec<Mistake> {
    let mut mistakes = Mistakes::default();
    let has_url = !options.url.is_missing();
    if let Some(url) = url_elsewhere(has_url, options.url_file.as_deref(), sources, &mut mistakes) {
        options.url = TargetUrl::new(&url);
    }
    take_secrets_file(options, sources, &mut mistakes);
    take_secrets_variable(options, sources, &mut mistakes);
    take_template(options, sources, &mut mistakes);
    let (key, file) = ("sign_secret_file", options.sign_secret_file.as_deref());
    let sign_secret = OneLineText { noun: "secret", purpose: "SIGN_SECRET", key, file };
    if let Some(text) = sign_secret.read(sources, &mut mistakes) {
        options.sign_secret = Some(ChatSecret::new(text.trim()));
    }
    mistakes.into_list()
}

fn take_secrets_file(options: &mut Options, sources: &dyn SecretSources, mistakes: &mut Mistakes) {
    let Some(path) = options.secrets_file.clone() else { return };
    // The value is the path: the text of a secret must not get into a message.
    let mut mistake = |rule: &str| mistakes.add("secrets_file", sources.shown_value(&path), rule);
    match sources.file(&path) {
        Ok(text) => {
            for (position, line) in text.lines().map(str::trim).enumerate() {
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                if let Err(error) = add_secret(options, line) {
                    mistake(&format!("line {}: {error}", position + 1));
                }
            }
            if options.secrets.is_empty() {
                mistake("contains no secret; `livehook keygen --webhook` makes one");
            }
        }
        Err(error) => mistake(&unreadable(&error)),
    }
}

fn take_secrets_variable(options: &mut Options, sources: &dyn SecretSources, mistakes: &mut Mistakes) {
    let Some((name, text)) = sources.variable("SECRETS") else { return };
    // The texts of secrets are not shown, so two mistakes can look the same.
    let mut rules = BTreeSet::new();
    for secret in text.split(',') {
        if let Err(error) = add_secret(options, secret.trim()) {
            rules.insert(format!("{name}: {error}"));
        }
    }
    rules.iter().for_each(|rule| mistakes.add("secrets", None, rule));
}

fn add_secret(options: &mut Options, text: &str) -> Result<(), SecretError> {
    let secret = WebhookSecret::new(text)?;
    if !options.secrets.contains(&secret) {
        options.secrets.push(secret);
    }
    Ok(())
}

fn take_template(options: &mut Options, sources: &dyn SecretSources, mistakes: &mut Mistakes) {
    let Some(path) = &options.template_file else { return };
    // A template is no secret, so its path is always shown.
    let value = Some(format!("{:?}", path.display().to_string()));
    match sources.file(path) {
        _ if options.template.is_some() => {
            mistakes.add("template_file", value, "is set together with `template`: keep one of the two");
        }
        Ok(text) => options.template_of_file = Some(text),
        Err(error) => mistakes.add("template_file", value, &unreadable(&error)),
    }
}
