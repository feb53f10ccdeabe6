### The sentences of the pages in English. Every language has the same ones, in the same order.

## Frame
navigation = Pages
skip-to-content = Skip to the content
connection-lost = Connection lost, trying again
language = Language
theme = Colors
theme-auto = Auto
theme-light = Light
theme-dark = Dark
apply = Apply
log-in = Log in
log-out = Log out
tab-now = Now
tab-timeline = Timeline
tab-reasons = Reasons
tab-events = Events
tab-refused = Refused
tab-sinks = Sinks

## Times
duration-days = { $large } d { $small } h
duration-hours = { $large } h { $small } min
duration-minutes = { $large } min { $small } s
duration-seconds = { $large } s
ago = { $duration } ago
lasted = lasted { $duration }

## Columns
column-name = Stream
column-since = Live for
column-started = Started
column-ended = Ended
column-duration = Duration
column-pusher = Pusher
column-node = Node
column-size = Size
column-pushes = Pushes
column-anomalies = Anomalies
column-recordings = Recordings
column-screenshots = Screenshots

## Now
title-now = { $count } live
streams-live = { $count ->
    [one] stream is live
   *[other] streams are live
}
live-streams = Live streams
recently-ended = Recently ended
filter-streams = Find a stream
no-stream-live = No stream is live. A stream appears here as soon as it is pushed.
no-stream-matches = No live stream has this text in its name.
nothing-ended = No stream has stopped recently.
with-backup = with backup
paging = Pages of the list
previous-page = Previous
next-page = Next
page-of = Page { $page } of { $pages }
callbacks-of-the-hour = Last hour: { $verified } verified, { $refused } refused

## How the parts do
health = How livehook does
condition-good = good
condition-warning = needs attention
condition-bad = failing
part-receiver = Receiver
part-journal = Journal
part-index = Index
stopping = livehook is stopping
last-callback = last callback { $ago }
no-callback = no callback since the start
callbacks-a-minute = { $verified } verified and { $refused } refused a minute
journal-stores = stores events, { $count } so far
journal-refuses = refuses events:
index-rebuilding = is being rebuilt from the journal
up-to-date = up to date
behind = { $count ->
    [one] 1 event behind
   *[other] { $count } events behind
}
oldest-pending = the oldest came { $ago }
sink-retries = fails, attempt { $attempt } comes next:
dead-letters = { $count ->
    [one] 1 dead letter
   *[other] { $count } dead letters
}

## States and reasons
state-live = live
state-ended = ended
state-stale = stale
category-client = client
category-network = network
category-content = content
category-idle = idle
category-internal = internal
category-rejected = rejected
category-operator = operator
category-replaced = replaced
category-manual = manual
category-unknown = unknown
reason-guess = (a guess from the vendor's message)

## Timeline
now = now
span-hour = Last hour
span-day = Last 24 hours
span-week = Last 7 days
span-month = Last 30 days
span-own = From – to
time-shown = Time shown
time-from = From
time-to = To
times-in-zone = times in { $zone }
steps = Move and zoom
step-earlier = Earlier
step-later = Later
step-closer = Zoom in
step-wider = Zoom out
filter-domain = Domain
filter-app = App
filter-code = Code
filter-remove = Remove this filter
filters-clear = Show all streams
page-number = Page { $page }
timeline-empty = No stream was on in this time.
timeline-nothing-matches = No stream of this selection was on in this time.
timeline-keys = Drag across the lanes to zoom in. ← and → move, + and − zoom, and Ctrl with the mouse wheel zooms too.
lanes-cut = There are too many sessions to search them all, so streams may be missing. Choose a shorter time, or find a stream by its name.
lane-unread = Earlier sessions are not shown, because there are too many. Choose a shorter time.
lane-broadcast = One broadcast of { $sessions } sessions. Gaps: { $gaps }, the longest { $longest }
lane-shared-bar = { $count } sessions, most of them: { $kind }. Zoom in to see each.
mark-live = ▶
mark-stale = …
mark-client = C
mark-network = N
mark-content = F
mark-idle = I
mark-internal = E
mark-rejected = R
mark-operator = O
mark-replaced = ⇄
mark-manual = M
mark-unknown = ?

## Reasons
stops = Stops
interruptions = Interruptions
interruptions-help = Stops that neither the pusher nor the operator wanted: network, content, idle, internal, rejected and unknown.
interruptions-shown = { $count } interruptions: show them on the timeline
compared-with-before = compared with the same time before
change-percent = { $sign }{ $percent }%
as-before = as before
none-before = none before
frequent-reasons = Most frequent reasons
share-of-stops = { $percent }% of all stops
show-streams = Show the streams on the timeline
interrupted-streams = Streams with the most interruptions
interrupted-nodes = Nodes with the most interruptions
no-interruptions = No interruption in this time.
reasons-cut = Reasons, streams and nodes are counted over the latest { $count } stops, because there are more in this time.
reasons-empty = No stream stopped in this time.
reasons-nothing-matches = No stream of this selection stopped in this time.

## One session
session = Session
session-is-live = Live for
session-without-stop = No stop has arrived for a long time. The stop was probably lost: look in the console of CSS whether the stream is live.
who-acts = Who should act
what-to-do = What to do
errmsg = The vendor's message
events-in-order = Events in order
events-pruned = The journal no longer has the events of this session.
events-left-out = { $count ->
    [one] 1 more event is not shown.
   *[other] { $count } more events are not shown.
}
broadcast = Its broadcast
neighbour-before = Before
neighbour-parallel = At the same time
neighbour-after = After
media = Recordings and screenshots
recording = Recording
screenshot = Screenshot
session-as-json = This session as JSON
stream-totals = { $sessions } sessions, on for { $time }, { $interruptions } interrupted

## One stream
newest-sessions = Newest sessions
column-reason = Reason
broadcast-started = Newest broadcast since
broadcast-sessions = Its sessions
broadcast-gaps = Its gaps
broadcast-longest-gap = Its longest gap

## Set-up
setup-title = Connect CSS to livehook
setup-intro = No event has arrived yet. Four steps in the CSS console, and this page turns into the list of your live streams.
setup-url = Enter the callback URL
setup-url-help = CSS console › Event Center › Callback › Create template. Enter this URL for every event you want. Replace the host by the name under which CSS reaches this machine.
setup-host = your host
setup-listens = livehook listens on { $address }. A proxy in front of it, such as Caddy or nginx, adds HTTPS.
setup-key = Enter the callback key
setup-key-help = Enter the same key in the template as in livehook. The key itself is shown nowhere. These are the fingerprints of livehook's keys; livehook check-config prints them too.
setup-no-key = No key is configured, so anybody can send events. Make one with livehook keygen.
setup-events = Bind the template to your push domain
setup-events-help = CSS console › Domain Management › your push domain › Template. It takes some minutes until CSS uses it.
setup-test = Push a stream
setup-test-help = Or send a sample from this machine, with the callback key in place of KEY:
setup-arrived = What has arrived
setup-nothing-arrived = Nothing yet. This page shows every callback within a second.

## Why a callback was refused, and the cure
refusal-malformed = Not a callback
refusal-malformed-cure = The body is not the JSON that CSS sends. Check that the template's URL is used for callbacks only.
refusal-signature-missing = No signature
refusal-signature-missing-cure = Enter the callback key in the template: without it, CSS does not sign.
refusal-signature-mismatch = The signature differs
refusal-signature-mismatch-cure = The key in the console is not the key in livehook. Compare them, and save the template again.
refusal-signature-expired = Too late
refusal-signature-expired-cure = The signature had expired when the callback came. Check the clock of this machine, for example with timedatectl.
refusal-address-not-allowed = Address not allowed
refusal-address-not-allowed-cure = The sender is not in receiver.allowed_addresses. Behind a proxy, add the proxy to receiver.trusted_proxies.
refusal-appid-not-allowed = APPID not allowed
refusal-appid-not-allowed-cure = The callback is from another account: see receiver.allowed_appids.
refusal-domain-not-allowed = Domain not allowed
refusal-domain-not-allowed-cure = The push domain is not in receiver.allowed_domains, or not among the domains of its key.
refusal-not-found = Wrong path
refusal-not-found-cure = The path of the URL in the template is not receiver.path.
refusal-method-not-allowed = Not a POST
refusal-method-not-allowed-cure = CSS sends POST. A browser or a health check asked for the callback URL.
refusal-timeout = Too slow
refusal-timeout-cure = The sender did not finish its request in time. Check the proxy and the network between.
refusal-length-required = No length
refusal-length-required-cure = The request has no Content-Length. Check the proxy in front of livehook.
refusal-body-too-large = Too large
refusal-body-too-large-cure = The body is larger than receiver.body_bytes_max.
refusal-encoding-not-supported = Compressed
refusal-encoding-not-supported-cure = The body is compressed, which CSS never does. Check the proxy in front of livehook.

## Sinks
sink = Sink
sinks-none = No sink is configured. livehook keeps the events in its journal. To send them on, add a section [[sinks]] to the configuration.
absent-sinks = Dead letters of other sinks
absent-sinks-help = These sinks are no longer configured. Their dead letters stay until you drop them. To redrive them, configure the sink again under the same name.
absent-sink-count = { $count } dead letters
absent-sink = This sink is no longer configured.
sink-behind = Events behind
sink-oldest = Oldest pending event
sink-catch-up = Caught up in about
sink-last-delivery = Last delivery
sink-last-failure = Last failure
sink-never = none since the start
sink-dead-letters = Dead letters
sink-chart-behind = Events behind: at most { $most } in 3 hours
sink-chart-age = Age of the oldest pending event: at most { $most } in 3 hours
sink-chart-begin = 3 hours ago
sink-chart-now = now
sink-blocked = The sink reads no more events, because too many have failed. Correct the cause, or skip the events that fail.
sink-held = { $count ->
    [one] 1 stream waits behind an event that fails.
   *[other] { $count } streams wait behind events that fail.
}
sink-failing-event = The oldest event that fails
sink-retry = Try again now
sink-skip-event = Skip this event
sink-skip-stream = Skip all of its stream
sink-no-token = To redrive, drop or skip events here, set admin.token and reload the configuration.
column-event = Event
column-failed = Failed
column-attempts = Attempts
column-actions = Actions
column-state = State
column-selection = Events
column-progress = Progress
first-page = First page
dead-letters-none = No dead letter. An event becomes one if the sink rejects it for good, or if you skip it.
dead-letters-redrive-all = Redrive all
dead-letters-drop-all = Drop all
dead-letter-redrive = Redrive
dead-letter-drop = Drop
dead-letter-waits = waits to be sent again
replays-title = Replays
replays-none = No replay. The command livehook replay sends events of the journal to a sink again.
replay-running = running
replay-done = done
replay-cancelled = cancelled
replay-all-events = all events
replay-progress = { $sent } of { $counted }
replay-sent = { $sent } sent
replay-rejected = { $count } rejected
replay-cancel = Cancel

## Changes
ask-retry = Try again now?
ask-retry-help = Every pause of the sink ends, and it tries its pending events at once.
ask-redrive = Redrive this dead letter?
ask-redrive-all = { $count ->
    [one] Redrive 1 dead letter?
   *[other] Redrive { $count } dead letters?
}
ask-redrive-help = The sink gets the events again, with the same ids. A dead letter disappears when its event is delivered.
ask-drop = Drop this dead letter?
ask-drop-all = { $count ->
    [one] Drop 1 dead letter?
   *[other] Drop { $count } dead letters?
}
ask-drop-help = This cannot be undone: the sink never gets these events, unless you replay them while the journal has them.
ask-skip-event = Skip this event?
ask-skip-stream = Skip the events of this stream?
ask-skip-help = They become dead letters, so the events behind them can pass. You can redrive them later.
ask-cancel-replay = Cancel this replay?
ask-cancel-replay-help = The sink keeps the events that it has got.
skip = Skip
go-back = Go back
done-retry = The sink tries again now.
done-redrive = { $count ->
    [one] 1 dead letter is being sent again.
   *[other] { $count } dead letters are being sent again.
}
done-drop = { $count ->
    [one] 1 dead letter was dropped.
   *[other] { $count } dead letters were dropped.
}
done-skip = { $count ->
    [one] 1 event was skipped.
   *[other] { $count } events were skipped.
}
done-cancel-replay = The replay was cancelled.

## Events
events-find = Find a text in events
events-all-types = All types
events-domain = Domain
events-since = From
events-until = To
events-clear = Clear
events-live = live
events-paused = paused
events-pause = Pause
events-resume = Resume
events-newer = { $count ->
    [one] 1 newer event
   *[other] { $count } newer events
}
events-newest = Newest
events-older = Older
events-searched = livehook has searched this far.
events-none = No event matches. Events appear here as soon as they arrive.
events-no-older = No older event matches.
events-mistake = Correct the filter to see events.
event-gone = The journal no longer has this event.
column-sequence = Sequence

## One event
event-received = Received
event-happened = Happened
event-signature = Signature
event-verified = verified
event-unverified = not verified
event-id = Id
event-curl-help = Put your callback key in the place of CALLBACK_KEY. Redacted secrets stay redacted.
copy = Copy
copied = Copied
close = Close

## Refused
refused-all = All
refused-none = No callback has been refused.
refused-since = livehook runs since
refusal-members = What was sent
likely-cause = The likely cause
fingerprints = Fingerprints of livehook's keys:
likely-other-key = Every signature differs: does the key in the console match the key of livehook?
likely-no-key = No callback is signed: is the callback key entered in the template of the console?
likely-clock = All are late by about { $late }: is the clock of this machine right?
likely-delay = All are late, by different times: does a proxy or a queue on the way hold callbacks back?
likely-proxy = All come from { $client }: if this is your proxy, add it to receiver.trusted_proxies.
likely-stranger = All come from { $client }, and none is a callback: probably a scanner or a health check, not CSS.
likely-wrong-url = Several senders miss the path: does the URL in the console end in { $path }?

## Login
login-help = The pages need the admin token: admin.token in the configuration, or LIVEHOOK_ADMIN_TOKEN.
login-no-token = No admin token is configured, so nobody can log in. Reading needs no login on this machine.
login-token = Admin token
login-wrong = This is not the admin token.
login-too-many = Too many wrong tokens are being tried. Wait a second.

## Problems
to-now = To the live streams
problem-not-found = There is no such page
problem-not-found-help = The address is wrong, or what it showed has been pruned.
problem-internal = livehook could not read its data
problem-internal-help = The log says why.
problem-busy = Too many requests at once
problem-busy-help = Try again in a few seconds.
problem-unavailable = livehook cannot answer now
problem-unavailable-help = It is starting or stopping. Try again in a few seconds.
problem-too-expensive = This takes too long to find
problem-too-expensive-help = Choose a shorter time or fewer streams.
problem-no-index = The index is switched off
problem-no-index-help = Pages about streams need it: set index.enabled = true and restart livehook.
problem-foreign-form = This form came from another site
problem-foreign-form-help = Open the page here and try again.
problem-unreadable-form = The form could not be read
problem-unreadable-form-help = Go back and send it again.
problem-no-login = You are not logged in
problem-no-login-help = Log in, and do it again.
