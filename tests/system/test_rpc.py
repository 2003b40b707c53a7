# SPDX-License-Identifier: Apache-2.0
"""The examples of the JSON-RPC 2.0 specification, and what orchestrators rely on, live."""
import json
import random
import socket

import pytest
from turnout.rpc import RpcError


@pytest.fixture
def client(switch):
    made = switch.connect()
    yield made
    made.close()


def ask(client, text):
    client.send_bytes(text.encode())
    return client.receive_answer()


def error_of(client, text, number):
    answer = ask(client, text)
    assert set(answer) == {"jsonrpc", "error", "id"} and answer["id"] == number, answer
    assert answer["jsonrpc"] == "2.0" and answer["error"]["message"]
    return answer["error"]["code"]


def nothing_comes(client):
    """No answer is on its way: the next request's answer is the next thing to arrive."""
    assert ask(client, '{"jsonrpc":"2.0","method":"bridge.list","id":"sentinel"}')["id"] == "sentinel"


def test_positional_and_named_parameters(client, bridge):
    named = ask(client, '{"jsonrpc":"2.0","method":"port.list","params":{"bridge":"br0"},"id":3}')
    positional = ask(client, '{"jsonrpc":"2.0","method":"port.list","params":["br0"],"id":1}')
    assert named == {"jsonrpc": "2.0", "result": [], "id": 3}
    assert positional == {"jsonrpc": "2.0", "result": [], "id": 1}


def test_notifications(client):
    client.send_bytes(b'{"jsonrpc":"2.0","method":"bridge.list"}')
    client.send_bytes(b'{"jsonrpc":"2.0","method":"foobar"}')
    client.send_bytes(b'{"jsonrpc":"2.0","method":"update","params":[1,2,3,4,5]}')
    nothing_comes(client)


def test_unknown_method(client):
    assert error_of(client, '{"jsonrpc":"2.0","method":"foobar","id":"1"}', "1") == -32601


def test_invalid_json(client):
    assert error_of(client, '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]\n',
                    None) == -32700
    nothing_comes(client)


def test_invalid_request(client):
    assert error_of(client, '{"jsonrpc":"2.0","method":1,"params":"bar"}', None) == -32600
    assert error_of(client, '{"method":"bridge.list","id":7}', 7) == -32600


def test_invalid_parameters(client):
    assert error_of(client, '{"jsonrpc":"2.0","method":"bridge.add","id":1}', 1) == -32602
    assert error_of(client, '{"jsonrpc":"2.0","method":"bridge.add","params":{"name":5},"id":1}',
                    1) == -32602
    assert error_of(client, '{"jsonrpc":"2.0","method":"bridge.list","params":{"nosuch":5},"id":1}',
                    1) == -32602


def test_batch_with_invalid_json(client):
    text = '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},' \
           ' {"jsonrpc": "2.0", "method"]\n'
    assert error_of(client, text, None) == -32700
    nothing_comes(client)


def test_empty_batch(client):
    assert error_of(client, "[]", None) == -32600


def test_batches_of_nonsense(client):
    for text, count in (("[1]", 1), ("[1,2,3]", 3)):
        answers = ask(client, text)
        assert [answer["error"]["code"] for answer in answers] == [-32600] * count
        assert all(answer["id"] is None for answer in answers)


def test_mixed_batch(client):
    answers = ask(client, json.dumps([
        {"jsonrpc": "2.0", "method": "bridge.list", "id": "1"},
        {"jsonrpc": "2.0", "method": "bridge.list"},
        {"jsonrpc": "2.0", "method": "db.list", "params": {"table": "Bridge"}, "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "system.info", "id": "9"}]))
    assert len(answers) == 5
    found = {answer["id"]: answer for answer in answers}
    assert "result" in found["1"] and "result" in found["2"] and "result" in found["9"]
    assert found[None]["error"]["code"] == -32600
    assert found["5"]["error"]["code"] == -32601


def test_batch_of_notifications(client):
    client.send_bytes(b'[{"jsonrpc":"2.0","method":"bridge.list"},'
                      b'{"jsonrpc":"2.0","method":"system.info"}]')
    nothing_comes(client)


def test_split_at_every_byte(client):
    request = b'{"jsonrpc":"2.0","method":"bridge.list","params":{},"id":"\xc3\xa9\\"}{"}'
    for cut in range(1, len(request)):
        client.send_bytes(request[:cut])
        client.send_bytes(request[cut:])
        assert client.receive_answer()["id"] == 'é"}{'
    for byte in request:
        client.send_bytes(bytes([byte]))
    assert client.receive_answer()["id"] == 'é"}{'


def test_many_in_one_write(client):
    """Pipelined: in order, however the bytes are cut."""
    numbers = list(range(300))
    stream = "".join('{"jsonrpc":"2.0","method":"bridge.list","id":%d}%s' % (number, gap)
                     for number, gap in zip(numbers, ["", "\n", " \r\n\t"] * 100)).encode()
    pieces = random.Random(1)
    while stream:
        size = pieces.choice([1, 7, 60, 61, 500])
        client.send_bytes(stream[:size])
        stream = stream[size:]
    assert [client.receive_answer()["id"] for _ in numbers] == numbers


def test_batch_is_one_transaction(client, switch, bridge):
    answers = client.batch(
        ("bridge.add", {"name": "br8"}),
        ("port.add", {"bridge": "br8", "name": "q1", "type": "vhostuser"}),
        ("flow.add", {"bridge": "br8", "flow": "in_port=q1,actions=normal"}),
        ("flow.add", {"bridge": "br8", "flow": "ip,foo=1,actions=drop"}))
    assert [answer.get("error", {}).get("code") for answer in answers] == [
        -32011, -32011, -32011, -32010]
    data = answers[3]["error"]["data"]
    assert data["kind"] == "unknown_field" and data["offset"] == 3
    assert switch.rpc("bridge.list") == ["br0"]
    answers = client.batch(
        ("bridge.add", {"name": "br8"}),
        ("port.add", {"bridge": "br8", "name": "q1", "type": "vhostuser"}),
        ("flow.add", {"bridge": "br8", "flow": "in_port=q1,actions=normal"}))
    assert all("result" in answer for answer in answers), answers
    assert switch.rpc("bridge.list") == ["br0", "br8"]
    assert len(switch.flows("br8")) == 2
    switch.rpc("bridge.del", name="br8")


def test_flow_error_data(switch, bridge):
    with pytest.raises(RpcError) as caught:
        switch.rpc("flow.add", bridge=bridge, flow="nw_dst=10.0.0.1,actions=drop")
    assert caught.value.code == -32010
    data = caught.value.data
    assert data["kind"] == "prerequisite" and data["field"] == "nw_dst"
    assert data["hint"] == "ip,nw_dst=10.0.0.1"


def test_discover(client):
    description = client.call("rpc.discover")
    text = json.dumps(description)
    for method in ("bridge.add", "port.add", "flow.bundle", "pmd.rxq_show", "stats.ports",
                   "fdb.show", "system.info", "rpc.discover"):
        assert f'"{method}"' in text, f"{method} is not described"


def test_clients_that_leave(switch):
    """Half a request and a closed connection; a reader that never reads."""
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as half:
            half.connect(switch.path("vswitchd.sock"))
            half.sendall(b'{"jsonrpc":"2.0","method":"bri')
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(switch.path("vswitchd.sock"))
        deaf.sendall(b'{"jsonrpc":"2.0","method":"rpc.discover","id":1}' * 50)
        assert switch.rpc("bridge.list") == []
    assert switch.rpc("bridge.list") == []


@pytest.mark.parametrize("garbage", [b"\x00\xff\xfe\n", b"GET / HTTP/1.1\r\n\r\n\n", b"}" * 100 + b"\n",
                                     b'"\\ud800"\n', b"[" * 100000 + b"\n"],
                         ids=["binary", "http", "braces", "surrogate", "deep"])
def test_garbage(switch, garbage):
    """An error or a closed connection; everybody else goes on."""
    client = switch.connect()
    client.send_bytes(garbage)
    try:
        answer = client.receive()
        first = answer[0] if isinstance(answer, list) else answer
        assert first["error"]["code"] in (-32700, -32600)
    except ConnectionError:
        pass
    client.close()
    assert switch.rpc("bridge.list") == []
