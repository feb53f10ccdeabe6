//! Posts a probe through the public URL of the receiver, and says who answers it.
//!
//! The probe has a right signature that has expired. livehook checks the signature before the expiry, so its refusal proves that
//! URL, path and key fit, and no event is stored.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, SERVER, VIA};
use reqwest::{Client, Url};
use serde_json::{Value, json};

use super::report::Report;
use crate::callback::{CallbackKey, KeyOptions};
use crate::cli::client::{Service, admin_url, client, no_answer, read_body, shown};
use crate::cli::runtime::block_on;
use crate::cli::sign::{now_secs, sign};
use crate::config::Config;
use crate::printable::printable;

const AREA: &str = "public URL";

/// How long CSS waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How long ago the signature of the probe expired: longer than any sensible `receiver.leeway_secs`.
const EXPIRED_FOR_SECS: i64 = 10 * 366 * 86_400;

/// The most characters that are shown of an answer.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// The answer to a probe.
struct Answer {
    status: u16,
    /// The error word if livehook answered.
    word: Option<String>,
    body: String,
    /// The programs that say that they handled the request.
    hops: String,
}

/// Posts a probe for each key, and compares the address that livehook saw.
pub(super) fn check(
    url: &Url,
    ca: Option<&Path>,
    config: Option<&Config>,
    report: &mut Report<'_, '_>,
) -> anyhow::Result<()> {
    let Some(config) = config else {
        return report.note(AREA, format!("{} was not tried", shown(url)), "the configuration has mistakes");
    };
    if config.verifier.keys.is_empty() {
        return report.note(
            AREA,
            format!("{} was not tried", shown(url)),
            "there is no callback key to sign a probe with",
        );
    }
    let client = client(url, TIMEOUT, ca)?;
    let mut last_probe = None;
    for key in &config.verifier.keys {
        let probe = format!("livehook-doctor-{:016x}", fastrand::u64(..));
        match block_on(post(&client, url, key, &probe))? {
            Err(error) => {
                let cure = "check the DNS entry, the firewall, the certificate and the proxy, from outside, too";
                return report.error(AREA, format!("{error:#}"), "CSS cannot deliver callbacks to this URL", cure);
            }
            Ok(answer) if check_answer(url, &key.key, &answer, report)? => last_probe = Some(probe),
            Ok(_) => {}
        }
    }
    match last_probe {
        Some(probe) => check_client(config, &probe, report),
        None => Ok(()),
    }
}

async fn post(client: &Client, url: &Url, key: &KeyOptions, probe: &str) -> anyhow::Result<Answer> {
    let pattern = key.domains.as_ref().and_then(|domains| domains.first()).map(ToString::to_string);
    let domain = pattern.map_or_else(|| "livehook.invalid".to_owned(), |pattern| pattern.replacen('*', "probe", 1));
    let callback = json!({ "event_type": 1, "app": domain, "appname": "livehook-doctor", "stream_id": probe });
    let body = sign(callback.to_string().as_bytes(), &key.key, now_secs() - EXPIRED_FOR_SECS)?;
    let request = client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body);
    let response = request.send().await.map_err(|error| no_answer(url, TIMEOUT, error))?;
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let hops: Vec<&str> = [header(VIA), header(SERVER)].into_iter().flatten().collect();
    let hops = printable(&hops.join(", "), SHOWN_CHARACTERS_MAX).to_string();
    let body = read_body(url, TIMEOUT, response).await?;
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    let word = json["error"].as_str().filter(|_| json["code"].is_number()).map(str::to_owned);
    Ok(Answer { status, word, body, hops })
}

/// Reports what an answer means. Returns whether livehook refused the probe for its expiry, as it should.
fn check_answer(url: &Url, key: &CallbackKey, answer: &Answer, report: &mut Report<'_, '_>) -> anyhow::Result<bool> {
    let (shown_url, status, fingerprint) = (shown(url), answer.status, key.fingerprint());
    let by = if answer.hops.is_empty() { String::new() } else { format!(", by way of {}", answer.hops) };
    match answer.word.as_deref() {
        Some("signature_expired") => {
            report.ok(AREA, format!("{shown_url} reaches livehook{by}, and the key {fingerprint} fits"))?;
            return Ok(true);
        }
        Some("signature_mismatch") => report.error(
            AREA,
            format!("{shown_url} reaches a livehook that refuses the key {fingerprint}{by}"),
            "CSS signs with the key of the console, which must be one of this livehook's keys",
            "compare the fingerprints that `livehook check-config` prints here and there; reload it after a change",
        )?,
        Some("not_found") => report.error(
            AREA,
            format!("{shown_url} reaches livehook{by}, which has no such path"),
            "callbacks to another path than `receiver.path` are refused",
            "compare the path with `receiver.path`, and with the paths that the proxy rewrites",
        )?,
        Some("address_not_allowed") => report.error(
            AREA,
            format!("{shown_url} reaches livehook{by}, which refuses the address of this machine"),
            "if this machine is not CSS, that may be right",
            "compare `receiver.allowed_addresses` with the address that the log of livehook shows",
        )?,
        Some(word) => report.error(
            AREA,
            format!("{shown_url} reaches livehook{by}, which answers {status} `{word}`"),
            "callbacks of CSS would get the same answer",
            "the table of error words in docs/operations.md has the cure",
        )?,
        None if status == 200 => report.error(
            AREA,
            format!("{shown_url} answers 200 to an expired signature{by}"),
            "another program answers, or livehook runs with `receiver.allow_unsigned`: a 200 then proves nothing",
            "point the URL at livehook, and remove `allow_unsigned`",
        )?,
        None => {
            let body = printable(answer.body.trim(), SHOWN_CHARACTERS_MAX);
            let by = if answer.hops.is_empty() { "another program".to_owned() } else { answer.hops.clone() };
            report.error(
                AREA,
                format!("{shown_url} answers {status}, and not from livehook: {by}: {body}"),
                "the request ends at a hop before livehook",
                "look at the log and the configuration of that proxy; livehook must be its upstream",
            )?;
        }
    }
    Ok(false)
}

/// Asks the service for the address from which it got the probe.
fn check_client(config: &Config, probe: &str, report: &mut Report<'_, '_>) -> anyhow::Result<()> {
    let found = block_on(client_of(config, probe))?;
    let seen = match found {
        Ok(Some(client)) => client,
        Ok(None) => {
            let found = "the service at the admin address did not get the probe";
            return report.note(AREA, found, "the URL leads to another livehook than the one of this configuration");
        }
        Err(error) => {
            let found = format!("which address livehook saw is unknown: {error:#}");
            return report.note(AREA, found, "run this next to the service, with its configuration");
        }
    };
    if is_internal(seen) && !config.receiver.trusted_proxies.iter().any(|network| network.contains(seen)) {
        return report.warning(
            AREA,
            format!("livehook saw the probe come from {seen}, which is an internal address"),
            "if this is your proxy, all callbacks seem to come from it: limits for each address and `allowed_addresses` then fail",
            format!("if it is your proxy, set `receiver.trusted_proxies = [\"{seen}\"]`, and let it set X-Forwarded-For"),
        );
    }
    report.ok(
        AREA,
        format!("livehook saw the probe come from {seen}; compare it with the public address of this machine"),
    )
}

async fn client_of(config: &Config, probe: &str) -> anyhow::Result<Option<IpAddr>> {
    let certificates = config.admin.tls.as_ref().map(|files| files.cert_file.as_path());
    let service = Service::new(admin_url(&config.admin)?, TIMEOUT, config.admin.token.as_ref(), certificates)?;
    let page: Value = service.get("refusals?error=signature_expired&limit=20").await?;
    let refusals = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let refusal = refusals.iter().find(|refusal| refusal["members"]["stream_id"] == probe);
    Ok(refusal.and_then(|refusal| refusal["client"].as_str()?.parse().ok()))
}

/// Whether an address is not one of the Internet.
fn is_internal(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}
