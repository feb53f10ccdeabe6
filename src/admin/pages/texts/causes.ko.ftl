### Why a push stopped, in Korean. The English texts are the ones of `livehook explain`, in the folder callback/interruption.

cause-1-meaning = 송출 측이 푸시를 정상 종료함
cause-1-actor = 조치 불필요: 정상 종료입니다
cause-1-advice = 예정된 방송 종료라면 할 일이 없습니다. 아니라면 인코더나 앱의 로그에서 원인을 찾으세요. 사람이 멈췄는지, 앱이 비정상 종료됐는지, 자동으로 재시작했는지 확인합니다.

cause-3-meaning = 송출 측이 종료 명령 없이 TCP 연결을 끊음
cause-3-actor = 조치 불필요, 또는 송출 앱 개발자
cause-3-advice = 예정된 방송 종료라면 할 일이 없습니다. 많은 인코더가 이렇게 끝냅니다. 아니라면 앱이 비정상 종료됐는지, 휴대폰에서 앱을 닫거나 백그라운드로 보냈는지 확인하세요.

cause-4-meaning = 송출 측의 TCP 연결에 오류가 발생함
cause-4-actor = 송출자(네트워크)
cause-4-advice = 송출자의 네트워크 주소가 바뀌었는지(예: Wi-Fi에서 모바일로 전환), NAT나 방화벽이 연결을 끊는지 확인하세요. 반복되면 유선으로 연결해 보세요.

cause-5-meaning = CSS 내부 오류
cause-5-actor = Tencent Cloud
cause-5-advice = 다시 푸시하세요. 다른 노드가 받을 수 있습니다. 오류가 반복되면 도메인, 스트림, sequence, 노드, errcode, 종료 시각을 적어 티켓을 제출하세요.

cause-6-meaning = RTMP 푸시의 내용이 프로토콜에 맞지 않음
cause-6-actor = 송출자(인코더)
cause-6-advice = 비디오가 H.264나 H.265이고 오디오가 AAC인지, 코덱 헤더가 첫 프레임보다 먼저 오는지, 타임스탬프가 계속 증가하는지 확인하세요. 같은 URL로 다른 인코더를 써 보세요. push-anomaly(321) 이벤트에 구체적인 문제가 나옵니다.

cause-7-meaning = RTMP 프레임 하나가 크기 제한을 넘음
cause-7-actor = 송출자(인코더 설정)
cause-7-advice = 비트레이트나 해상도를 낮추세요. 고정 비트레이트(CBR)나 작은 VBV 버퍼로 키프레임 크기를 제한하세요. 모든 프레임을 키프레임으로 만드는 설정에서 이런 큰 프레임이 생깁니다.

cause-8-meaning = 연결은 유지됐지만 오랫동안 데이터가 없어 CSS가 끊음
cause-8-actor = 송출자(네트워크 또는 앱)
cause-8-advice = 인코더가 멈추거나 일시 정지됐는지, 카메라 같은 입력이 끊겼는지 확인하세요. 데이터를 계속 보냈다면 노드까지의 업로드 구간을 점검하세요.

cause-10-meaning = CSS 프록시 계층이 푸시 중단 명령을 받음
cause-10-actor = 운영자 또는 Tencent Cloud
cause-10-advice = 그 시각에 누가 콘솔이나 API로 스트림을 끊었는지 확인하세요. 아니라면 도메인, 스트림, sequence, 종료 시각을 적어 티켓을 제출하세요.

cause-12-meaning = 송출 측과 CSS 사이의 네트워크 장애
cause-12-actor = 송출자(네트워크)
cause-12-advice = 송출자의 업로드 대역폭과 비트레이트를 비교하고, 노드까지의 패킷 손실을 확인하세요. 여러 주소의 푸시가 동시에 끊겼다면 노드나 통신사 문제일 수 있으니 티켓을 제출하세요.

cause-18-meaning = CSS가 푸시를 거부함. 콜백에는 이유를 나타내는 하위 코드가 없음
cause-18-actor = URL 서명 담당, 운영자 또는 계정 소유자
cause-18-advice = 먼저 푸시 URL을 확인하세요. txTime이 지났는지, txSecret이 도메인의 키와 맞는지 봅니다. 그다음 콘솔에서 요금 납부, 도메인 상태, 금지된 스트림, IP 목록, 동시 푸시 한도를 확인하세요. 콘솔의 스트림 중단 기록에 원인이 나옵니다.

cause-19-meaning = 푸시의 서드파티 인증에 실패함
cause-19-actor = 운영자(인증 서비스)
cause-19-advice = 그 시각의 인증 서비스 로그를 보세요. CSS의 요청이 도착했는지, 어떤 응답을 얼마나 빨리 보냈는지 확인합니다. 그다음 푸시 URL에서 받은 매개변수를 점검하세요.

cause-21-meaning = 같은 이름의 새 푸시로 교체된 것으로 보임. API로 끊겼거나 금지됐을 수도 있음
cause-21-actor = 송출자 또는 운영자
cause-21-advice = 몇 초 안에 이 스트림의 다른 푸시가 시작됐는지 보세요. 시작됐다면 송출자가 다시 연결했거나 인코더 두 대가 같은 URL을 쓰는 것이니 주소를 비교하세요. 아니라면 누가 DropLiveStream이나 ForbidLiveStream을 호출했는지 확인하세요.

cause-33-meaning = RTMP 스트림에 CSS가 읽을 수 없는 AMF 데이터가 있음
cause-33-actor = 송출자(인코더)
cause-33-advice = 인코더가 보내는 메타데이터와 사용자 정의 메시지를 확인하고 끄세요. 인코더를 업데이트하거나 같은 URL로 다른 인코더를 써 보세요.

cause-37-meaning = 시청자가 없어 CSS가 스트림을 중단함
cause-37-actor = 운영자
cause-37-advice = 시청자가 없는 스트림을 멈추는 것이 맞다면 할 일이 없습니다. 시청자가 있었다면 플레이어가 이 스트림의 도메인과 이름을 쓰는지, 계정에 무시청 자동 중단이 켜져 있는지 확인하세요.

cause-39-meaning = 푸시의 프레임이 CSS의 최댓값을 넘음
cause-39-actor = 송출자(인코더 설정)
cause-39-advice = 인코더의 프레임 속도(보통 초당 30 또는 60)와 비트레이트를 확인하세요. 가변 프레임 속도를 쓰는지, 재연결 뒤에 밀린 프레임을 한꺼번에 보내는지 살펴보세요.

cause-0-meaning = 원인이 없음: 0은 푸시에서는 성공, 종료에서는 의미가 없는 값
cause-0-actor = Tencent Cloud(티켓)
cause-0-advice = 먼저 인코더 로그를 보세요. 예전 콜백은 정상 종료에도 0을 씁니다. 원하지 않은 종료라면 도메인, 스트림, sequence, 노드, 종료 시각을 적어 티켓을 제출하세요.

cause-22-meaning = 알 수 없음: Tencent Cloud에 있지만 설명이 없는 코드
cause-22-actor = Tencent Cloud(티켓)
cause-22-advice = 먼저 인코더 로그를 보세요. 원인이 나오지 않으면 도메인, 스트림, sequence, 노드, errcode, 종료 시각을 적어 티켓을 제출하세요.

cause-unlisted-meaning = 알 수 없음: Tencent Cloud의 표에 없는 코드
cause-unlisted-actor = Tencent Cloud(티켓)
cause-unlisted-advice = 콜백의 errmsg와 Tencent Cloud의 최신 코드 표를 보세요. 코드는 추가됩니다. 둘 다 설명이 없으면 도메인, 스트림, sequence, 노드, errcode, 종료 시각을 적어 티켓을 제출하세요.

cause-absent-meaning = 알 수 없음: 콜백에 errcode가 없음
cause-absent-actor = Tencent Cloud(티켓)
cause-absent-advice = 인코더 로그와, 콘솔의 스트림 중단 기록에서 이 스트림과 시각을 확인하세요.

cause-manual-meaning = 종료 콜백이 오지 않아 사람이 세션을 종료함
cause-manual-actor = 운영자
cause-manual-advice = 콘솔에서 스트림이 멈췄는지 확인하세요. 다른 스트림의 종료 콜백도 없다면 거부된 콜백이 있는지, CSS가 livehook에 접속하지 못한 시간이 있는지 살펴보세요. 종료 콜백이 뒤늦게 오면 그 이유로 바뀝니다.

cause-18-100-meaning = 푸시를 확인하던 중 CSS 내부 오류가 발생함
cause-18-100-actor = Tencent Cloud
cause-18-100-advice = 다시 푸시하세요. 오류가 반복되면 도메인, 스트림, 노드, errcode, 종료 시각을 적어 티켓을 제출하세요.

cause-18-200-meaning = CSS가 푸시 URL의 고객 정보를 찾지 못함
cause-18-200-actor = 계정 소유자
cause-18-200-advice = 푸시 도메인이 이 계정의 것이고 URL에 올바르게 적혔는지 확인하세요. 그렇다면 도메인과 APPID를 적어 티켓을 제출하세요.

cause-18-201-meaning = 계정의 라이브 서비스가 꺼져 있음
cause-18-201-actor = 계정 소유자
cause-18-201-advice = 콘솔에서 서비스를 활성화한 적이 없는지, 꺼졌는지 확인하고 활성화하세요.

cause-18-202-meaning = 요금 미납으로 서비스가 정지됨
cause-18-202-actor = 계정 소유자
cause-18-202-advice = 결제 콘솔에서 잔액을 확인하고 충전하세요. 몇 분 뒤 다시 푸시할 수 있습니다.

cause-18-203-meaning = Tencent Cloud가 서비스를 강제로 중지함
cause-18-203-actor = 계정 소유자
cause-18-203-advice = 콘솔의 메시지나 계정 소유자의 이메일에서 공지를 찾고, APPID를 적어 티켓을 제출하세요.

cause-18-300-meaning = 푸시 URL에 도메인 대신 IP 주소가 있음
cause-18-300-actor = 운영자
cause-18-300-advice = 인코더의 URL을 고치세요. 푸시는 푸시 도메인으로 보내야 합니다. 앱의 프록시나 DNS 설정이 주소를 바꿨을 수 있습니다.

cause-18-301-meaning = CSS가 푸시 도메인을 모름
cause-18-301-actor = 운영자
cause-18-301-advice = 푸시 URL의 도메인 철자를 확인하세요. 콘솔의 도메인 관리에 이 계정의 푸시 도메인으로 등록돼 있어야 합니다.

cause-18-302-meaning = 푸시 도메인이 유효하지 않음
cause-18-302-actor = 운영자
cause-18-302-advice = 콘솔에서 도메인의 유형과 상태를 확인하세요. 푸시 도메인이어야 하고, 설정이 끝났으며 CNAME과 ICP 등록에 문제가 없어야 합니다.

cause-18-303-meaning = 푸시 도메인이 비활성화됨
cause-18-303-actor = 운영자
cause-18-303-advice = 콘솔에서 도메인 상태를 확인하고 활성화하세요. 아무도 끄지 않았다면 Tencent Cloud의 공지를 찾아보세요.

cause-18-304-meaning = 푸시 URL의 AppName이 비활성화됨
cause-18-304-actor = 운영자
cause-18-304-advice = 푸시 URL의 경로(보통 live)를 확인하고, 누가 이 AppName을 비활성화했는지 알아보세요.

cause-18-305-meaning = 스트림 이름이 금지됨
cause-18-305-actor = 운영자
cause-18-305-advice = 콘솔의 금지된 스트림 목록(DescribeLiveForbidStreamList)에서 시작 시각과 이유를 보세요. 풀어도 된다면 그 목록이나 ResumeLiveStream으로 해제하세요.

cause-18-306-meaning = 채널 모드가 켜져 있지만 채널이 없음
cause-18-306-actor = 운영자
cause-18-306-advice = 푸시하기 전에 채널을 만들거나 푸시 URL의 채널 이름을 확인하세요. 채널 모드가 필요 없다면 Tencent Cloud에 꺼 달라고 요청하세요.

cause-18-307-meaning = 채널 모드가 켜져 있지만 채널이 닫혀 있음
cause-18-307-actor = 운영자
cause-18-307-advice = 채널을 다시 열거나 누가 닫았는지 확인하세요. 채널 모드가 필요 없다면 Tencent Cloud에 꺼 달라고 요청하세요.

cause-18-308-meaning = 스트림 이름에 허용되지 않는 문자가 있음
cause-18-308-actor = 운영자 또는 앱 개발자
cause-18-308-advice = 스트림 이름에는 영문자, 숫자, _, -만 쓰세요. 푸시 URL이 두 번 인코딩되지 않았는지 확인하세요.

cause-18-309-meaning = AppName에 허용되지 않는 문자가 있음
cause-18-309-actor = 운영자 또는 앱 개발자
cause-18-309-advice = 푸시 URL의 경로에는 영문자, 숫자, _, -만 쓰세요. /가 두 번 들어갔거나 빠지지 않았는지 확인하세요.

cause-18-400-meaning = 송출 측 IP 주소가 차단 목록에 있음
cause-18-400-actor = 운영자
cause-18-400-advice = 콜백의 user_ip를 푸시 도메인의 차단 목록과 비교하세요. 같은 공인 주소를 쓰는 송출자는 함께 차단됩니다.

cause-18-401-meaning = 송출 측 IP 주소가 허용 목록에 없음
cause-18-401-actor = 운영자
cause-18-401-advice = 콜백의 user_ip를 푸시 도메인의 허용 목록과 비교하세요. 가정용 회선과 모바일의 주소는 바뀌고, IPv6 주소는 따로 등록해야 합니다.

cause-18-500-meaning = 푸시 URL에 만료 시각(txTime)이 없음
cause-18-500-actor = 푸시 URL을 서명하는 앱
cause-18-500-advice = 앱이 txTime과 txSecret을 붙이게 하거나, 인코더가 URL을 ?나 &에서 잘랐는지 확인하세요. 많은 인코더가 경로 뒤의 부분을 스트림 키로 입력받습니다.

cause-18-501-meaning = 푸시 URL이 만료됨(txTime이 지남)
cause-18-501-actor = 푸시 URL을 서명하는 앱
cause-18-501-advice = stream_param의 txTime(16진수 Unix 초)을 확인하고 송출자에게 새 URL을 주세요. 새로 만든 URL이었다면 유효 시간과 서명 서버의 시계를 확인하세요.

cause-18-502-meaning = 푸시 URL에 인증 매개변수(txSecret)가 없음
cause-18-502-actor = 푸시 URL을 서명하는 앱
cause-18-502-advice = 앱이 txSecret을 붙이게 하거나, 인코더가 URL을 ?나 &에서 잘랐는지 확인하세요. 많은 인코더가 경로 뒤의 부분을 스트림 키로 입력받습니다.

cause-18-503-meaning = 푸시 URL의 서명(txSecret)이 틀림
cause-18-503-actor = 푸시 URL을 서명하는 앱
cause-18-503-advice = 서명에 쓴 키와 콘솔에 있는 푸시 도메인의 키를 비교하세요. 키가 바뀌었거나 다른 도메인의 키일 수 있습니다. 그다음 키, 스트림 이름, txTime을 URL에 있는 그대로 해시했는지 확인하세요.

cause-18-600-meaning = 계정의 동시 푸시 수가 한도를 넘음
cause-18-600-actor = 운영자 또는 송출자
cause-18-600-advice = 방송 중인 스트림 수를 세어 보세요. 잊고 켜 둔 스트림이나, 재연결 뒤에 남은 이전 푸시를 찾으세요. 모두 필요하다면 Tencent Cloud에 한도 상향을 요청하세요.

cause-18-601-meaning = 스트림 이름의 동시 푸시 수가 한도를 넘음
cause-18-601-actor = 운영자 또는 송출자
cause-18-601-advice = 같은 URL을 쓰는 다른 인코더가 있는지, 이 스트림의 푸시별 user_ip를 비교하세요. 인코더마다 스트림 이름을 따로 쓰세요.

cause-18-602-meaning = 우선순위가 더 높은 푸시가 이미 스트림 이름을 사용 중임
cause-18-602-actor = 운영자 또는 송출자
cause-18-602-advice = 이것이 백업이고 주 푸시가 방송 중이라면 할 일이 없습니다. 아니라면 user_ip로 다른 인코더를 찾고, 두 푸시 URL의 우선순위를 확인하세요.

cause-21-100-meaning = API 또는 콘솔에서 푸시를 끊음
cause-21-100-actor = 운영자
cause-21-100-advice = 누가 DropLiveStream을 호출했는지, 어떤 작업이나 검수 규칙이 했는지 확인하세요. 송출자는 바로 다시 푸시할 수 있습니다.

cause-21-101-meaning = API 또는 콘솔에서 스트림을 금지함
cause-21-101-actor = 운영자
cause-21-101-advice = 누가 ForbidLiveStream을 호출했는지, 어떤 작업이나 검수 규칙이 했는지 확인하세요. 금지 기간이 끝나거나 ResumeLiveStream으로 풀기 전까지 새 푸시는 거부됩니다(18).

cause-21-102-meaning = 같은 이름의 새 푸시로 교체됨
cause-21-102-actor = 송출자
cause-21-102-advice = 송출자가 다시 연결한 것이라면 할 일이 없습니다. 새 푸시로 방송이 이어집니다. 계속 반복되면 인코더 두 대가 같은 URL을 쓰는 것이니 user_ip를 비교하세요.

cause-21-103-meaning = 데이터가 오지 않아 같은 이름의 새 푸시로 교체됨
cause-21-103-actor = 송출자
cause-21-103-advice = 네트워크가 끊겼다가 다시 연결한 것이라면 할 일이 없습니다. 반복되면 첫 인코더가 왜 데이터를 보내지 않았는지 입력과 네트워크를 확인하세요.
