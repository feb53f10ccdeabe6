//! Finds the likely cause that the newest refusals share.

use std::net::IpAddr;

use crate::receiver::KeptRefusal;

/// How many of the newest refusals are compared.
pub(super) const COMPARED: usize = 20;

/// The fewest refusals that can share a cause.
const ALIKE_MIN: usize = 3;

/// The part of a refusal that shows its cause.
#[derive(Clone, Copy, Debug)]
struct Symptom {
    error: &'static str,
    client: IpAddr,
    late_secs: Option<i64>,
}

/// A cause that most of the newest refusals share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Every signature differs.
    OtherKey,
    /// No callback is signed.
    NoKey,
    /// All came about this many seconds after their signatures had expired.
    Clock(i64),
    /// All came late, by different times.
    Delay,
    /// This sender, probably a proxy, hides the addresses of the others.
    Proxy(IpAddr),
    /// All came from this address, and none was a callback.
    Stranger(IpAddr),
    /// Several senders post to a wrong path, or what they send is no callback.
    WrongUrl,
}

impl Cause {
    /// Returns the cause that most of these refusals share; `None` if they differ, or are too few to say.
    pub(super) fn shared_by<'a>(refusals: impl IntoIterator<Item = &'a KeptRefusal>) -> Option<Cause> {
        let symptoms = refusals.into_iter().take(COMPARED).map(|refusal| Symptom {
            error: refusal.error,
            client: refusal.client,
            late_secs: refusal.late_secs(),
        });
        cause(&symptoms.collect::<Vec<_>>())
    }
}

fn cause(symptoms: &[Symptom]) -> Option<Cause> {
    let error = symptoms.first()?.error;
    let alike: Vec<_> = symptoms.iter().filter(|symptom| symptom.error == error).collect();
    // A stranger who tries now and then hides no cause.
    if alike.len() < ALIKE_MIN || alike.len() * 5 < symptoms.len() * 4 {
        return None;
    }
    let client = alike.first()?.client;
    let has_one_client = alike.iter().all(|symptom| symptom.client == client);
    match error {
        "signature_mismatch" => Some(Cause::OtherKey),
        "signature_missing" => Some(Cause::NoKey),
        "signature_expired" => Some(lateness(alike.iter().filter_map(|symptom| symptom.late_secs).collect())),
        "address_not_allowed" if has_one_client => Some(Cause::Proxy(client)),
        "malformed" | "not_found" | "method_not_allowed" if has_one_client => Some(Cause::Stranger(client)),
        "malformed" | "not_found" | "method_not_allowed" => Some(Cause::WrongUrl),
        _ => None,
    }
}

/// A clock that is wrong makes all callbacks late by about the same time. A queue on the way does not.
fn lateness(mut late_secs: Vec<i64>) -> Cause {
    late_secs.sort_unstable();
    let (Some(least), Some(most)) = (late_secs.first(), late_secs.last()) else { return Cause::Delay };
    let median = late_secs[late_secs.len() / 2];
    if most - least <= (median / 2).max(10) { Cause::Clock(median) } else { Cause::Delay }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refusals with this word, each of another client with this lateness.
    fn symptoms(error: &'static str, late_secs: &[i64]) -> Vec<Symptom> {
        let symptom = |(number, late): (u8, &i64)| Symptom {
            error,
            client: IpAddr::from([192, 0, 2, number]),
            late_secs: Some(*late),
        };
        (0..).zip(late_secs).map(symptom).collect()
    }

    #[test]
    fn shared_cause_is_found() {
        for (error, late_secs, expected) in [
            ("signature_mismatch", [0; 3], Some(Cause::OtherKey)),
            ("signature_missing", [0; 3], Some(Cause::NoKey)),
            ("signature_expired", [28, 31, 35], Some(Cause::Clock(31))),
            ("signature_expired", [7200, 7000, 9000], Some(Cause::Clock(7200))),
            ("signature_expired", [2, 600, 30], Some(Cause::Delay)),
            ("not_found", [0; 3], Some(Cause::WrongUrl)),
            ("address_not_allowed", [0; 3], None),
            ("timeout", [0; 3], None),
        ] {
            assert_eq!(cause(&symptoms(error, &late_secs)), expected, "{error} {late_secs:?}");
        }
        let mut one_client = symptoms("address_not_allowed", &[0; 3]);
        let client = one_client[0].client;
        one_client.iter_mut().for_each(|symptom| symptom.client = client);
        assert_eq!(cause(&one_client), Some(Cause::Proxy(client)));
        one_client.iter_mut().for_each(|symptom| symptom.error = "not_found");
        assert_eq!(cause(&one_client), Some(Cause::Stranger(client)));
    }

    #[test]
    fn few_or_mixed_refusals_share_none() {
        assert_eq!(cause(&[]), None);
        assert_eq!(cause(&symptoms("signature_mismatch", &[0; 2])), None);
        let mixed = |others: usize| {
            let mut symptoms = symptoms("signature_mismatch", &[0; 8]);
            let others: Vec<_> =
                symptoms[..others].iter().map(|other| Symptom { error: "timeout", ..*other }).collect();
            symptoms.extend(others);
            cause(&symptoms)
        };
        assert_eq!((mixed(2), mixed(3)), (Some(Cause::OtherKey), None));
    }
}
