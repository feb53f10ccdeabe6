//! Reads the files and the variables of an HTTP sink: URL, secrets and template.

use super::chat_signature::ChatSecret;
use super::options::Options;
use super::signature::{SecretError, WebhookSecret};
use super::target_url::TargetUrl;
use crate::sink::mistake::Mistakes;
use crate::sink::secrets::unreadable;
use crate::sink::url_source::url_elsewhere;
use crate::sink::{Mistake, SecretSources};

/// Adds the secrets of files and variables, and the template of its file. Returns the mistakes in them.
pub(super) fn take_files_and_variables(options: &mut Options, sources: &dyn SecretSources) -> Vec<Mistake> {
    let (url, mut mistakes) = url_elsewhere(!options.url.is_missing(), options.url_file.as_deref(), sources);
    if let Some(url) = url {
        options.url = TargetUrl::new(&url);
    }
    if let Some(path) = options.secrets_file.clone() {
        // The value is the path: the text of a secret must not get into a message.
        let mut mistake = |rule: String| {
            mistakes.push(Mistake { key: "secrets_file".to_owned(), value: sources.shown_value(&path), rule });
        };
        match sources.file(&path) {
            Ok(text) => {
                for (position, line) in text.lines().map(str::trim).enumerate() {
                    if line.is_empty() || line.starts_with('#') {
                        continue;
                    }
                    if let Err(error) = add_secret(options, line) {
                        mistake(format!("line {}: {error}", position + 1));
                    }
                }
                if options.secrets.is_empty() {
                    mistake("contains no secret; `livehook keygen --webhook` makes one".to_owned());
                }
            }
            Err(error) => mistake(unreadable(&error)),
        }
    }
    if let Some((name, text)) = sources.variable("SECRETS") {
        for secret in text.split(',') {
            let Err(error) = add_secret(options, secret.trim()) else { continue };
            let mistake = Mistake { key: "secrets".to_owned(), value: None, rule: format!("{name}: {error}") };
            // The texts of secrets are not shown, so two mistakes can look the same.
            if !mistakes.contains(&mistake) {
                mistakes.push(mistake);
            }
        }
    }
    let mut of_messages = Mistakes::default();
    take_template(options, sources, &mut of_messages);
    take_sign_secret(options, sources, &mut of_messages);
    mistakes.extend(of_messages.into_list());
    mistakes
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

fn take_sign_secret(options: &mut Options, sources: &dyn SecretSources, mistakes: &mut Mistakes) {
    if let Some((_, text)) = sources.variable("SIGN_SECRET") {
        options.sign_secret = Some(ChatSecret::new(text.trim()));
        return;
    }
    let Some(path) = &options.sign_secret_file else { return };
    let value = sources.shown_value(path);
    match sources.file(path) {
        Ok(text) if text.trim().is_empty() => mistakes.add("sign_secret_file", value, "is empty: put the secret there"),
        Ok(text) => options.sign_secret = Some(ChatSecret::new(text.trim())),
        Err(error) => mistakes.add("sign_secret_file", value, &unreadable(&error)),
    }
}
