"""Computes event ids from the description in src/callback/event_id.rs. Shares no code with it: the known answers come from here.

    python3 tests/event_id.py
"""
import hashlib
import uuid

SAMPLE = {
    "app": '"test.domain.com"', "appid": "12345678", "appname": '"live"', "channel_id": '"test_stream"', "errcode": "0",
    "errmsg": '"ok"', "event_time": "1545115790", "event_type": "1", "node": '"100.121.160.92"',
    "sequence": '"6674468118806626493"', "stream_id": '"test_stream"', "stream_param": '"stream_param=test"',
    "user_ip": '"119.29.94.245"',
}


def event_id(members, time_ms):
    """Members by name with the compact text of their values, `t` and `sign` left out."""
    digest = hashlib.sha256()
    for name in sorted(members, key=str.encode):
        for part in (name.encode(), members[name].encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    bits = int.from_bytes(digest.digest(), "big") >> (256 - 74)
    return uuid.UUID(int=time_ms << 80 | 8 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1)


print(event_id(SAMPLE, 1545115790_000))
print(event_id({"event_type": "777", "t": "1703732078", "a": r'" \u007f\/ "', "z": '{"y":[1.50,null]}'}, 1703731478_000))
print(event_id({"event_type": "1"}, 0))
