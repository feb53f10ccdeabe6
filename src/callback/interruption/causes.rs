//! The causes of whole codes. The causes of sub-codes are in `subcodes`.

use super::category::ReasonCategory::{
    Client, Content, Idle, Internal, Manual, Network, Operator, Rejected, Replaced, Unknown,
};
use super::cause::Cause;

/// The causes of whole codes.
pub(super) const CAUSES: [Cause; 17] = [
    Cause {
        errcodes: &[1, 2, 35],
        subs: &[],
        category: Client,
        meaning: "the pusher ended the push",
        actor: "no one: this is a normal end",
        advice: "If the broadcast was over, do nothing. If not, find the cause in the log of the encoder or app: a person, \
                 a crash, or an automatic restart.",
    },
    Cause {
        errcodes: &[3],
        subs: &[],
        category: Client,
        meaning: "the pusher closed the TCP connection without ending the push first",
        actor: "no one, or the maker of the broadcaster's app",
        advice: "If the broadcast was over, do nothing: many encoders end this way. If not, look for a crash, or for a \
                 phone app that was closed or put in the background.",
    },
    Cause {
        errcodes: &[4],
        subs: &[],
        category: Client,
        meaning: "the pusher's TCP connection failed",
        actor: "the broadcaster (network)",
        advice: "Check the broadcaster's network for a change of address, such as from Wi-Fi to mobile, and for a NAT or \
                 firewall that cuts connections. If it happens again, try a wired connection.",
    },
    Cause {
        errcodes: &[5, 9, 11, 24, 38],
        subs: &[],
        category: Internal,
        meaning: "an internal error of CSS",
        actor: "the vendor",
        advice: "Push again: another node may accept it. If the error returns, open a ticket with the domain, stream, \
                 sequence, node, errcode and time of the stop.",
    },
    Cause {
        errcodes: &[6, 23],
        subs: &[],
        category: Content,
        meaning: "the content of the RTMP push does not follow the protocol",
        actor: "the broadcaster (encoder)",
        advice: "Check that the codecs are H.264 or H.265 and AAC, that codec headers come before the first frame, and that \
                 timestamps only increase. Try another encoder with the same URL. Events of type push-anomaly (321) name \
                 the fault.",
    },
    Cause {
        errcodes: &[7],
        subs: &[],
        category: Content,
        meaning: "one RTMP frame is larger than the limit",
        actor: "the broadcaster (encoder settings)",
        advice: "Lower the bitrate or the resolution. Limit the size of key frames in the encoder, with a constant bitrate \
                 or a small VBV buffer. All-intra settings make such large frames.",
    },
    Cause {
        errcodes: &[8, 20],
        subs: &[],
        category: Idle,
        meaning: "the connection was open, but no data came for long, so CSS closed it",
        actor: "the broadcaster (network or app)",
        advice: "Check whether the encoder hung, paused, or lost its camera or input. If it sent data all the time, check \
                 the upload from it to the node.",
    },
    Cause {
        errcodes: &[10],
        subs: &[],
        category: Internal,
        meaning: "the proxy layer of CSS got an order to stop the push",
        actor: "the operator, or the vendor",
        advice: "Ask whether someone dropped the stream in the console or by API at that time. If not, open a ticket with \
                 the domain, stream, sequence and time of the stop.",
    },
    Cause {
        errcodes: &[12, 13, 14, 15, 16, 17],
        subs: &[],
        category: Network,
        meaning: "the network between pusher and CSS failed",
        actor: "the broadcaster (network)",
        advice: "Compare the broadcaster's upload bandwidth with the bitrate, and check the packet loss to the node. If \
                 pushes from several addresses stopped together, suspect the node or a carrier, and open a ticket.",
    },
    Cause {
        errcodes: &[18],
        subs: &[],
        category: Rejected,
        meaning: "CSS rejected the push; the callback omits the sub-code that says why",
        actor: "the signer of the URL, the operator, or the account owner",
        advice: "Check the push URL first: has its txTime passed, and does its txSecret match the domain's key? Then check \
                 in the console: the bill, the domain's status, banned streams, IP lists, and the limit on pushes. The \
                 console's stream interruption records show the cause.",
    },
    Cause {
        errcodes: &[19],
        subs: &[],
        category: Rejected,
        meaning: "the third-party authentication of the push failed",
        actor: "the operator (authentication service)",
        advice: "Look in the log of the authentication service at that time: did CSS reach it, what did it answer, and how \
                 fast? Then check the parameters that it got from the push URL.",
    },
    Cause {
        errcodes: &[21],
        subs: &[],
        category: Replaced,
        meaning: "probably replaced by a new push of the same name; maybe dropped or banned by API",
        actor: "the broadcaster, or the operator",
        advice: "Check whether another push of the stream started within seconds. If so, the broadcaster reconnected, or \
                 two encoders share one URL: compare their addresses. If not, ask who called DropLiveStream or \
                 ForbidLiveStream.",
    },
    Cause {
        errcodes: &[33],
        subs: &[],
        category: Content,
        meaning: "the RTMP stream contains AMF data that CSS cannot read",
        actor: "the broadcaster (encoder)",
        advice: "Check the metadata and custom data messages that the encoder sends, and turn them off. Update the encoder, \
                 or try another one with the same URL.",
    },
    Cause {
        errcodes: &[37],
        subs: &[],
        category: Operator,
        meaning: "no one played the stream, so CSS stopped it",
        actor: "the operator",
        advice: "If streams without viewers should stop, do nothing. If it had viewers, check that players use this \
                 stream's domain and name, and whether the account is set to stop streams without viewers.",
    },
    Cause {
        errcodes: &[39],
        subs: &[],
        category: Content,
        meaning: "the frames of the push exceed the maximum of CSS",
        actor: "the broadcaster (encoder settings)",
        advice: "Check the encoder's frame rate (usually 30 or 60 per second) and bitrate. Look for a variable frame rate, \
                 and for a burst of old frames after a reconnect.",
    },
    Cause {
        errcodes: &[0],
        subs: &[],
        category: Unknown,
        meaning: "no cause given: 0 means success on a push, and nothing on a stop",
        actor: "the vendor (by ticket)",
        advice: "Look in the encoder's log first: old callbacks have 0 for a normal end too. If the stop was not wanted, \
                 open a ticket with the domain, stream, sequence, node and time of the stop.",
    },
    Cause {
        errcodes: &[22, 25, 26, 27, 28, 29, 30, 31, 32, 34, 36],
        subs: &[],
        category: Unknown,
        meaning: "unknown: the vendor has this code but does not explain it",
        actor: "the vendor (by ticket)",
        advice: "Look in the encoder's log first. If it shows no cause, open a ticket with the domain, stream, sequence, \
                 node, errcode and time of the stop.",
    },
];

/// The cause of every other number.
pub(super) const UNLISTED: Cause = Cause {
    errcodes: &[],
    subs: &[],
    category: Unknown,
    meaning: "unknown: this code is not in the vendor's table",
    actor: "the vendor (by ticket)",
    advice: "Read the callback's errmsg, and the vendor's current table, because the vendor adds codes. If neither explains \
             it, open a ticket with the domain, stream, sequence, node, errcode and time of the stop.",
};

/// The cause of a session without a stop that a person ended.
pub(super) const MANUAL: Cause = Cause {
    errcodes: &[],
    subs: &[],
    category: Manual,
    meaning: "no stop arrived, and a person ended the session",
    actor: "the operator",
    advice: "Check in the console that the stream has stopped. If stops of other streams are missing too, look for refusals, \
             and for a time when CSS could not reach livehook. If the stop still arrives, its reason replaces this one.",
};

/// The cause of a stop without a code.
pub(super) const ABSENT: Cause = Cause {
    errcodes: &[],
    subs: &[],
    category: Unknown,
    meaning: "unknown: the callback has no errcode",
    actor: "the vendor (by ticket)",
    advice: "Look in the encoder's log, and in the console's stream interruption records for this stream and time.",
};
