//! Guesses the sub-code of 18 and 21 from `errmsg`, by words in English and Chinese.
//!
//! The vendor doesn't document this text, and has changed it over the years. So a rule needs only the words that distinguish one
//! cause from the others. An unclear text gives no hint.

/// How many characters of an `errmsg` are read. The vendor's texts have fewer than a hundred.
const CHARACTERS_MAX: usize = 400;

/// A sub-code, and the words that hint at it. A text must have at least one word of each list.
struct Rule {
    sub: i64,
    needs: &'static [&'static [&'static str]],
}

const fn rule(sub: i64, needs: &'static [&'static [&'static str]]) -> Rule {
    Rule { sub, needs }
}

const ADDRESS: &[&str] = &["ip", "address", "地址"];
const APP_NAME: &[&str] = &["appname", "app name", "application", "应用"];
const CHANNEL: &[&str] = &["channel", "频道"];
const CHARACTERS: &[&str] = &["character", "字符"];
const DOMAIN: &[&str] = &["domain", "域名"];
const EXPIRY: &[&str] = &["expir", "txtime", "过期", "有效期"];
const SERVICE: &[&str] = &["service", "服务"];
const SIGNATURE: &[&str] = &["auth", "txsecret", "signature", "鉴权", "签名"];
const STREAM_NAME: &[&str] =
    &["stream name", "stream id", "streamname", "stream_id", "streamid", "流名", "流 id", "流id"];

const BANNED: &[&str] = &["forbid", "banned", "banning", "prohibit", "disable", "禁"];
const CLOSED: &[&str] = &["disable", "close", "shut", "停用", "关闭", "禁用", "停止"];
const EXCEEDED: &[&str] = &["exceed", "too many", "超过", "超出", "超限", "上限"];
const INVALID: &[&str] = &["invalid", "illegal", "not valid", "无效", "非法", "不合法"];
const MISSING: &[&str] = &[
    "not carry",
    "not carried",
    "not contain",
    "without",
    "missing",
    "lack",
    "no expir",
    "no txtime",
    "no auth",
    "no txsecret",
    "no signature",
    "未携带",
    "未带",
    "没有",
    "缺少",
    "缺失",
    "不带",
    "不存在",
];
const NOT_ALLOWED: &[&str] = &["not allow", "not support", "forbid", "prohibit", "不允许", "不支持", "禁止"];
const NOT_FOUND: &[&str] = &[
    "unknown",
    "unable",
    "cannot",
    "can't",
    "fail",
    "not found",
    "not recogni",
    "not identif",
    "not exist",
    "无法",
    "失败",
    "未知",
    "未找到",
    "不存在",
    "不到",
];
const WRONG: &[&str] = &[
    "fail",
    "invalid",
    "error",
    "wrong",
    "incorrect",
    "mismatch",
    "not match",
    "失败",
    "错误",
    "不正确",
    "不匹配",
    "不通过",
    "未通过",
    "无效",
];

/// The rules for 18. The first rule that fits decides, so the more special ones come first.
const REJECTED: &[Rule] = &[
    rule(202, &[&["arrear", "overdue", "unpaid", "insufficient balance", "欠费", "余额不足"]]),
    rule(203, &[SERVICE, &["forcibly", "forced", "by force", "强制"]]),
    rule(200, &[&["customer", "user info", "客户信息", "用户信息"], NOT_FOUND]),
    rule(400, &[ADDRESS, &["blocklist", "block list", "blacklist", "black list", "denylist", "黑名单"]]),
    rule(401, &[ADDRESS, &["allowlist", "allow list", "whitelist", "white list", "白名单"]]),
    rule(306, &[CHANNEL, &["not created", "not been created", "not exist", "not found", "未创建", "不存在"]]),
    rule(307, &[CHANNEL, CLOSED]),
    rule(309, &[APP_NAME, CHARACTERS]),
    rule(308, &[STREAM_NAME, CHARACTERS]),
    rule(303, &[DOMAIN, BANNED]),
    rule(303, &[DOMAIN, CLOSED]),
    rule(302, &[DOMAIN, INVALID]),
    rule(301, &[DOMAIN, NOT_FOUND]),
    rule(304, &[APP_NAME, BANNED]),
    rule(304, &[APP_NAME, CLOSED]),
    rule(602, &[&["priority", "优先级"]]),
    rule(601, &[STREAM_NAME, EXCEEDED]),
    rule(600, &[&["number of", "too many", "推流数", "路数", "数量", "个数"], EXCEEDED]),
    rule(305, &[STREAM_NAME, BANNED]),
    rule(305, &[&["禁推"]]),
    rule(300, &[ADDRESS, &["push", "publish", "推流"], NOT_ALLOWED]),
    rule(201, &[SERVICE, CLOSED]),
    rule(500, &[EXPIRY, MISSING]),
    rule(
        501,
        &[
            &["expired", "已过期", "已经过期", "已失效"],
            &["time", "url", "param", "txtime", "auth", "push", "时间", "参数", "鉴权", "地址", "链接"],
        ],
    ),
    rule(502, &[SIGNATURE, MISSING]),
    // Before 503, because CSS can also fail while it checks a signature.
    rule(100, &[&["internal", "内部"]]),
    rule(503, &[SIGNATURE, WRONG]),
];

/// The rules for 21. The first rule that fits decides.
const STOPPED: &[Rule] = &[
    // Before 102, whose words every text for 103 has too.
    rule(103, &[REPLACED, &["no data", "without data", "无数据", "没有数据"]]),
    rule(102, &[REPLACED]),
    rule(101, &[&["forbid", "banned", "banning", "prohibit", "禁推", "禁播", "禁止", "封禁"]]),
    rule(100, &[&["drop"]]),
    rule(
        100,
        &[
            &["interrupt", "stop", "disconnect", "断流", "断开", "停止"],
            &["request", "api", "interface", "command", "请求", "接口", "指令"],
        ],
    ),
];

const REPLACED: &[&str] = &["replace", "supersede", "new push", "替换", "取代", "顶替", "新的推流", "新推流"];

/// Returns the sub-code that an `errmsg` hints at. `None` for codes without sub-codes, and for unclear texts. If several sub-codes
/// share one cause, returns the first.
pub(super) fn sub(errcode: i64, errmsg: &str) -> Option<i64> {
    let rules = match errcode {
        18 => REJECTED,
        21 => STOPPED,
        _ => return None,
    };
    let text: String = errmsg.chars().take(CHARACTERS_MAX).flat_map(char::to_lowercase).collect();
    let has = |words: &&[&str]| words.iter().any(|word| has_word(&text, word));
    rules.iter().find(|rule| rule.needs.iter().all(has)).map(|rule| rule.sub)
}

/// Returns whether a word of the text starts with `beginning`: `ip` is in `ip: 10.0.0.1`, but not in `clip`. Chinese is found
/// anywhere, because it has no spaces between words.
fn has_word(text: &str, beginning: &str) -> bool {
    let is_latin = beginning.starts_with(|first: char| first.is_ascii_alphanumeric());
    text.match_indices(beginning)
        .any(|(position, _)| !(is_latin && text[..position].ends_with(|before: char| before.is_ascii_alphanumeric())))
}
