### The sentences of the pages in Korean. Every language has the same ones, in the same order.

## Frame
navigation = 페이지
skip-to-content = 본문으로 건너뛰기
connection-lost = 연결이 끊겼습니다. 다시 시도하는 중입니다
language = 언어
theme = 색
theme-auto = 자동
theme-light = 밝게
theme-dark = 어둡게
apply = 적용
log-in = 로그인
log-out = 로그아웃
tab-now = 현황
tab-timeline = 타임라인
tab-reasons = 종료 이유
tab-events = 이벤트
tab-refused = 거부
tab-sinks = 싱크

## Times
duration-days = { $large }일 { $small }시간
duration-hours = { $large }시간 { $small }분
duration-minutes = { $large }분 { $small }초
duration-seconds = { $large }초
ago = { $duration } 전
lasted = { $duration } 동안

## Columns
column-name = 스트림
column-since = 방송 시간
column-started = 시작
column-ended = 종료
column-duration = 길이
column-pusher = 송출 주소
column-node = 노드
column-size = 해상도
column-pushes = 푸시
column-anomalies = 이상
column-recordings = 녹화
column-screenshots = 스크린샷

## Now
title-now = { $count }개 방송 중
streams-live = { $count ->
   *[other] 방송 중인 스트림
}
live-streams = 방송 중인 스트림
recently-ended = 최근 종료
filter-streams = 스트림 찾기
no-stream-live = 방송 중인 스트림이 없습니다. 푸시가 시작되면 바로 여기에 나타납니다.
no-stream-matches = 이름에 이 글자가 들어간 방송 중인 스트림이 없습니다.
nothing-ended = 최근에 멈춘 스트림이 없습니다.
with-backup = 백업 포함
paging = 목록 페이지
previous-page = 이전
next-page = 다음
page-of = { $pages }쪽 중 { $page }쪽
callbacks-of-the-hour = 최근 1시간: 확인 { $verified }건, 거부 { $refused }건

## How the parts do
health = livehook 상태
condition-good = 정상
condition-warning = 확인 필요
condition-bad = 실패 중
part-receiver = 수신기
part-journal = 저널
part-index = 인덱스
stopping = livehook을 멈추는 중입니다
last-callback = 마지막 콜백 { $ago }
no-callback = 시작한 뒤 콜백 없음
callbacks-a-minute = 분당 확인 { $verified }건, 거부 { $refused }건
journal-stores = 이벤트를 저장합니다. 지금까지 { $count }건
journal-refuses = 이벤트를 받지 않습니다:
index-rebuilding = 저널에서 다시 만드는 중입니다
up-to-date = 최신
behind = { $count ->
   *[other] { $count }건 밀림
}
oldest-pending = 가장 오래된 이벤트는 { $ago }에 왔습니다
sink-retries = 실패했습니다. 다음은 { $attempt }번째 시도입니다:
dead-letters = { $count ->
   *[other] dead letter { $count }건
}

## States and reasons
state-live = 방송 중
state-ended = 종료
state-stale = 소식 없음
category-client = 송출자
category-network = 네트워크
category-content = 콘텐츠
category-idle = 무신호
category-internal = 내부
category-rejected = 거부
category-operator = 운영자
category-replaced = 교체
category-manual = 수동 종료
category-unknown = 알 수 없음
reason-guess = (CSS 메시지로 추측)

## Timeline
now = 지금
span-hour = 최근 1시간
span-day = 최근 24시간
span-week = 최근 7일
span-month = 최근 30일
span-own = 기간 지정
time-shown = 표시 기간
time-from = 시작
time-to = 끝
times-in-zone = { $zone } 기준
steps = 이동과 확대
step-earlier = 이전으로
step-later = 이후로
step-closer = 확대
step-wider = 축소
filter-domain = 도메인
filter-app = 앱
filter-code = 코드
filter-remove = 이 필터 해제
filters-clear = 모든 스트림 보기
page-number = { $page }쪽
timeline-empty = 이 기간에 방송한 스트림이 없습니다.
timeline-nothing-matches = 이 조건에 맞는 스트림은 이 기간에 방송하지 않았습니다.
timeline-keys = 차트를 드래그하면 그 구간이 확대됩니다. ←, →로 이동하고 +, −로 확대·축소합니다. Ctrl을 누른 채 휠을 돌려도 됩니다.
lanes-cut = 세션이 너무 많아 모두 찾지 못했으므로 빠진 스트림이 있을 수 있습니다. 기간을 줄이거나 이름으로 스트림을 찾으세요.
lane-unread = 세션이 너무 많아 이전 세션은 표시하지 않았습니다. 기간을 줄이세요.
lane-broadcast = 하나의 방송: 세션 { $sessions }개, 끊김 { $gaps }회, 가장 긴 끊김 { $longest }
lane-shared-bar = 세션 { $count }개, 대부분 { $kind }. 확대하면 하나씩 볼 수 있습니다.
mark-live = ▶
mark-stale = …
mark-client = 송
mark-network = 망
mark-content = 콘
mark-idle = 무
mark-internal = 내
mark-rejected = 거
mark-operator = 운
mark-replaced = ⇄
mark-manual = 수
mark-unknown = ?

## Reasons
stops = 종료
interruptions = 끊김
interruptions-help = 송출자도 운영자도 원하지 않은 종료: 네트워크, 콘텐츠, 무신호, 내부, 거부, 알 수 없음
interruptions-shown = 끊김 { $count }회: 타임라인에서 보기
compared-with-before = 직전 같은 기간과 비교
change-percent = { $sign }{ $percent }%
as-before = 이전과 같음
none-before = 이전에는 없음
frequent-reasons = 가장 잦은 이유
share-of-stops = 전체 종료의 { $percent }%
show-streams = 타임라인에서 스트림 보기
interrupted-streams = 가장 자주 끊긴 스트림
interrupted-nodes = 가장 자주 끊긴 노드
no-interruptions = 이 기간에는 끊김이 없습니다.
reasons-cut = 이 기간에 종료가 더 많아, 이유와 스트림과 노드는 최근 종료 { $count }건만 집계했습니다.
reasons-empty = 이 기간에 멈춘 스트림이 없습니다.
reasons-nothing-matches = 이 조건에 맞는 스트림은 이 기간에 멈추지 않았습니다.

## One session
session = 세션
session-is-live = 방송 시간
session-without-stop = 오랫동안 종료 콜백이 오지 않았습니다. 콜백이 사라졌을 수 있으니, 스트림이 방송 중인지 CSS 콘솔에서 확인하세요.
who-acts = 누가 조치하나
what-to-do = 할 일
errmsg = CSS 메시지
events-in-order = 시간순 이벤트
events-pruned = 이 세션의 이벤트는 저널에 더 이상 없습니다.
events-left-out = { $count ->
   *[other] 이벤트 { $count }건은 표시하지 않았습니다.
}
broadcast = 이 세션이 속한 방송
neighbour-before = 이전
neighbour-parallel = 동시
neighbour-after = 다음
media = 녹화와 스크린샷
recording = 녹화
screenshot = 스크린샷
session-as-json = 이 세션의 JSON
stream-totals = 세션 { $sessions }개, 방송 시간 { $time }, 끊김 { $interruptions }회

## One stream
newest-sessions = 최근 세션
column-reason = 이유
broadcast-started = 최근 방송 시작
broadcast-sessions = 방송의 세션 수
broadcast-gaps = 끊긴 횟수
broadcast-longest-gap = 가장 길게 끊긴 시간

## Set-up
setup-title = CSS를 livehook에 연결하기
setup-intro = 아직 이벤트가 오지 않았습니다. CSS 콘솔에서 네 단계를 마치면 이 페이지가 방송 중인 스트림 목록으로 바뀝니다.
setup-url = 콜백 URL 입력
setup-url-help = CSS 콘솔 › 이벤트 센터 › 콜백 › 템플릿 만들기. 받을 이벤트마다 이 URL을 입력하세요. 호스트는 CSS가 이 서버에 접속할 때 쓰는 이름으로 바꾸세요.
setup-host = 호스트
setup-listens = livehook은 { $address }에서 기다립니다. HTTPS는 앞에 둔 Caddy나 nginx 같은 프록시가 맡습니다.
setup-key = 콜백 키 입력
setup-key-help = livehook과 같은 키를 템플릿에 입력하세요. 키 자체는 어디에도 표시하지 않습니다. 아래는 livehook이 가진 키의 지문입니다. livehook check-config도 같은 지문을 출력합니다.
setup-no-key = 키가 설정되지 않아 누구나 이벤트를 보낼 수 있습니다. livehook keygen으로 키를 만드세요.
setup-events = 템플릿을 푸시 도메인에 연결
setup-events-help = CSS 콘솔 › 도메인 관리 › 푸시 도메인 › 템플릿. CSS가 적용하기까지 몇 분 걸립니다.
setup-test = 스트림 푸시
setup-test-help = 또는 이 서버에서 예제를 보내세요. KEY 자리에는 콜백 키를 넣으세요.
setup-arrived = 도착한 콜백
setup-nothing-arrived = 아직 없습니다. 콜백이 오면 1초 안에 여기에 표시합니다.

## Why a callback was refused, and the cure
refusal-malformed = 콜백이 아님
refusal-malformed-cure = 본문이 CSS가 보내는 JSON이 아닙니다. 템플릿의 URL을 콜백에만 쓰는지 확인하세요.
refusal-signature-missing = 서명 없음
refusal-signature-missing-cure = 템플릿에 콜백 키를 입력하세요. 키가 없으면 CSS는 서명하지 않습니다.
refusal-signature-mismatch = 서명이 다름
refusal-signature-mismatch-cure = 콘솔의 키와 livehook의 키가 다릅니다. 둘을 비교하고 템플릿을 다시 저장하세요.
refusal-signature-expired = 너무 늦음
refusal-signature-expired-cure = 콜백이 왔을 때 서명이 이미 만료되었습니다. 이 서버의 시계를 확인하세요(예: timedatectl).
refusal-address-not-allowed = 허용되지 않은 주소
refusal-address-not-allowed-cure = 보낸 주소가 receiver.allowed_addresses에 없습니다. 프록시 뒤라면 receiver.trusted_proxies에 프록시를 추가하세요.
refusal-appid-not-allowed = 허용되지 않은 APPID
refusal-appid-not-allowed-cure = 다른 계정의 콜백입니다. receiver.allowed_appids를 보세요.
refusal-domain-not-allowed = 허용되지 않은 도메인
refusal-domain-not-allowed-cure = 푸시 도메인이 receiver.allowed_domains나 키의 도메인 목록에 없습니다.
refusal-not-found = 잘못된 경로
refusal-not-found-cure = 템플릿 URL의 경로가 receiver.path와 다릅니다.
refusal-method-not-allowed = POST가 아님
refusal-method-not-allowed-cure = CSS는 POST로 보냅니다. 브라우저나 상태 점검이 콜백 URL을 열었습니다.
refusal-timeout = 너무 느림
refusal-timeout-cure = 보낸 쪽이 요청을 제때 끝내지 못했습니다. 중간의 프록시와 네트워크를 확인하세요.
refusal-length-required = 길이 없음
refusal-length-required-cure = 요청에 Content-Length가 없습니다. livehook 앞의 프록시를 확인하세요.
refusal-body-too-large = 너무 큼
refusal-body-too-large-cure = 본문이 receiver.body_bytes_max보다 큽니다.
refusal-encoding-not-supported = 압축됨
refusal-encoding-not-supported-cure = 본문이 압축되어 있습니다. CSS는 압축하지 않으니 livehook 앞의 프록시를 확인하세요.

## Sinks
sink = 싱크
sinks-none = 설정된 싱크가 없습니다. 이벤트는 livehook의 저널에 보관됩니다. 다른 곳으로 보내려면 설정에 [[sinks]] 절을 추가하세요.
absent-sinks = 다른 싱크의 dead letter
absent-sinks-help = 더 이상 설정되어 있지 않은 싱크입니다. Dead letter는 버릴 때까지 남습니다. 다시 보내려면 같은 이름으로 싱크를 다시 설정하세요.
absent-sink-count = dead letter { $count }개
absent-sink = 이 싱크는 더 이상 설정되어 있지 않습니다.
sink-behind = 밀린 이벤트
sink-oldest = 가장 오래 기다린 이벤트
sink-catch-up = 따라잡기까지 약
sink-last-delivery = 마지막 전달
sink-last-failure = 마지막 실패
sink-never = 시작한 뒤 없음
sink-dead-letters = Dead letter
sink-chart-behind = 밀린 이벤트: 3시간 동안 최대 { $most }건
sink-chart-age = 가장 오래 기다린 시간: 3시간 동안 최대 { $most }
sink-chart-begin = 3시간 전
sink-chart-now = 지금
sink-blocked = 실패한 이벤트가 너무 많아 싱크가 더 읽지 않습니다. 원인을 고치거나, 실패하는 이벤트를 건너뛰세요.
sink-held = { $count ->
   *[other] 실패하는 이벤트 때문에 스트림 { $count }개가 기다립니다.
}
sink-failing-event = 가장 오래된 실패 이벤트
sink-retry = 지금 다시 시도
sink-skip-event = 이 이벤트 건너뛰기
sink-skip-stream = 이 스트림 모두 건너뛰기
sink-no-token = 여기서 다시 보내거나 버리거나 건너뛰려면 admin.token을 설정하고 설정을 다시 읽게 하세요(livehook reload).
column-event = 이벤트
column-failed = 실패 시각
column-attempts = 시도
column-actions = 조치
column-state = 상태
column-selection = 이벤트
column-progress = 진행
first-page = 첫 페이지
dead-letters-none = Dead letter가 없습니다. 싱크가 이벤트를 아주 거부하거나 이벤트를 건너뛰면 dead letter가 됩니다.
dead-letters-redrive-all = 모두 다시 보내기
dead-letters-drop-all = 모두 버리기
dead-letter-redrive = 다시 보내기
dead-letter-drop = 버리기
dead-letter-waits = 다시 보낼 차례를 기다림
replays-title = 재전송
replays-none = 재전송이 없습니다. livehook replay 명령은 저널의 이벤트를 싱크에 다시 보냅니다.
replay-running = 진행 중
replay-done = 완료
replay-cancelled = 취소됨
replay-all-events = 모든 이벤트
replay-progress = { $counted }건 중 { $sent }건
replay-sent = { $sent }건 보냄
replay-rejected = { $count }건 거부됨
replay-cancel = 취소

## Changes
ask-retry = 지금 다시 시도할까요?
ask-retry-help = 싱크의 대기가 모두 끝나고, 남은 이벤트를 바로 시도합니다.
ask-redrive = 이 dead letter를 다시 보낼까요?
ask-redrive-all = { $count ->
   *[other] Dead letter { $count }건을 다시 보낼까요?
}
ask-redrive-help = 싱크가 같은 id로 이벤트를 다시 받습니다. 전달되면 dead letter는 사라집니다.
ask-drop = 이 dead letter를 버릴까요?
ask-drop-all = { $count ->
   *[other] Dead letter { $count }건을 버릴까요?
}
ask-drop-help = 되돌릴 수 없습니다. 저널에 남아 있는 동안 재전송하지 않으면, 싱크는 이 이벤트를 받지 못합니다.
ask-skip-event = 이 이벤트를 건너뛸까요?
ask-skip-stream = 이 스트림의 이벤트를 건너뛸까요?
ask-skip-help = Dead letter가 되어 뒤의 이벤트가 지나갈 수 있습니다. 나중에 다시 보낼 수 있습니다.
ask-cancel-replay = 이 재전송을 취소할까요?
ask-cancel-replay-help = 싱크가 이미 받은 이벤트는 그대로 남습니다.
skip = 건너뛰기
go-back = 돌아가기
done-retry = 싱크가 지금 다시 시도합니다.
done-redrive = { $count ->
   *[other] Dead letter { $count }건을 다시 보내고 있습니다.
}
done-drop = { $count ->
   *[other] Dead letter { $count }건을 버렸습니다.
}
done-skip = { $count ->
   *[other] 이벤트 { $count }건을 건너뛰었습니다.
}
done-cancel-replay = 재전송을 취소했습니다.

## Events
events-find = 이벤트에서 글자 찾기
events-all-types = 모든 유형
events-domain = 도메인
events-since = 부터
events-until = 까지
events-clear = 지우기
events-live = 실시간
events-paused = 일시 정지
events-pause = 일시 정지
events-resume = 계속
events-newer = { $count ->
   *[other] 새 이벤트 { $count }건
}
events-newest = 최신
events-older = 이전 이벤트
events-searched = 여기까지 찾았습니다.
events-none = 맞는 이벤트가 없습니다. 이벤트가 도착하면 바로 여기에 나타납니다.
events-no-older = 맞는 이전 이벤트가 없습니다.
events-mistake = 필터를 고치면 이벤트가 나타납니다.
event-gone = 이 이벤트는 저널에 더 이상 없습니다.
column-sequence = 시퀀스

## One event
event-received = 받은 시각
event-happened = 일어난 시각
event-signature = 서명
event-verified = 확인됨
event-unverified = 확인되지 않음
event-id = Id
event-curl-help = CALLBACK_KEY 자리에 콜백 키를 넣으세요. 가려진 비밀 값은 가려진 채로 보냅니다.
copy = 복사
copied = 복사됨
close = 닫기

## Refused
refused-all = 전체
refused-none = 거부된 콜백이 없습니다.
refused-since = livehook 시작:
refusal-members = 받은 내용
likely-cause = 유력한 원인
fingerprints = livehook 키의 지문:
likely-other-key = 모든 서명이 다릅니다. 콘솔의 키가 livehook의 키와 같습니까?
likely-no-key = 서명된 콜백이 없습니다. 콘솔의 템플릿에 콜백 키를 입력했습니까?
likely-clock = 모두 약 { $late } 늦었습니다. 이 서버의 시계가 맞습니까?
likely-delay = 모두 늦었지만 늦은 시간이 서로 다릅니다. 중간의 프록시나 큐가 콜백을 붙잡고 있습니까?
likely-proxy = 모두 { $client }에서 왔습니다. 프록시라면 receiver.trusted_proxies에 추가하세요.
likely-stranger = 모두 { $client }에서 왔고 콜백이 아닙니다. CSS가 아니라 스캐너나 상태 점검일 것입니다.
likely-wrong-url = 여러 송신자의 경로가 틀렸습니다. 콘솔의 URL이 { $path }로 끝납니까?

## Login
login-help = 이 페이지를 보려면 관리 토큰이 필요합니다. 설정의 admin.token 또는 LIVEHOOK_ADMIN_TOKEN입니다.
login-no-token = 관리 토큰이 설정되지 않아 로그인할 수 없습니다. 이 서버에서는 로그인 없이 볼 수 있습니다.
login-token = 관리 토큰
login-wrong = 관리 토큰이 아닙니다.
login-too-many = 잘못된 토큰이 너무 많이 들어오고 있습니다. 1초 기다리세요.

## Problems
to-now = 방송 중인 스트림으로
problem-not-found = 그런 페이지가 없습니다
problem-not-found-help = 주소가 틀렸거나, 보여 주던 내용이 정리되었습니다.
problem-internal = livehook이 데이터를 읽지 못했습니다
problem-internal-help = 이유는 로그에 있습니다.
problem-busy = 요청이 한꺼번에 너무 많습니다
problem-busy-help = 몇 초 뒤에 다시 시도하세요.
problem-unavailable = livehook이 지금 답할 수 없습니다
problem-unavailable-help = 시작하거나 멈추는 중입니다. 몇 초 뒤에 다시 시도하세요.
problem-too-expensive = 찾는 데 너무 오래 걸립니다
problem-too-expensive-help = 기간을 줄이거나 스트림을 줄이세요.
problem-no-index = 인덱스가 꺼져 있습니다
problem-no-index-help = 스트림 페이지에는 인덱스가 필요합니다. index.enabled = true로 바꾸고 livehook을 다시 시작하세요.
problem-foreign-form = 다른 사이트에서 온 양식입니다
problem-foreign-form-help = 여기서 페이지를 열고 다시 시도하세요.
problem-unreadable-form = 양식을 읽지 못했습니다
problem-unreadable-form-help = 돌아가서 다시 보내세요.
problem-no-login = 로그인하지 않았습니다
problem-no-login-help = 로그인한 뒤 다시 하세요.
