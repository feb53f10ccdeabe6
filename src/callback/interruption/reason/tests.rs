//! The table against the facts, written out here a second time, and the hints.

use std::collections::HashSet;

use ReasonCategory::{Client, Content, Idle, Internal, Network, Operator, Rejected, Replaced, Unknown};
use proptest::prelude::*;

use super::*;

/// The category of every code from 0 to 39.
const CODES: [ReasonCategory; 40] = [
    Unknown, Client, Client, Client, Client, Internal, Content, Content, Idle, Internal, Internal, Internal, Network,
    Network, Network, Network, Network, Network, Rejected, Rejected, Idle, Replaced, Unknown, Content, Internal,
    Unknown, Unknown, Unknown, Unknown, Unknown, Unknown, Unknown, Unknown, Content, Unknown, Client, Unknown,
    Operator, Internal, Content,
];

/// Every sub-code of 18.
const REJECTED_SUBS: [i64; 28] = [
    100, 101, 102, 103, 104, 200, 201, 202, 203, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 400, 401, 500, 501,
    502, 503, 600, 601, 602,
];

#[test]
fn every_code_has_its_category() {
    for (errcode, expected) in (0..).zip(CODES) {
        let reason = Reason::of(Some(errcode), None);
        assert_eq!((reason.errcode, reason.category), (Some(errcode), expected), "{errcode}");
        assert_eq!((reason.sub, reason.is_hint), (None, false), "{errcode}");
    }
}

#[test]
fn list_has_every_code_once_in_order() {
    let listed: Vec<_> = Interruption::all().map(|line| (line.errcode, line.sub, line.category)).collect();
    let mut expected = Vec::new();
    for (errcode, category) in (0..).zip(CODES) {
        expected.push((errcode, None, category));
        if errcode == 18 {
            expected.extend(REJECTED_SUBS.map(|sub| (18, Some(sub), Rejected)));
        }
        if errcode == 21 {
            let subs = [(100, Operator), (101, Operator), (102, Replaced), (103, Replaced)];
            expected.extend(subs.map(|(sub, category)| (21, Some(sub), category)));
        }
    }
    assert_eq!(listed, expected);
}

#[test]
fn codes_of_one_cause_say_the_same() {
    let meaning = |errcode| Reason::of(Some(errcode), None).meaning;
    for same in [&[1, 2, 35][..], &[5, 9, 11, 24, 38], &[6, 23], &[8, 20], &[12, 13, 14, 15, 16, 17], &[22, 32, 36]] {
        assert!(same.iter().all(|errcode| meaning(*errcode) == meaning(same[0])), "{same:?}");
    }
    let apart = [0, 1, 3, 4, 5, 6, 7, 8, 10, 12, 18, 19, 21, 22, 33, 37, 39, 40];
    assert_eq!(apart.iter().map(|errcode| meaning(*errcode)).collect::<HashSet<_>>().len(), apart.len());
}

#[test]
fn unlisted_and_absent_codes_are_unknown() {
    for errcode in [40, 99, 100, 102, 501, -1, i64::MIN, i64::MAX] {
        let reason = Reason::of(Some(errcode), Some("txTime expired"));
        assert_eq!((reason.errcode, reason.category, reason.is_hint), (Some(errcode), Unknown, false));
        assert!(reason.meaning.contains("not in the vendor's table"));
    }
    let absent = Reason::of(None, Some("txTime expired"));
    assert_eq!((absent.errcode, absent.category, absent.is_hint), (None, Unknown, false));
    assert!(absent.meaning.contains("no errcode"));
}

#[test]
fn texts_are_whole_and_short() {
    let unlisted = [Reason::of(None, None), Reason::of(Some(-1), None)];
    for reason in Interruption::all().map(Reason::from).chain(unlisted) {
        assert!(reason.meaning.len() <= 80 && !reason.meaning.ends_with('.'), "{}", reason.meaning);
        assert!(reason.advice.len() <= 300 && reason.advice.ends_with('.'), "{}", reason.advice);
        assert!(!reason.actor.is_empty() && !reason.actor.ends_with('.'), "{}", reason.actor);
        for text in [reason.meaning, reason.advice, reason.actor] {
            assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.contains("  "), "{text}");
        }
    }
}

fn hint(errcode: i64, errmsg: &str) -> Option<i64> {
    let reason = Reason::of(Some(errcode), Some(errmsg));
    assert_eq!(reason.errcode, Some(errcode));
    assert!(reason.sub.is_none() || reason.is_hint);
    reason.sub
}

/// Checks the sub-code that each text hints at, also in upper case and after other words.
fn check_hints(errcode: i64, hints: &[(i64, [&str; 2])]) {
    for (sub, errmsgs) in hints {
        for errmsg in errmsgs {
            assert_eq!(hint(errcode, errmsg), Some(*sub), "{errmsg}");
            let upper = format!("PUSH REJECTED: {}", errmsg.to_uppercase());
            assert_eq!(hint(errcode, &upper), Some(*sub), "{upper}");
        }
    }
}

#[test]
fn hints_for_18_in_both_languages() {
    let hints = [
        (200, ["failed to get the customer information of the push", "获取推流地址对应的客户信息失败"]),
        (201, ["the live service has been disabled", "您的直播服务已停用"]),
        (202, ["The service is suspended because of ARREARS", "云直播服务因欠费被停用"]),
        (203, ["the service was forcibly disabled", "直播服务被强制关闭"]),
        (300, ["Pushing to an IP address is not allowed", "不允许使用 IP 地址推流"]),
        (301, ["Unable to identify the push domain", "无法识别推流域名"]),
        (302, ["push domain name is invalid", "推流域名无效"]),
        (303, ["Push domain is disabled", "推流域名已被禁用"]),
        (304, ["push AppName disabled", "推流应用名被禁用"]),
        (305, ["the pushed stream name is in forbidden status", "推流流名处于禁推状态"]),
        (306, ["channel mode, but the push channel has not been created", "频道模式，推流频道未创建"]),
        (307, ["channel mode, and the channel is disabled", "频道模式，当前推流频道已关闭"]),
        (308, ["Stream name contains invalid characters", "推流流名含有非法字符"]),
        (309, ["application name contains invalid characters", "推流应用名含有非法字符"]),
        (400, ["client IP is in the blacklist", "推流客户端IP在黑名单中"]),
        (401, ["client IP not in the allowlist", "推流客户端 IP 不在白名单"]),
        (500, ["push does not carry the expiration time", "推流未携带过期时间参数"]),
        (501, ["the value of the expiration time has expired", "推流过期时间参数已过期"]),
        (502, ["authentication parameter missing", "推流没有携带鉴权参数"]),
        (503, ["Authentication parameter verification failed", "推流鉴权参数校验失败"]),
        (600, ["the number of pushes exceeds the maximum", "当前推流数超过最大值"]),
        (601, ["pushes of this stream name exceed the maximum", "当前流名对应的推流数超过最大值"]),
        (602, ["lower priority than the current push", "当前推流的优先级低于已有推流"]),
    ];
    check_hints(18, &hints);
}

#[test]
fn shared_causes_hint_at_no_sub_code() {
    for errmsg in ["CSS internal error", "系统内部错误", "authentication failed: internal error"] {
        let reason = Reason::of(Some(18), Some(errmsg));
        assert_eq!((reason.sub, reason.is_hint, reason.actor), (None, true, "the vendor"), "{errmsg}");
    }
}

#[test]
fn special_cause_wins_over_general_one() {
    for (errmsg, sub) in [
        ("authentication failed: txTime expired", 501),
        ("authentication failed: txTime is missing", 500),
        ("authentication failed: no txSecret", 502),
        ("authentication failed", 503),
        ("推流客户端鉴权失败", 503),
        ("the push of this stream name was refused since the domain is disabled", 303),
        ("service disabled, account in arrears", 202),
        ("IP push not allowed: 10.0.0.1 is not in whitelist", 401),
        ("stream name test: appname forbidden", 304),
    ] {
        assert_eq!(hint(18, errmsg), Some(sub), "{errmsg}");
    }
}

#[test]
fn hints_for_21_in_both_languages() {
    let hints = [
        (100, ["A push interruption request was received", "收到客户断流请求"]),
        (100, ["dropped by API", "接口断流"]),
        (100, ["DropLiveStream", "stream dropped"]),
        (101, ["ForbidLiveStream", "禁播"]),
        (101, ["received a request that forbids the stream", "收到客户禁推请求"]),
        (102, ["A new push replaces the current one", "收到新的推流，替换当前推流"]),
        (103, ["replaced by a new push since it had no data", "当前推流无数据，被新推流替换"]),
    ];
    check_hints(21, &hints);
    assert_eq!(Reason::of(Some(21), Some("dropped by API")).category, Operator);
    assert_eq!(Reason::of(Some(21), Some("replaced")).category, Replaced);
}

#[test]
fn unrelated_text_gives_no_hint() {
    for errmsg in [
        "",
        "ok",
        "OK",
        "Maybe Error return Data no record!",
        "The push client actively stopped the push",
        "rejected",
        "推流被拒绝",
        "push interrupted",
        "推流中断",
        "the clip was unauthorized, bandwidth low",
        "domain",
        "域名",
        "stream s1 of live.example.com",
        "expiration",
        "txSecret=REDACTED&txTime=5C2A3CFF",
    ] {
        for errcode in [18, 21] {
            let reason = Reason::of(Some(errcode), Some(errmsg));
            assert_eq!(reason, Reason::of(Some(errcode), None), "{errcode} {errmsg}");
        }
    }
}

#[test]
fn too_many_pushes_have_two_actors() {
    let of = |sub| Interruption::all().find(|line| (line.errcode, line.sub) == (18, Some(sub))).unwrap().actor;
    assert_eq!([of(600), of(601), of(602)], ["the operator, or the broadcaster"; 3]);
}

#[test]
fn errmsg_counts_for_two_codes_only() {
    for errcode in (0..40).filter(|errcode| ![18, 21].contains(errcode)) {
        for errmsg in ["push domain is disabled", "replaced by a new push", "内部错误"] {
            assert_eq!(Reason::of(Some(errcode), Some(errmsg)), Reason::of(Some(errcode), None), "{errcode}");
        }
    }
}

#[test]
fn huge_errmsg_is_read_in_part() {
    let far = format!("{}expired txTime", "鉴".repeat(5_000_000));
    assert_eq!(hint(18, &far), None);
    assert_eq!(hint(18, &format!("txTime expired {far}")), Some(501));
}

#[test]
fn reasons_show_their_category_as_a_word() {
    let reason = serde_json::to_value(Reason::of(Some(21), Some("dropped by API"))).unwrap();
    assert_eq!(reason["category"], "operator");
    assert_eq!((reason["errcode"].as_i64(), reason["sub"].as_i64()), (Some(21), Some(100)));
    assert_eq!(reason["is_hint"], true);
}

proptest! {
    #[test]
    fn no_text_does_harm(errcode in prop_oneof![Just(18i64), Just(21), any::<i64>()], errmsg in any::<String>()) {
        let reason = Reason::of(Some(errcode), Some(&errmsg));
        prop_assert_eq!(reason.errcode, Some(errcode));
        prop_assert!(reason.sub.is_none() || reason.is_hint);
    }

    #[test]
    fn words_in_any_order_and_case_do_no_harm(
        errcode in prop_oneof![Just(18i64), Just(21)],
        words in prop::collection::vec(prop_oneof![
            Just("expired"), Just("IP"), Just("ſ"), Just("İ"), Just("域名"), Just("禁"), Just("replace"), Just("\0"), Just("Σ"),
        ], 0..40),
    ) {
        let reason = Reason::of(Some(errcode), Some(&words.concat()));
        let listed = Interruption::all().any(|line| line.errcode == errcode && line.meaning == reason.meaning);
        prop_assert!(listed);
    }
}
