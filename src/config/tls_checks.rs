//! Checks the files of a listener's TLS: whether they can be read, are right, and belong together.

use std::io::ErrorKind;
use std::path::Path;

use super::exposure;
use super::findings::Findings;
use super::mistake::Mistake;
use super::surroundings::Surroundings;
use crate::tls::{Identity, ServerFiles};

const NOT_PEM_CURE: &str =
    "convert it to PEM: `openssl x509 -inform DER -in FILE -out cert.pem`, or for a key `openssl pkey`";

/// Checks the files of the table `table`, for example `receiver.tls`. Warns of what clients may refuse.
pub(super) fn check(
    table: &str,
    files: Option<&ServerFiles>,
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) {
    let Some(files) = files else { return };
    let (cert_key, key_key) = (format!("{table}.cert_file"), format!("{table}.key_file"));
    let certificates = text_of(&cert_key, &files.cert_file, surroundings, findings);
    let key = text_of(&key_key, &files.key_file, surroundings, findings);
    let (Some(certificates), Some(key)) = (certificates, key) else { return };
    exposure::warn_of_file(&key_key, &files.key_file, surroundings, findings);
    match Identity::from_pem(certificates.as_bytes(), key.as_bytes()) {
        Ok(identity) => {
            for doubt in identity.doubts(surroundings.now_ms() / 1000) {
                findings.warn(format!("{cert_key}: {doubt}"));
            }
        }
        Err(error) => {
            let (key, path) =
                if error.is_about_key() { (key_key, &files.key_file) } else { (cert_key, &files.cert_file) };
            findings.mistake(Mistake::new(key, error.to_string()).quoted(path.to_string_lossy()));
        }
    }
}

fn text_of(key: &str, path: &Path, surroundings: &dyn Surroundings, findings: &mut Findings) -> Option<String> {
    let mistake = match surroundings.read(path) {
        Ok(text) => return Some(text),
        Err(error) if error.kind() == ErrorKind::InvalidData => Mistake::new(key, "is not PEM text").cure(NOT_PEM_CURE),
        Err(error) => Mistake::new(key, format!("cannot be read: {error}"))
            .cure("correct the path, or allow livehook's user to read the file"),
    };
    findings.mistake(mistake.quoted(path.to_string_lossy()));
    None
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{World, lines};
    use crate::tls::testing::Wanted;

    const TLS: &str = "[receiver]\ntls = { cert_file = \"/tls/cert.pem\", key_file = \"/tls/key.pem\" }";

    fn world(certificates: &str, key: &str) -> World {
        World::with_key().file("/tls/cert.pem", certificates).file("/tls/key.pem", key)
    }

    #[test]
    fn files_are_checked_together() {
        let pair = Wanted::of("a.example.com").self_signed();
        let config = world(&pair.certificate, &pair.key).load(TLS).unwrap();
        assert_eq!(config.warnings, [""; 0]);
        assert_eq!(config.receiver.tls.unwrap().key_file.to_str(), Some("/tls/key.pem"));

        let other = Wanted::of("b.example.com").self_signed();
        let mistakes = world(&pair.certificate, &other.key).load(TLS).unwrap_err();
        let mismatch = "2: receiver.tls.key_file = \"/tls/key.pem\": the key does not belong to the certificate; give the two files that were made together";
        assert_eq!(lines(&mistakes), [mismatch]);
        let swapped = world(&pair.key, &pair.certificate).load(TLS).unwrap_err();
        assert!(
            lines(&swapped)[0]
                .starts_with("2: receiver.tls.cert_file = \"/tls/cert.pem\": there is no certificate in it")
        );

        let missing = World::with_key().load(TLS).unwrap_err();
        assert_eq!(lines(&missing).len(), 2, "{missing}");
        let half = World::with_key().load("[admin]\ntls = { cert_file = \"/tls/cert.pem\" }").unwrap_err();
        assert_eq!(lines(&half), ["2: admin.tls.key_file: is missing"]);
        let wrong = World::with_key().load("[admin]\ntls = true").unwrap_err();
        assert_eq!(lines(&wrong), ["2: admin.tls = true: must be a table, with keys and values in { }"]);
    }

    #[test]
    fn doubts_are_warnings() {
        let now_secs = World::NOW_MS / 1000;
        let pair = Wanted::of("a.example.com").valid(now_secs - 90 * 86_400, now_secs - 1).self_signed();
        let config = world(&pair.certificate, &pair.key).permissions("/tls/key.pem", 0o644).load(TLS).unwrap();
        let [exposed, expired] = config.warnings.as_slice() else { panic!("{:?}", config.warnings) };
        assert!(
            exposed.starts_with("receiver.tls.key_file: other users of this machine can read the file"),
            "{exposed}"
        );
        assert!(expired.starts_with("receiver.tls.cert_file: the certificate has expired"), "{expired}");
    }
}
