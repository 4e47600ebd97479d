"""Signatures of messages: the example of Standard Webhooks 1.0.0."""

from __future__ import annotations

import base64

from agentmart.kit.webhooks import headers, secret_text, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_specification_s_example() -> None:
    secret = base64.b64decode(SECRET.removeprefix("whsec_"))
    body = b'{"test": 2432232314}'
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert secret_text(secret) == SECRET
    sent = headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert (sent["webhook-id"], sent["webhook-timestamp"], sent["webhook-signature"]) == (
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        signature,
    )
