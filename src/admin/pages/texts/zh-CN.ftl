### The sentences of the pages in Simplified Chinese. Every language has the same ones, in the same order.

## Frame
navigation = 页面
skip-to-content = 跳到正文
connection-lost = 连接已断开，正在重试
language = 语言
theme = 颜色
theme-auto = 自动
theme-light = 浅色
theme-dark = 深色
apply = 应用
log-in = 登录
log-out = 退出登录
tab-now = 概览
tab-timeline = 时间线
tab-reasons = 断流原因
tab-events = 事件
tab-refused = 已拒绝
tab-sinks = 投递目标

## Times
duration-days = { $large } 天 { $small } 小时
duration-hours = { $large } 小时 { $small } 分
duration-minutes = { $large } 分 { $small } 秒
duration-seconds = { $large } 秒
ago = { $duration }前
lasted = 持续 { $duration }

## Columns
column-name = 流
column-since = 已直播
column-started = 开始
column-ended = 结束
column-duration = 时长
column-pusher = 推流地址
column-node = 节点
column-size = 分辨率
column-pushes = 推流数
column-anomalies = 异常
column-recordings = 录制
column-screenshots = 截图

## Now
title-now = { $count } 路直播中
streams-live = { $count ->
   *[other] 正在直播的流
}
live-streams = 直播中的流
recently-ended = 最近结束
filter-streams = 查找流
no-stream-live = 没有正在直播的流。一开始推流，就会出现在这里。
no-stream-matches = 没有名称包含这段文字的直播流。
nothing-ended = 最近没有流停止。
with-backup = 含备份
paging = 列表分页
previous-page = 上一页
next-page = 下一页
page-of = 第 { $page } 页，共 { $pages } 页
callbacks-of-the-hour = 最近一小时：通过 { $verified } 次，拒绝 { $refused } 次

## How the parts do
health = livehook 的状态
condition-good = 正常
condition-warning = 需要留意
condition-bad = 出错
part-receiver = 接收器
part-journal = 事件日志
part-index = 索引
stopping = livehook 正在停止
last-callback = 最近一次回调在 { $ago }
no-callback = 启动以来没有回调
callbacks-a-minute = 每分钟通过 { $verified } 次，拒绝 { $refused } 次
journal-stores = 正常保存事件，至今 { $count } 条
journal-refuses = 不接受事件：
index-rebuilding = 正在从事件日志重建
up-to-date = 已是最新
behind = { $count ->
   *[other] 落后 { $count } 条
}
oldest-pending = 最早的一条在 { $ago }到达
sink-retries = 失败，接下来是第 { $attempt } 次尝试：
dead-letters = { $count ->
   *[other] { $count } 条死信
}

## States and reasons
state-live = 直播中
state-ended = 已结束
state-stale = 无消息
category-client = 推流端
category-network = 网络
category-content = 内容
category-idle = 无数据
category-internal = 内部
category-rejected = 被拒绝
category-operator = 运营方
category-replaced = 被替换
category-manual = 手动结束
category-unknown = 未知
reason-guess = （根据 CSS 的消息推测）

## Timeline
now = 现在
span-hour = 最近 1 小时
span-day = 最近 24 小时
span-week = 最近 7 天
span-month = 最近 30 天
span-own = 自选时间
time-shown = 显示的时间
time-from = 从
time-to = 到
times-in-zone = { $zone } 时间
steps = 移动和缩放
step-earlier = 更早
step-later = 更晚
step-closer = 放大
step-wider = 缩小
filter-domain = 域名
filter-app = AppName
filter-code = 错误码
filter-remove = 移除此筛选
filters-clear = 显示全部流
page-number = 第 { $page } 页
timeline-empty = 这段时间内没有直播。
timeline-nothing-matches = 符合条件的流在这段时间内没有直播。
timeline-keys = 在图上拖动可放大所选时段。← → 移动，+ − 缩放，也可按住 Ctrl 滚动滚轮缩放。
lanes-cut = 会话太多，无法全部查找，可能有流没有显示。请缩短时间，或按名称查找流。
lane-unread = 会话太多，更早的会话没有显示。请缩短时间。
lane-broadcast = 同一场直播：{ $sessions } 个会话，中断 { $gaps } 次，最长 { $longest }
lane-shared-bar = { $count } 个会话，多数为{ $kind }。放大后可逐个查看。
mark-live = ▶
mark-stale = …
mark-client = 端
mark-network = 网
mark-content = 容
mark-idle = 空
mark-internal = 内
mark-rejected = 拒
mark-operator = 运
mark-replaced = ⇄
mark-manual = 手
mark-unknown = ?

## Reasons
stops = 断流
interruptions = 异常中断
interruptions-help = 推流端和运营方都不希望发生的断流：网络、内容、无数据、内部、被拒绝和未知。
interruptions-shown = 异常中断 { $count } 次：在时间线中查看
compared-with-before = 与之前同样长的时间相比
change-percent = { $sign }{ $percent }%
as-before = 与之前持平
none-before = 之前没有
frequent-reasons = 最常见的原因
share-of-stops = 占全部断流的 { $percent }%
show-streams = 在时间线中查看这些流
interrupted-streams = 异常中断最多的流
interrupted-nodes = 异常中断最多的节点
no-interruptions = 这段时间内没有异常中断。
reasons-cut = 这段时间内断流过多，原因、流和节点只统计了最近 { $count } 次断流。
reasons-empty = 这段时间内没有断流。
reasons-nothing-matches = 符合条件的流在这段时间内没有断流。

## One session
session = 会话
session-is-live = 已直播
session-without-stop = 很久没有收到断流回调，可能已丢失。请在 CSS 控制台确认这路流是否还在直播。
who-acts = 谁来处理
what-to-do = 怎么做
errmsg = CSS 的消息
events-in-order = 按时间排列的事件
events-pruned = 事件日志中已没有这个会话的事件。
events-left-out = { $count ->
   *[other] 还有 { $count } 条事件没有显示。
}
broadcast = 所属的直播
neighbour-before = 之前
neighbour-parallel = 同时
neighbour-after = 之后
media = 录制和截图
recording = 录制
screenshot = 截图
session-as-json = 此会话的 JSON
stream-totals = { $sessions } 个会话，共直播 { $time }，异常中断 { $interruptions } 次

## One stream
newest-sessions = 最近的会话
column-reason = 原因
broadcast-started = 最近一场直播开始于
broadcast-sessions = 其中的会话数
broadcast-gaps = 中断次数
broadcast-longest-gap = 最长的中断

## Set-up
setup-title = 把 CSS 接到 livehook
setup-intro = 还没有收到事件。在 CSS 控制台完成四步后，这个页面会变成直播流的列表。
setup-url = 填写回调 URL
setup-url-help = CSS 控制台 › 事件中心 › 直播回调 › 创建模板。在需要的每种事件中填写这个 URL，并把主机换成 CSS 能访问到这台机器的名称。
setup-host = 您的主机
setup-listens = livehook 监听 { $address }。HTTPS 由前面的代理（如 Caddy 或 nginx）提供。
setup-key = 填写回调密钥
setup-key-help = 模板中的密钥要与 livehook 的相同。密钥本身不会在任何地方显示。下面是 livehook 各个密钥的指纹，livehook check-config 也会输出它们。
setup-no-key = 没有配置密钥，任何人都能发送事件。请用 livehook keygen 生成一个。
setup-events = 把模板绑定到推流域名
setup-events-help = CSS 控制台 › 域名管理 › 推流域名 › 模板配置。CSS 需要几分钟才会生效。
setup-test = 推一路流
setup-test-help = 或者在这台机器上发送一个样例，把 KEY 换成回调密钥：
setup-arrived = 已到达的回调
setup-nothing-arrived = 还没有。回调到达后一秒内就会显示在这里。

## Why a callback was refused, and the cure
refusal-malformed = 不是回调
refusal-malformed-cure = 请求体不是 CSS 发送的 JSON。请确认模板中的 URL 只用于回调。
refusal-signature-missing = 没有签名
refusal-signature-missing-cure = 请在模板中填写回调密钥：没有密钥，CSS 不会签名。
refusal-signature-mismatch = 签名不符
refusal-signature-mismatch-cure = 控制台的密钥与 livehook 的不同。请核对后重新保存模板。
refusal-signature-expired = 太迟
refusal-signature-expired-cure = 回调到达时签名已过期。请检查这台机器的时钟，例如运行 timedatectl。
refusal-address-not-allowed = 地址不在允许范围
refusal-address-not-allowed-cure = 发送方不在 receiver.allowed_addresses 中。如果前面有代理，请把代理加入 receiver.trusted_proxies。
refusal-appid-not-allowed = APPID 不在允许范围
refusal-appid-not-allowed-cure = 回调来自另一个账号，请看 receiver.allowed_appids。
refusal-domain-not-allowed = 域名不在允许范围
refusal-domain-not-allowed-cure = 推流域名不在 receiver.allowed_domains 中，或不在该密钥的域名列表中。
refusal-not-found = 路径错误
refusal-not-found-cure = 模板中 URL 的路径不是 receiver.path。
refusal-method-not-allowed = 不是 POST
refusal-method-not-allowed-cure = CSS 发送的是 POST。可能是浏览器或健康检查访问了回调 URL。
refusal-timeout = 太慢
refusal-timeout-cure = 发送方没有按时发完请求。请检查中间的代理和网络。
refusal-length-required = 没有长度
refusal-length-required-cure = 请求没有 Content-Length。请检查 livehook 前面的代理。
refusal-body-too-large = 太大
refusal-body-too-large-cure = 请求体超过了 receiver.body_bytes_max。
refusal-encoding-not-supported = 已压缩
refusal-encoding-not-supported-cure = 请求体被压缩了，而 CSS 从不压缩。请检查 livehook 前面的代理。

## Sinks
sink = 投递目标
sinks-none = 没有配置投递目标。事件保存在 livehook 的事件日志中。要转发事件，请在配置中添加 [[sinks]]。
absent-sinks = 其他投递目标的死信
absent-sinks-help = 这些投递目标已不在配置中。它们的死信会保留，直到您丢弃为止。要重发，请用同一名称重新配置该投递目标。
absent-sink-count = { $count } 条死信
absent-sink = 此投递目标已不在配置中。
sink-behind = 落后的事件
sink-oldest = 最早的待发事件
sink-catch-up = 追上大约还需
sink-last-delivery = 最近一次送达
sink-last-failure = 最近一次失败
sink-never = 启动以来没有
sink-dead-letters = 死信
sink-chart-behind = 落后的事件：3 小时内最多 { $most } 条
sink-chart-age = 最早待发事件的等待时间：3 小时内最长 { $most }
sink-chart-begin = 3 小时前
sink-chart-now = 现在
sink-blocked = 失败的事件太多，投递目标不再读取。请排除原因，或跳过失败的事件。
sink-held = { $count ->
   *[other] { $count } 路流排在失败的事件后面。
}
sink-failing-event = 最早的失败事件
sink-retry = 立即重试
sink-skip-event = 跳过这条事件
sink-skip-stream = 跳过这路流的全部事件
sink-no-token = 要在这里重发、丢弃或跳过事件，请设置 admin.token 并重新加载配置。
column-event = 事件
column-failed = 失败时间
column-attempts = 尝试次数
column-actions = 操作
column-state = 状态
column-selection = 事件
column-progress = 进度
first-page = 首页
dead-letters-none = 没有死信。投递目标彻底拒绝一条事件，或您跳过它时，它就成为死信。
dead-letters-redrive-all = 全部重发
dead-letters-drop-all = 全部丢弃
dead-letter-redrive = 重发
dead-letter-drop = 丢弃
dead-letter-waits = 等待重发
replays-title = 重放
replays-none = 没有重放。livehook replay 命令把事件日志中的事件再次发给投递目标。
replay-running = 进行中
replay-done = 已完成
replay-cancelled = 已取消
replay-all-events = 全部事件
replay-progress = { $sent } / { $counted }
replay-sent = 已发 { $sent } 条
replay-rejected = { $count } 条被拒绝
replay-cancel = 取消

## Changes
ask-retry = 立即重试？
ask-retry-help = 投递目标的等待全部结束，马上尝试待发的事件。
ask-redrive = 重发这条死信？
ask-redrive-all = { $count ->
   *[other] 重发 { $count } 条死信？
}
ask-redrive-help = 投递目标以相同的 id 再次收到这些事件。送达后死信消失。
ask-drop = 丢弃这条死信？
ask-drop-all = { $count ->
   *[other] 丢弃 { $count } 条死信？
}
ask-drop-help = 无法撤销：除非趁事件日志中还有时重放，否则投递目标再也收不到这些事件。
ask-skip-event = 跳过这条事件？
ask-skip-stream = 跳过这路流的事件？
ask-skip-help = 它们成为死信，后面的事件得以通过。以后可以重发。
ask-cancel-replay = 取消这次重放？
ask-cancel-replay-help = 投递目标保留已收到的事件。
skip = 跳过
go-back = 返回
done-retry = 投递目标正在重试。
done-redrive = { $count ->
   *[other] 正在重发 { $count } 条死信。
}
done-drop = { $count ->
   *[other] 已丢弃 { $count } 条死信。
}
done-skip = { $count ->
   *[other] 已跳过 { $count } 条事件。
}
done-cancel-replay = 重放已取消。

## Events
events-find = 在事件中查找文字
events-all-types = 全部类型
events-domain = 域名
events-since = 从
events-until = 到
events-clear = 清除
events-live = 实时
events-paused = 已暂停
events-pause = 暂停
events-resume = 继续
events-newer = { $count ->
   *[other] { $count } 条新事件
}
events-newest = 最新
events-older = 更早
events-searched = 已查找到这里。
events-none = 没有符合的事件。事件一到就会出现在这里。
events-no-older = 没有更早的符合事件。
events-mistake = 请改正筛选条件。
event-gone = 事件日志中已没有这条事件。
column-sequence = 序列号

## One event
event-received = 收到
event-happened = 发生
event-signature = 签名
event-verified = 已验证
event-unverified = 未验证
event-id = Id
event-curl-help = 把 CALLBACK_KEY 换成您的回调密钥。已隐去的机密仍然隐去。
copy = 复制
copied = 已复制
close = 关闭

## Refused
refused-all = 全部
refused-none = 没有被拒绝的回调。
refused-since = livehook 启动于
refusal-members = 收到的内容
likely-cause = 可能的原因
fingerprints = livehook 密钥的指纹：
likely-other-key = 所有签名都不一致：控制台里的密钥与 livehook 的密钥相同吗？
likely-no-key = 回调都没有签名：控制台的模板里填写了回调密钥吗？
likely-clock = 全部迟到约 { $late }：这台机器的时钟准确吗？
likely-delay = 全部迟到，但时间不一：途中的代理或队列是否拖住了回调？
likely-proxy = 全部来自 { $client }：如果这是您的代理，请加入 receiver.trusted_proxies。
likely-stranger = 全部来自 { $client }，而且都不是回调：多半是扫描器或健康检查，不是 CSS。
likely-wrong-url = 多个发送方的路径不对：控制台里的 URL 以 { $path } 结尾吗？

## Login
login-help = 查看这些页面需要管理令牌：配置中的 admin.token，或 LIVEHOOK_ADMIN_TOKEN。
login-no-token = 没有配置管理令牌，所以无法登录。在本机查看不需要登录。
login-token = 管理令牌
login-wrong = 这不是管理令牌。
login-too-many = 错误的令牌太多，请等一秒。

## Problems
to-now = 查看直播中的流
problem-not-found = 没有这个页面
problem-not-found-help = 地址有误，或者它显示的内容已被清理。
problem-internal = livehook 无法读取数据
problem-internal-help = 原因在日志中。
problem-busy = 同时的请求太多
problem-busy-help = 请过几秒再试。
problem-unavailable = livehook 现在无法回答
problem-unavailable-help = 它正在启动或停止。请过几秒再试。
problem-too-expensive = 查找时间太长
problem-too-expensive-help = 请缩短时间范围或减少流。
problem-no-index = 索引已关闭
problem-no-index-help = 流的页面需要索引：请设置 index.enabled = true 并重启 livehook。
problem-foreign-form = 这个表单来自其他网站
problem-foreign-form-help = 请在这里打开页面再试。
problem-unreadable-form = 无法读取表单
problem-unreadable-form-help = 请返回后重新提交。
problem-no-login = 您没有登录
problem-no-login-help = 请登录后再试。
