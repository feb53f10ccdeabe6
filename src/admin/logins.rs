//! Browsers that have shown the admin token. A browser gets a random cookie instead of the token, which expires.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::cookies::cookie;
use crate::clock::Clock;

/// The cookie of a login.
pub(super) const COOKIE: &str = "livehook_login";

/// How long a login lasts, in seconds.
pub(super) const LOGIN_SECS: u64 = 12 * 3600;

/// How many logins there are at most. A new one beyond that ends the oldest.
const LOGINS_MAX: usize = 1000;

/// The browsers that are logged in. A restart of the service forgets them.
pub(super) struct Logins {
    clock: Clock,
    /// By the digest of the cookie, so that a lookup reveals nothing about cookies by its time.
    by_digest: Mutex<HashMap<[u8; 32], Login>>,
}

/// One browser that is logged in.
#[derive(Clone)]
pub(super) struct Login {
    expires_ms: i64,
    /// A form that changes something must send this text. Another site can't read it, so it can't send such a form.
    form_token: String,
}

impl Login {
    /// The text that a form of this browser must send.
    pub(super) fn form_token(&self) -> &str {
        &self.form_token
    }

    /// Whether a form has sent this browser's text.
    pub(super) fn accepts_form(&self, form_token: &str) -> bool {
        self.form_token.as_bytes().ct_eq(form_token.as_bytes()).into()
    }
}

impl Logins {
    /// Makes an empty list.
    pub(super) fn new(clock: Clock) -> Logins {
        Logins { clock, by_digest: Mutex::default() }
    }

    /// Begins a login, and returns the value of its cookie; `None` if the system has no random numbers.
    pub(super) fn begin(&self) -> Option<String> {
        let (value, form_token) = (random_text()?, random_text()?);
        let now_ms = (self.clock)();
        let login = Login { expires_ms: now_ms.saturating_add(LOGIN_SECS as i64 * 1000), form_token };
        let mut logins = self.lock();
        logins.retain(|_, login| login.expires_ms > now_ms);
        if logins.len() >= LOGINS_MAX
            && let Some(oldest) = logins.iter().min_by_key(|(_, login)| login.expires_ms).map(|(digest, _)| *digest)
        {
            logins.remove(&oldest);
        }
        logins.insert(digest(&value), login);
        Some(value)
    }

    /// Returns the login of the browser that sent a request.
    pub(super) fn of(&self, headers: &HeaderMap) -> Option<Login> {
        let login = self.lock().get(&digest(cookie(headers, COOKIE)?)).cloned();
        login.filter(|login| login.expires_ms > (self.clock)())
    }

    /// Ends the login of the browser that sent a request.
    pub(super) fn end(&self, headers: &HeaderMap) {
        if let Some(value) = cookie(headers, COOKIE) {
            self.lock().remove(&digest(value));
        }
    }

    /// Ends every login, because the token has changed.
    pub(super) fn end_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Login>> {
        self.by_digest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(value: &str) -> [u8; 32] {
    Sha256::digest(value).into()
}

/// Returns 64 random hexadecimal digits.
fn random_text() -> Option<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use axum::http::HeaderValue;
    use axum::http::header;

    use super::*;

    static NOW_MS: AtomicI64 = AtomicI64::new(0);

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::try_from(format!("{COOKIE}={value}")).unwrap());
        headers
    }

    #[test]
    fn login_lasts_until_it_expires_or_ends() {
        let logins = Logins::new(|| NOW_MS.load(Ordering::Relaxed));
        let (one, other) = (logins.begin().unwrap(), logins.begin().unwrap());
        assert_ne!(one, other);
        let login = logins.of(&headers(&one)).unwrap();
        assert!(login.accepts_form(login.form_token()));
        assert!(!login.accepts_form("") && !login.accepts_form(&one));
        assert!(!login.accepts_form(logins.of(&headers(&other)).unwrap().form_token()));
        logins.end(&headers(&other));
        assert!(logins.of(&headers(&other)).is_none() && logins.of(&HeaderMap::new()).is_none());
        NOW_MS.store(LOGIN_SECS as i64 * 1000 - 1, Ordering::Relaxed);
        assert!(logins.of(&headers(&one)).is_some());
        NOW_MS.store(LOGIN_SECS as i64 * 1000, Ordering::Relaxed);
        assert!(logins.of(&headers(&one)).is_none());
        let third = logins.begin().unwrap();
        logins.end_all();
        assert!(logins.of(&headers(&third)).is_none());
    }

    #[test]
    fn logins_are_bounded() {
        let logins = Logins::new(|| 0);
        for _ in 0..LOGINS_MAX + 5 {
            logins.begin().unwrap();
        }
        assert_eq!(logins.lock().len(), LOGINS_MAX);
    }
}
