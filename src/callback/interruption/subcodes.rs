//! The causes of sub-codes, which only the codes 18 and 21 have.

use super::category::ReasonCategory::{Operator, Rejected, Replaced};
use super::cause::Cause;

/// The causes of sub-codes.
pub(super) const CAUSES: [Cause; 28] = [
    Cause {
        errcodes: &[18],
        subs: &[100, 101, 102, 103, 104],
        category: Rejected,
        meaning: "an internal error of CSS while it checked the push",
        actor: "the vendor",
        advice: "Push again. If the error returns, open a ticket with the domain, stream, node, errcode and time of the \
                 stop.",
    },
    Cause {
        errcodes: &[18],
        subs: &[200],
        category: Rejected,
        meaning: "CSS finds no customer for the push URL",
        actor: "the account owner",
        advice: "Check that the push domain belongs to this account and is spelled right in the URL. If so, open a ticket \
                 with the domain and the APPID.",
    },
    Cause {
        errcodes: &[18],
        subs: &[201],
        category: Rejected,
        meaning: "the account's live streaming service is closed",
        actor: "the account owner",
        advice: "Check in the console whether the service was never activated or was closed, and activate it.",
    },
    Cause {
        errcodes: &[18],
        subs: &[202],
        category: Rejected,
        meaning: "the service is suspended because a bill is unpaid",
        actor: "the account owner",
        advice: "Check the balance in the billing console, and top it up. Pushes work again some minutes later.",
    },
    Cause {
        errcodes: &[18],
        subs: &[203],
        category: Rejected,
        meaning: "the vendor closed the service by force",
        actor: "the account owner",
        advice: "Look for the vendor's notice in the console's messages or the account owner's e-mail, and open a ticket \
                 with the APPID.",
    },
    Cause {
        errcodes: &[18],
        subs: &[300],
        category: Rejected,
        meaning: "the push URL has an IP address instead of a domain",
        actor: "the operator",
        advice: "Correct the URL in the encoder: a push must go to the push domain. A proxy or a DNS override in the app \
                 may have put the address there.",
    },
    Cause {
        errcodes: &[18],
        subs: &[301],
        category: Rejected,
        meaning: "CSS does not know the push domain",
        actor: "the operator",
        advice: "Check the domain's spelling in the push URL. The console's domain management must list it as a push domain \
                 of this account.",
    },
    Cause {
        errcodes: &[18],
        subs: &[302],
        category: Rejected,
        meaning: "the push domain is invalid",
        actor: "the operator",
        advice: "Check the domain's type and status in the console: it must be a push domain, its setup must be finished, \
                 and its CNAME and filing must be in order.",
    },
    Cause {
        errcodes: &[18],
        subs: &[303],
        category: Rejected,
        meaning: "the push domain is disabled",
        actor: "the operator",
        advice: "Check the domain's status in the console, and enable it. If no one disabled it, look for a notice from the \
                 vendor.",
    },
    Cause {
        errcodes: &[18],
        subs: &[304],
        category: Rejected,
        meaning: "the AppName of the push URL is disabled",
        actor: "the operator",
        advice: "Check the path of the push URL (often `live`), and whether someone disabled this AppName.",
    },
    Cause {
        errcodes: &[18],
        subs: &[305],
        category: Rejected,
        meaning: "the stream name is banned",
        actor: "the operator",
        advice: "Look in the console's banned streams (DescribeLiveForbidStreamList) for the start and the reason of the \
                 ban. If the ban may be lifted, lift it there or by ResumeLiveStream.",
    },
    Cause {
        errcodes: &[18],
        subs: &[306],
        category: Rejected,
        meaning: "channel mode is on, but the channel does not exist",
        actor: "the operator",
        advice: "Create the channel before the push, or check the channel's name in the push URL. If you do not want \
                 channel mode, ask the vendor to turn it off.",
    },
    Cause {
        errcodes: &[18],
        subs: &[307],
        category: Rejected,
        meaning: "channel mode is on, but the channel is closed",
        actor: "the operator",
        advice: "Open the channel again, or find out who closed it. If you do not want channel mode, ask the vendor to turn \
                 it off.",
    },
    Cause {
        errcodes: &[18],
        subs: &[308],
        category: Rejected,
        meaning: "the stream name has characters that are not allowed",
        actor: "the operator, or the maker of the app",
        advice: "Use only ASCII letters, digits, `_` and `-` in stream names. Check that nothing in the push URL is encoded \
                 twice.",
    },
    Cause {
        errcodes: &[18],
        subs: &[309],
        category: Rejected,
        meaning: "the AppName has characters that are not allowed",
        actor: "the operator, or the maker of the app",
        advice: "Use only ASCII letters, digits, `_` and `-` in the path of the push URL. Check it for a doubled or missing \
                 `/`.",
    },
    Cause {
        errcodes: &[18],
        subs: &[400],
        category: Rejected,
        meaning: "the pusher's IP address is on the blocklist",
        actor: "the operator",
        advice: "Compare the callback's user_ip with the blocklist of the push domain. All broadcasters behind a shared \
                 address are blocked together.",
    },
    Cause {
        errcodes: &[18],
        subs: &[401],
        category: Rejected,
        meaning: "the pusher's IP address is not on the allowlist",
        actor: "the operator",
        advice: "Compare the callback's user_ip with the allowlist of the push domain. Addresses of home and mobile \
                 connections change, and an IPv6 address needs its own entry.",
    },
    Cause {
        errcodes: &[18],
        subs: &[500],
        category: Rejected,
        meaning: "the push URL has no expiry (txTime)",
        actor: "the app that signs push URLs",
        advice: "Make the app add txTime and txSecret, or check whether the encoder cut the URL at a `?` or `&`: many \
                 encoders want the part after the path as the stream key.",
    },
    Cause {
        errcodes: &[18],
        subs: &[501],
        category: Rejected,
        meaning: "the push URL has expired (txTime has passed)",
        actor: "the app that signs push URLs",
        advice: "Read txTime in stream_param (hexadecimal Unix seconds), and give the broadcaster a new URL. If this one \
                 was new, check how long it was valid, and the signer's clock.",
    },
    Cause {
        errcodes: &[18],
        subs: &[502],
        category: Rejected,
        meaning: "the push URL has no authentication parameter (txSecret)",
        actor: "the app that signs push URLs",
        advice: "Make the app add txSecret, or check whether the encoder cut the URL at a `?` or `&`: many encoders want \
                 the part after the path as the stream key.",
    },
    Cause {
        errcodes: &[18],
        subs: &[503],
        category: Rejected,
        meaning: "the push URL's signature (txSecret) is wrong",
        actor: "the app that signs push URLs",
        advice: "Compare the signer's key with the push domain's key in the console: was it changed, or does it belong to \
                 another domain? Then check that the signer hashed the key, the stream name and txTime exactly as they are \
                 in the URL.",
    },
    Cause {
        errcodes: &[18],
        subs: &[600],
        category: Rejected,
        meaning: "the account has too many pushes at once",
        actor: "the operator, or the broadcaster",
        advice: "Count the live streams. Look for forgotten ones, and for reconnects that leave old pushes open. If you \
                 need them all, ask the vendor for a higher limit.",
    },
    Cause {
        errcodes: &[18],
        subs: &[601],
        category: Rejected,
        meaning: "the stream name has too many pushes at once",
        actor: "the operator, or the broadcaster",
        advice: "Look for a second encoder on the same URL: compare the user_ip of this stream's pushes. Give each encoder \
                 its own stream name.",
    },
    Cause {
        errcodes: &[18],
        subs: &[602],
        category: Rejected,
        meaning: "a push of higher priority already uses the stream name",
        actor: "the operator, or the broadcaster",
        advice: "If this is the backup and the main push is live, do nothing. If not, find the other encoder by its \
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
        meaning: "a new push of the same name replaced it",
        actor: "the broadcaster",
        advice: "If the broadcaster reconnected, do nothing: the new push goes on. If it happens again and again, two \
                 encoders share one URL: compare their user_ip.",
    },
    Cause {
        errcodes: &[21],
        subs: &[103],
        category: Replaced,
        meaning: "it sent no data, so a new push of the same name replaced it",
        actor: "the broadcaster",
        advice: "If the broadcaster reconnected after a loss of network, do nothing. If it happens again, find out why the \
                 first encoder sent no data: check its input and its network.",
    },
];
