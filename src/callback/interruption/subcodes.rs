//! The table of causes of single sub codes, which only the codes 18 and 21 have.

use super::category::ReasonCategory::{Operator, Rejected, Replaced};
use super::cause::Cause;

/// The causes of sub codes.
pub(super) const CAUSES: [Cause; 28] = [
    Cause {
        errcodes: &[18],
        subs: &[100, 101, 102, 103, 104],
        category: Rejected,
        meaning: "an internal error of CSS while it judged the push",
        actor: "the vendor",
        advice: "Push again. If it returns, open a ticket with domain, stream, node, errcode and the time of the \
                 stop.",
    },
    Cause {
        errcodes: &[18],
        subs: &[200],
        category: Rejected,
        meaning: "CSS finds no customer to whom the push URL belongs",
        actor: "the account owner",
        advice: "Check that the push domain is one of this account and spelt right in the URL. If so, open a ticket \
                 with domain and APPID.",
    },
    Cause {
        errcodes: &[18],
        subs: &[201],
        category: Rejected,
        meaning: "the account's live streaming service is closed",
        actor: "the account owner",
        advice: "See in the console whether the service was ever activated, or was closed, and activate it.",
    },
    Cause {
        errcodes: &[18],
        subs: &[202],
        category: Rejected,
        meaning: "the service is suspended since a bill is unpaid",
        actor: "the account owner",
        advice: "See the balance in the billing console and top up. Pushes work again some minutes later.",
    },
    Cause {
        errcodes: &[18],
        subs: &[203],
        category: Rejected,
        meaning: "the vendor has closed the service by force",
        actor: "the account owner",
        advice: "Look for the vendor's notice (messages of the console, e-mail of the account owner), and open a \
                 ticket with the APPID.",
    },
    Cause {
        errcodes: &[18],
        subs: &[300],
        category: Rejected,
        meaning: "the push URL names a bare IP address in place of a domain",
        actor: "the operator",
        advice: "Correct the URL in the encoder: a push must go to the push domain. A proxy or DNS override of the \
                 app may have put the address there.",
    },
    Cause {
        errcodes: &[18],
        subs: &[301],
        category: Rejected,
        meaning: "CSS does not know the push domain",
        actor: "the operator",
        advice: "Check the domain's spelling in the push URL, and that it is listed in the console's domain \
                 management as a push domain of this account.",
    },
    Cause {
        errcodes: &[18],
        subs: &[302],
        category: Rejected,
        meaning: "the push domain is invalid",
        actor: "the operator",
        advice: "See the domain's type and status in the console: it must be a push domain, its set-up finished, its \
                 CNAME and filing in order.",
    },
    Cause {
        errcodes: &[18],
        subs: &[303],
        category: Rejected,
        meaning: "the push domain is disabled",
        actor: "the operator",
        advice: "See the domain's status in the console and enable it. If nobody disabled it, look for a notice of \
                 the vendor.",
    },
    Cause {
        errcodes: &[18],
        subs: &[304],
        category: Rejected,
        meaning: "the AppName of the push URL is disabled",
        actor: "the operator",
        advice: "Check the path of the push URL (often `live`), and whether somebody disabled this AppName.",
    },
    Cause {
        errcodes: &[18],
        subs: &[305],
        category: Rejected,
        meaning: "the stream name is banned",
        actor: "the operator",
        advice: "See the banned streams in the console (DescribeLiveForbidStreamList) for since when and why, and \
                 lift the ban there or by ResumeLiveStream, if it may be lifted.",
    },
    Cause {
        errcodes: &[18],
        subs: &[306],
        category: Rejected,
        meaning: "channel mode is on, and the channel does not exist",
        actor: "the operator",
        advice: "Create the channel before the push, or check the channel's name in the push URL. Ask the vendor to \
                 leave channel mode if it is not wanted.",
    },
    Cause {
        errcodes: &[18],
        subs: &[307],
        category: Rejected,
        meaning: "channel mode is on, and the channel is closed",
        actor: "the operator",
        advice: "Open the channel again, or find who closed it. Ask the vendor to leave channel mode if it is not \
                 wanted.",
    },
    Cause {
        errcodes: &[18],
        subs: &[308],
        category: Rejected,
        meaning: "the stream name has characters that are not allowed",
        actor: "the operator, or the maker of the app",
        advice: "Build stream names of ASCII letters, digits, `_` and `-` only, and see that nothing is encoded twice \
                 in the push URL.",
    },
    Cause {
        errcodes: &[18],
        subs: &[309],
        category: Rejected,
        meaning: "the AppName has characters that are not allowed",
        actor: "the operator, or the maker of the app",
        advice: "Build the path of the push URL of ASCII letters, digits, `_` and `-` only, and check it for a \
                 doubled or missing `/`.",
    },
    Cause {
        errcodes: &[18],
        subs: &[400],
        category: Rejected,
        meaning: "the pusher's IP address is on the blocklist",
        actor: "the operator",
        advice: "Compare the callback's user_ip with the blocklist of the push domain. A broadcaster behind a shared \
                 address is blocked with its neighbours.",
    },
    Cause {
        errcodes: &[18],
        subs: &[401],
        category: Rejected,
        meaning: "the pusher's IP address is not on the allowlist",
        actor: "the operator",
        advice: "Compare the callback's user_ip with the allowlist of the push domain. Addresses of home and mobile \
                 lines change; an IPv6 address needs an entry too.",
    },
    Cause {
        errcodes: &[18],
        subs: &[500],
        category: Rejected,
        meaning: "the push URL has no expiry (txTime)",
        actor: "the app that signs push URLs",
        advice: "Make the app add txTime and txSecret, or see whether the encoder cut the URL at a `?` or `&`: many \
                 want the part after the path as the stream key.",
    },
    Cause {
        errcodes: &[18],
        subs: &[501],
        category: Rejected,
        meaning: "the push URL has expired (txTime has passed)",
        actor: "the app that signs push URLs",
        advice: "Read txTime in stream_param (hexadecimal Unix seconds) and give the broadcaster a new URL. If it was \
                 made just now, check its span and the signer's clock.",
    },
    Cause {
        errcodes: &[18],
        subs: &[502],
        category: Rejected,
        meaning: "the push URL has no authentication parameter (txSecret)",
        actor: "the app that signs push URLs",
        advice: "Make the app add txSecret, or see whether the encoder cut the URL at a `?` or `&`: many want the \
                 part after the path as the stream key.",
    },
    Cause {
        errcodes: &[18],
        subs: &[503],
        category: Rejected,
        meaning: "the push URL's signature (txSecret) is wrong",
        actor: "the app that signs push URLs",
        advice: "Compare the signer's key with that of the push domain in the console: was it changed, or is it \
                 another domain's? Then check that the signer hashed key, stream name and txTime exactly as they \
                 stand in the URL.",
    },
    Cause {
        errcodes: &[18],
        subs: &[600],
        category: Rejected,
        meaning: "the account has too many pushes at once",
        actor: "the operator, or the broadcaster",
        advice: "Count the live streams, look for forgotten ones and for reconnects that leave pushes behind, and ask \
                 the vendor for a higher limit.",
    },
    Cause {
        errcodes: &[18],
        subs: &[601],
        category: Rejected,
        meaning: "the stream name has too many pushes at once",
        actor: "the operator, or the broadcaster",
        advice: "Look for a second encoder on the same URL: compare user_ip among the pushes of this stream. Give \
                 each encoder a stream name of its own.",
    },
    Cause {
        errcodes: &[18],
        subs: &[602],
        category: Rejected,
        meaning: "a push of higher priority holds the stream name",
        actor: "the operator, or the broadcaster",
        advice: "Nothing, if this is the backup and the main push is live. If not, find the other encoder by its \
                 user_ip, and check the priorities in both push URLs.",
    },
    Cause {
        errcodes: &[21],
        subs: &[100],
        category: Operator,
        meaning: "the push was dropped by API or in the console",
        actor: "the operator",
        advice: "Ask who called DropLiveStream, or which job or moderation rule did. The broadcaster may push again \
                 at once.",
    },
    Cause {
        errcodes: &[21],
        subs: &[101],
        category: Operator,
        meaning: "the stream was banned by API or in the console",
        actor: "the operator",
        advice: "Ask who called ForbidLiveStream, or which job or moderation rule did. New pushes are rejected (18) \
                 until the ban ends or ResumeLiveStream lifts it.",
    },
    Cause {
        errcodes: &[21],
        subs: &[102],
        category: Replaced,
        meaning: "a new push of the same name took its place",
        actor: "the broadcaster",
        advice: "Nothing, if the broadcaster reconnected: the new push goes on. If it happens again and again, two \
                 encoders share one URL; compare their user_ip.",
    },
    Cause {
        errcodes: &[21],
        subs: &[103],
        category: Replaced,
        meaning: "it sent no data, so a new push of the same name took its place",
        actor: "the broadcaster",
        advice: "Nothing, if the broadcaster reconnected after a loss of network. If it returns, find why the first \
                 encoder fell silent: its input, its network.",
    },
];
