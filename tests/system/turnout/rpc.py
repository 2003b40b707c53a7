# SPDX-License-Identifier: Apache-2.0
"""A small JSON-RPC 2.0 client that can also send bytes as they must never be sent."""
import itertools
import json
import socket


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code, self.message, self.data = error["code"], error["message"], error.get("data")


class RpcClient:
    def __init__(self, path, timeout=30.0):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(path)
        self._buffer, self._ids = "", itertools.count(1)
        self._decoder = json.JSONDecoder()
        self._asked = None
        self.notifications = []

    def send_bytes(self, data):
        self._socket.sendall(data)

    def receive(self):
        """The next JSON value, whatever it is. ConnectionError when the other side is gone."""
        while True:
            text = self._buffer.lstrip()
            if text:
                try:
                    value, end = self._decoder.raw_decode(text)
                    self._buffer = text[end:]
                    return value
                except json.JSONDecodeError:
                    pass
            piece = self._socket.recv(1 << 20)
            if not piece:
                raise ConnectionError("the daemon closed the connection")
            self._buffer += piece.decode()

    def receive_answer(self):
        """The next value that is no notification; those are kept aside."""
        while True:
            value = self.receive()
            if isinstance(value, dict) and "method" in value:
                self.notifications.append(value)
            else:
                return value

    def call(self, method, **params):
        self.begin(method, **params)
        return self.finish()

    def begin(self, method, **params):
        """Send a call; finish() waits for its answer."""
        self._asked = next(self._ids)
        self.send_bytes(json.dumps({"jsonrpc": "2.0", "id": self._asked, "method": method,
                                    "params": params}).encode())

    def finish(self):
        answer = self.receive_answer()
        # Without an id: the daemon could not, or would not, read the request.
        unread = "error" in answer and answer["id"] is None
        assert unread or answer.get("id") == self._asked, answer
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def batch(self, *calls):
        """Each call is (method, params). Returns the answers in the order of the calls."""
        requests = [{"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
                    for method, params in calls]
        self.send_bytes(json.dumps(requests).encode())
        answers = {answer["id"]: answer for answer in self.receive_answer()}
        return [answers[request["id"]] for request in requests]

    def close(self):
        self._socket.close()
