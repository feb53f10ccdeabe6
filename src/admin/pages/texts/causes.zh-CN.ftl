### Why a push stopped, in Simplified Chinese. The English texts are the ones of `livehook explain`, in the folder callback/interruption.

cause-1-meaning = 推流端主动断流
cause-1-actor = 无需处理：属于正常结束
cause-1-advice = 如果直播本来就已结束，无需处理。否则请查看编码器或 App 的日志：是有人停止推流、程序崩溃，还是自动重启。

cause-3-meaning = 推流端未发送断流指令就关闭了 TCP 连接
cause-3-actor = 无需处理，或由主播端 App 的开发者处理
cause-3-advice = 如果直播本来就已结束，无需处理：很多编码器都这样结束推流。否则请排查 App 是否崩溃、被关闭或被切到后台。

cause-4-meaning = 推流端 TCP 连接异常
cause-4-actor = 主播（网络）
cause-4-advice = 检查主播的网络地址是否变化（例如从 Wi-Fi 切到移动网络），以及 NAT 或防火墙是否切断了连接。如果反复出现，请改用有线网络。

cause-5-meaning = CSS 内部错误
cause-5-actor = 腾讯云
cause-5-advice = 重新推流，可能会接入其他节点。如果错误再次出现，请提交工单，附上域名、流名称、sequence、节点、errcode 和断流时间。

cause-6-meaning = RTMP 推流内容不符合协议
cause-6-actor = 主播（编码器）
cause-6-advice = 确认视频为 H.264 或 H.265、音频为 AAC，编码头在第一帧之前发送，且时间戳单调递增。可换一个编码器推同一个地址来对比。推流异常事件（321）会指出具体问题。

cause-7-meaning = 单个 RTMP 帧超过大小限制
cause-7-actor = 主播（编码器设置）
cause-7-advice = 降低码率或分辨率。在编码器中限制关键帧的大小，例如使用固定码率（CBR）或较小的 VBV 缓冲。全 I 帧编码会产生这样的大帧。

cause-8-meaning = 连接仍在，但长时间没有数据，CSS 主动断开
cause-8-actor = 主播（网络或 App）
cause-8-advice = 检查编码器是否卡死、暂停，或失去了摄像头等输入源。如果一直在发送数据，请检查到节点的上行网络。

cause-10-meaning = CSS 代理层收到断流指令
cause-10-actor = 运营方，或腾讯云
cause-10-advice = 确认当时是否有人在控制台或通过 API 断流。如果没有，请提交工单，附上域名、流名称、sequence 和断流时间。

cause-12-meaning = 推流端与 CSS 之间的网络异常
cause-12-actor = 主播（网络）
cause-12-advice = 对比主播的上行带宽与推流码率，并检查到节点的丢包率。如果多个地址的推流同时中断，可能是节点或网络运营商的问题，请提交工单。

cause-18-meaning = CSS 拒绝了推流；回调中没有说明原因的子错误码
cause-18-actor = 推流地址的签发方、运营方或账号所有者
cause-18-advice = 先检查推流地址：txTime 是否已过期，txSecret 与域名的密钥是否一致。再到控制台检查：账单、域名状态、禁推的流、IP 黑白名单和推流路数上限。控制台的断流记录会显示具体原因。

cause-19-meaning = 第三方推流鉴权失败
cause-19-actor = 运营方（鉴权服务）
cause-19-advice = 查看鉴权服务当时的日志：CSS 是否访问到它，它返回了什么，耗时多久。再检查它从推流地址中得到的参数。

cause-21-meaning = 可能被同名的新推流顶替，也可能被 API 断流或禁推
cause-21-actor = 主播，或运营方
cause-21-advice = 查看几秒内是否有这路流的新推流。如果有，说明主播重新连接了，或两个编码器用了同一个推流地址：请对比它们的 IP。如果没有，请查明是谁调用了 DropLiveStream 或 ForbidLiveStream。

cause-33-meaning = RTMP 流中含有 CSS 无法解析的 AMF 数据
cause-33-actor = 主播（编码器）
cause-33-advice = 检查编码器发送的元数据和自定义消息，并将其关闭。升级编码器，或换一个编码器推同一个地址。

cause-37-meaning = 无人观看，CSS 停止了这路流
cause-37-actor = 运营方
cause-37-advice = 如果无人观看的流本来就该停止，无需处理。如果当时有人观看，请检查播放端使用的域名和流名称，以及账号是否开启了无人观看自动断流。

cause-39-meaning = 推流的帧超过 CSS 的上限
cause-39-actor = 主播（编码器设置）
cause-39-advice = 检查编码器的帧率（通常为每秒 30 或 60 帧）和码率。留意是否使用了可变帧率，以及重连后是否集中补发旧帧。

cause-0-meaning = 没有给出原因：推流时 0 表示成功，断流时没有含义
cause-0-actor = 腾讯云（提交工单）
cause-0-advice = 先查看编码器日志：旧版回调在正常结束时也用 0。如果不该断流，请提交工单，附上域名、流名称、sequence、节点和断流时间。

cause-22-meaning = 未知：腾讯云有这个错误码，但没有说明
cause-22-actor = 腾讯云（提交工单）
cause-22-advice = 先查看编码器日志。如果没有线索，请提交工单，附上域名、流名称、sequence、节点、errcode 和断流时间。

cause-unlisted-meaning = 未知：这个错误码不在腾讯云的错误码表中
cause-unlisted-actor = 腾讯云（提交工单）
cause-unlisted-advice = 查看回调的 errmsg 和腾讯云最新的错误码表，因为错误码会增加。如果都没有说明，请提交工单，附上域名、流名称、sequence、节点、errcode 和断流时间。

cause-absent-meaning = 未知：回调中没有 errcode
cause-absent-actor = 腾讯云（提交工单）
cause-absent-advice = 查看编码器日志，以及控制台中这路流在该时间的断流记录。

cause-manual-meaning = 没有收到断流回调，由人工结束了会话
cause-manual-actor = 运营方
cause-manual-advice = 在控制台确认这路流已停止。如果其他流也缺少断流回调，请查看是否有回调被拒绝，或 CSS 在某段时间内无法访问 livehook。如果断流回调之后到达，将以它的原因为准。

cause-18-100-meaning = CSS 检查推流时发生内部错误
cause-18-100-actor = 腾讯云
cause-18-100-advice = 重新推流。如果错误再次出现，请提交工单，附上域名、流名称、节点、errcode 和断流时间。

cause-18-200-meaning = CSS 找不到推流地址对应的客户信息
cause-18-200-actor = 账号所有者
cause-18-200-advice = 确认推流域名属于这个账号，且在推流地址中拼写正确。如果都没有问题，请提交工单，附上域名和 APPID。

cause-18-201-meaning = 账号的直播服务已关闭
cause-18-201-actor = 账号所有者
cause-18-201-advice = 在控制台确认直播服务是从未开通还是已被关闭，然后开通。

cause-18-202-meaning = 账号欠费，直播服务已暂停
cause-18-202-actor = 账号所有者
cause-18-202-advice = 在费用中心查看余额并充值。几分钟后即可恢复推流。

cause-18-203-meaning = 直播服务被腾讯云强制关闭
cause-18-203-actor = 账号所有者
cause-18-203-advice = 查看控制台站内信或账号所有者邮箱中的通知，并提交工单，附上 APPID。

cause-18-300-meaning = 推流地址使用了 IP 而不是域名
cause-18-300-actor = 运营方
cause-18-300-advice = 更正编码器中的推流地址：必须推到推流域名。IP 可能来自 App 中的代理或自定义 DNS。

cause-18-301-meaning = CSS 无法识别推流域名
cause-18-301-actor = 运营方
cause-18-301-advice = 检查推流地址中的域名拼写。它应出现在控制台的域名管理中，并且是这个账号的推流域名。

cause-18-302-meaning = 推流域名无效
cause-18-302-actor = 运营方
cause-18-302-advice = 在控制台检查域名的类型和状态：必须是推流域名，配置已完成，CNAME 和备案均正常。

cause-18-303-meaning = 推流域名已停用
cause-18-303-actor = 运营方
cause-18-303-advice = 在控制台检查域名状态并启用。如果没有人停用过，请查看腾讯云是否发过通知。

cause-18-304-meaning = 推流地址中的 AppName 已被禁用
cause-18-304-actor = 运营方
cause-18-304-advice = 检查推流地址的路径（通常为 live），以及是否有人禁用了这个 AppName。

cause-18-305-meaning = 流名称已被禁推
cause-18-305-actor = 运营方
cause-18-305-advice = 在控制台的禁推列表（DescribeLiveForbidStreamList）中查看禁推的开始时间和原因。如果可以解禁，请在那里恢复，或调用 ResumeLiveStream。

cause-18-306-meaning = 已开启频道模式，但频道不存在
cause-18-306-actor = 运营方
cause-18-306-advice = 推流前先创建频道，或检查推流地址中的频道名称。如果不需要频道模式，请联系腾讯云关闭。

cause-18-307-meaning = 已开启频道模式，但频道已关闭
cause-18-307-actor = 运营方
cause-18-307-advice = 重新开启频道，或查明是谁关闭的。如果不需要频道模式，请联系腾讯云关闭。

cause-18-308-meaning = 流名称含有不允许的字符
cause-18-308-actor = 运营方，或 App 的开发者
cause-18-308-advice = 流名称只使用英文字母、数字、_ 和 -。确认推流地址没有被重复编码。

cause-18-309-meaning = AppName 含有不允许的字符
cause-18-309-actor = 运营方，或 App 的开发者
cause-18-309-advice = 推流地址的路径只使用英文字母、数字、_ 和 -。检查是否多了或少了 /。

cause-18-400-meaning = 推流端 IP 在黑名单中
cause-18-400-actor = 运营方
cause-18-400-advice = 对照推流域名的 IP 黑名单检查回调中的 user_ip。共用同一出口 IP 的主播会一起被禁止。

cause-18-401-meaning = 推流端 IP 不在白名单中
cause-18-401-actor = 运营方
cause-18-401-advice = 对照推流域名的 IP 白名单检查回调中的 user_ip。家庭宽带和移动网络的 IP 会变化，IPv6 地址需要单独添加。

cause-18-500-meaning = 推流地址没有过期时间（txTime）
cause-18-500-actor = 签发推流地址的应用
cause-18-500-advice = 让应用加上 txTime 和 txSecret，或检查编码器是否在 ? 或 & 处截断了地址：很多编码器要求把路径之后的部分填为串流密钥。

cause-18-501-meaning = 推流地址已过期（txTime 已过）
cause-18-501-actor = 签发推流地址的应用
cause-18-501-advice = 查看 stream_param 中的 txTime（十六进制 Unix 秒），并给主播新的推流地址。如果地址是新生成的，请检查它的有效期和签发方的时钟。

cause-18-502-meaning = 推流地址没有鉴权参数（txSecret）
cause-18-502-actor = 签发推流地址的应用
cause-18-502-advice = 让应用加上 txSecret，或检查编码器是否在 ? 或 & 处截断了地址：很多编码器要求把路径之后的部分填为串流密钥。

cause-18-503-meaning = 推流地址的签名（txSecret）错误
cause-18-503-actor = 签发推流地址的应用
cause-18-503-advice = 对比签发方使用的密钥与控制台中推流域名的密钥：是否改过，或属于另一个域名？再确认签名时使用的密钥、流名称和 txTime 与推流地址中的完全一致。

cause-18-600-meaning = 账号同时推流的路数超过上限
cause-18-600-actor = 运营方，或主播
cause-18-600-advice = 统计正在直播的流。排查被遗忘的流，以及重连后没有断开的旧推流。如果确实都需要，请联系腾讯云提高上限。

cause-18-601-meaning = 同一流名称的推流数超过上限
cause-18-601-actor = 运营方，或主播
cause-18-601-advice = 排查是否有另一个编码器使用同一个推流地址：对比这路流各次推流的 user_ip。为每个编码器分配单独的流名称。

cause-18-602-meaning = 流名称已被优先级更高的推流占用
cause-18-602-actor = 运营方，或主播
cause-18-602-advice = 如果这是备用流且主流正在直播，无需处理。否则请通过 user_ip 找到另一个编码器，并检查两个推流地址中的优先级。

cause-21-100-meaning = 推流被 API 或控制台断流
cause-21-100-actor = 运营方
cause-21-100-advice = 查明是谁调用了 DropLiveStream，或由哪个任务、哪条审核规则触发。主播可以立即重新推流。

cause-21-101-meaning = 流被 API 或控制台禁推
cause-21-101-actor = 运营方
cause-21-101-advice = 查明是谁调用了 ForbidLiveStream，或由哪个任务、哪条审核规则触发。在禁推到期或由 ResumeLiveStream 解除之前，新的推流都会被拒绝（18）。

cause-21-102-meaning = 被同名的新推流顶替
cause-21-102-actor = 主播
cause-21-102-advice = 如果主播重新连接了，无需处理：新的推流会继续。如果反复出现，说明两个编码器用了同一个推流地址：请对比它们的 user_ip。

cause-21-103-meaning = 没有数据，被同名的新推流顶替
cause-21-103-actor = 主播
cause-21-103-advice = 如果主播断网后重新连接了，无需处理。如果反复出现，请查明第一个编码器为什么没有数据：检查它的输入源和网络。
