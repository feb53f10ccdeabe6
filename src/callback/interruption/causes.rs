//! The table of causes, code by code. The causes of single sub codes are in a table of their own.

use super::category::ReasonCategory::{
    Client, Content, Idle, Internal, Network, Operator, Rejected, Replaced, Unknown,
};
use super::cause::Cause;

/// The causes of whole codes.
pub(super) const CAUSES: [Cause; 17] = [
    Cause {
        errcodes: &[1, 2, 35],
        subs: &[],
        category: Client,
        meaning: "the pusher ended the push",
        actor: "nobody: a normal end",
        advice: "Nothing, if the broadcast was over. If not, look in the log of the encoder or app for who stopped it: a \
                 person, a crash, or an automatic restart.",
    },
    Cause {
        errcodes: &[3],
        subs: &[],
        category: Client,
        meaning: "the pusher closed the TCP connection without ending the push first",
        actor: "nobody, or the maker of the broadcaster's app",
        advice: "Nothing, if the broadcast was over: many encoders end so. If not, look for a crash, or on a phone for an \
                 app that was closed or put in the background.",
    },
    Cause {
        errcodes: &[4],
        subs: &[],
        category: Client,
        meaning: "the pusher's TCP connection failed",
        actor: "the broadcaster (network)",
        advice: "Check the broadcaster's network for a change of address, such as from Wi-Fi to mobile, and for a NAT or \
                 firewall that cuts connections. If it returns, try a wired line.",
    },
    Cause {
        errcodes: &[5, 9, 11, 24, 38],
        subs: &[],
        category: Internal,
        meaning: "an internal error of CSS",
        actor: "the vendor",
        advice: "Push again: another node may serve it. If it returns, open a ticket with domain, stream, sequence, node, \
                 errcode and the time of the stop.",
    },
    Cause {
        errcodes: &[6, 23],
        subs: &[],
        category: Content,
        meaning: "the RTMP content is not as the protocol demands",
        actor: "the broadcaster (encoder)",
        advice: "Check that codecs are H.264 or H.265 and AAC, that codec headers precede the first frame, and that \
                 timestamps only rise. See whether another encoder does better on the same URL; push-anomaly events \
                 (321) name the fault.",
    },
    Cause {
        errcodes: &[7],
        subs: &[],
        category: Content,
        meaning: "one RTMP frame is larger than the limit",
        actor: "the broadcaster (encoder settings)",
        advice: "Lower the bitrate or resolution, and have the encoder bound the size of key frames (constant bitrate, or \
                 a small VBV buffer). All-intra settings make such frames.",
    },
    Cause {
        errcodes: &[8, 20],
        subs: &[],
        category: Idle,
        meaning: "the connection stood, but no data came for long, so CSS cut it",
        actor: "the broadcaster (network or app)",
        advice: "Check whether the encoder hung or paused, or lost its camera or input. If it was sending all the time, \
                 check the upload between it and the node.",
    },
    Cause {
        errcodes: &[10],
        subs: &[],
        category: Internal,
        meaning: "the proxy layer of CSS was told to stop the push",
        actor: "the operator, or the vendor",
        advice: "Ask whether somebody dropped the stream in the console or by API at that time. If nobody did, open a \
                 ticket with domain, stream, sequence and the time of the stop.",
    },
    Cause {
        errcodes: &[12, 13, 14, 15, 16, 17],
        subs: &[],
        category: Network,
        meaning: "the network between pusher and CSS failed",
        actor: "the broadcaster (network)",
        advice: "Check upload bandwidth, against the bitrate, and packet loss from the broadcaster to the node. If pushes \
                 from several addresses stopped together, suspect the node or a carrier and open a ticket.",
    },
    Cause {
        errcodes: &[18],
        subs: &[],
        category: Rejected,
        meaning: "CSS did not allow the push; the sub code, which callbacks lack, would say why",
        actor: "the signer of the URL, the operator, or the account owner",
        advice: "Check the push URL first: has its txTime passed, does its txSecret fit the domain's key? Then in the \
                 console: the bill, the domain's status, banned streams, IP lists, the limit on pushes. The console's \
                 stream interruption records show the cause.",
    },
    Cause {
        errcodes: &[19],
        subs: &[],
        category: Rejected,
        meaning: "the third-party authentication of the push failed",
        actor: "the operator (authentication service)",
        advice: "Look in the log of the authentication service at that time: did CSS reach it, what did it answer, and \
                 how fast? Then check what the push URL brought for it to judge.",
    },
    Cause {
        errcodes: &[21],
        subs: &[],
        category: Replaced,
        meaning: "most likely replaced by a new push of its name; perhaps dropped or banned by API",
        actor: "the broadcaster, or the operator",
        advice: "See whether another push of the stream began within seconds: then this is a reconnect, or two encoders \
                 share one URL (compare their addresses). If none did, ask who called DropLiveStream or \
                 ForbidLiveStream.",
    },
    Cause {
        errcodes: &[33],
        subs: &[],
        category: Content,
        meaning: "the RTMP stream holds AMF data that cannot be read",
        actor: "the broadcaster (encoder)",
        advice: "Check what the encoder sends as metadata or custom data messages, and leave that out. Update the \
                 encoder, or see whether another does better on the same URL.",
    },
    Cause {
        errcodes: &[37],
        subs: &[],
        category: Operator,
        meaning: "nobody played the stream, so it was stopped",
        actor: "the operator",
        advice: "Nothing, if that is wanted of unwatched streams. If it had an audience, check that players use this \
                 stream's domain and name, and whether the account is set to stop streams that nobody plays.",
    },
    Cause {
        errcodes: &[39],
        subs: &[],
        category: Content,
        meaning: "the frames of the push exceed the most that CSS takes",
        actor: "the broadcaster (encoder settings)",
        advice: "Check the encoder's frame rate (30 or 60 a second is usual) and bitrate. Look for a variable frame rate, \
                 and for old frames that are sent in a burst after a reconnect.",
    },
    Cause {
        errcodes: &[0],
        subs: &[],
        category: Unknown,
        meaning: "no cause is given: 0 is success on a push, and says nothing on a stop",
        actor: "the vendor (by ticket)",
        advice: "Look in the encoder's log first: old callbacks bring 0 also for a normal end. If the stop was not \
                 wanted, open a ticket with domain, stream, sequence, node and the time of the stop.",
    },
    Cause {
        errcodes: &[22, 25, 26, 27, 28, 29, 30, 31, 32, 34, 36],
        subs: &[],
        category: Unknown,
        meaning: "unknown: the vendor has this code and does not explain it",
        actor: "the vendor (by ticket)",
        advice: "Look in the encoder's log first. If it does not tell either, open a ticket with domain, stream, \
                 sequence, node, errcode and the time of the stop.",
    },
];

/// The cause of every other number.
pub(super) const UNLISTED: Cause = Cause {
    errcodes: &[],
    subs: &[],
    category: Unknown,
    meaning: "unknown: this code is not in the vendor's table",
    actor: "the vendor (by ticket)",
    advice: "Look at the callback's errmsg and in the vendor's current table, as new codes are added. If neither tells, \
             open a ticket with domain, stream, sequence, node, errcode and the time of the stop.",
};

/// The cause of a stop without a code.
pub(super) const ABSENT: Cause = Cause {
    errcodes: &[],
    subs: &[],
    category: Unknown,
    meaning: "unknown: the callback has no errcode",
    actor: "the vendor (by ticket)",
    advice: "Look in the encoder's log, and at the console's stream interruption records for this stream and time.",
};
