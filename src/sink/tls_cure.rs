//! Says what to do about a TLS connection that fails.

/// Returns the cure for the text of a TLS error; `None` if it's no TLS error.
pub(super) fn tls_cure(cause: &str) -> Option<&'static str> {
    let cures: [(&str, &str); 10] = [
        (
            "UnknownIssuer",
            "no CA that livehook trusts has signed the certificate: put the CA's certificate, or the receiver's own, into `ca_file`",
        ),
        (
            "BadSignature",
            "another CA of the same name has signed the certificate: put the present CA's certificate into `ca_file`",
        ),
        (
            "CaUsedAsEndEntity",
            "the certificate is self-signed: put it into `ca_file`, for example with `openssl s_client -connect HOST:443`",
        ),
        ("UnsupportedCertVersion", "the certificate has X.509 version 1: make a new one, with `openssl req -x509`"),
        ("xpired", "renew the certificate of the receiver, and check the clock of this machine"),
        ("alid yet", "check the clock of this machine, and the dates of the receiver's certificate"),
        ("NotValidYet", "check the clock of this machine, and the dates of the receiver's certificate"),
        (
            "ot valid for",
            "the certificate is for another host: use a name of the certificate in `url`, or make a new certificate",
        ),
        ("InvalidContentType", "the receiver answers without TLS: use http:// in `url`, or its TLS port"),
        (
            "CertificateRequired",
            "the server wants a client certificate: set `client_certificate_file` and `client_key_file`, which the sinks of servers \
             have; `http` can't send one",
        ),
    ];
    let known = cures.into_iter().find(|(part, _)| cause.contains(part)).map(|(_, cure)| cure);
    let is_tls = ["certificate", "TLS", "handshake", "fatal alert", "peer "].iter().any(|part| cause.contains(part));
    known.or(is_tls.then_some("check the certificate and the TLS versions of the receiver, and `ca_file`"))
}
