# SPDX-License-Identifier: Apache-2.0
"""Clients that want more of vswitchd than there is: it says so, and serves the others."""
import json
import os
import resource
import socket

import pytest
from turnout.rpc import RpcError
from turnout.switch import Switch
from turnout.waiting import wait_until

CLIENTS = 1000
MIB = 1 << 20
# MiB. What vswitchd may grow by through all of this: what it may keep for requests and answers, the
# clients' own parts, one request decoded and carried out, and what allocators hold back.
MEMORY = 64
GROWTH = 512
OVERLOADED, PARSE_ERROR = -32030, -32700


@pytest.fixture(scope="module")
def switch():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * CLIENTS:
        pytest.skip(f"this process may open only {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * CLIENTS), hard))
    # What AddressSanitizer keeps of freed memory is not what is measured.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8")
    made = Switch(configuration=f"datapathd:\n    huge_pages: no\n    memory: 512\n"
                                f"rpc:\n    max_clients: {CLIENTS}\n    memory: {MEMORY}\n")
    made.grown_from = highest(made)
    yield made
    made.stop()
    monkeypatch.undo()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def highest(switch):
    """The most memory that vswitchd has ever had, in MiB."""
    with open(f"/proc/{switch.pid_of('vswitchd')}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    raise LookupError("VmHWM")


@pytest.fixture(autouse=True)
def as_before(switch):
    """Whatever happens, the same process serves afterwards, and has not grown over the bound."""
    pid = switch.pid_of("vswitchd")
    yield
    switch.vsctl("add-br", "br0")
    assert "br0" in switch.vsctl("list-br")
    switch.vsctl("del-br", "br0")
    assert switch.pid_of("vswitchd") == pid
    assert highest(switch) - switch.grown_from < GROWTH


def pour(client, first, piece, total):
    """Send up to `total` bytes, until the daemon has something to say or closes. How many went."""
    client.send_bytes(first)
    sent = len(first)
    client._socket.settimeout(0)
    view = memoryview(piece)
    waiting = b""
    try:
        while sent < total and not waiting:
            try:
                sent += client._socket.send(view)
            except BlockingIOError:
                client._socket.settimeout(0.01)
            try:
                client._socket.settimeout(0)
                waiting = client._socket.recv(1, socket.MSG_PEEK)
            except (BlockingIOError, TimeoutError):
                pass
    except (BrokenPipeError, ConnectionResetError):
        pass
    client._socket.settimeout(30)
    return sent


def refused(client, code, text):
    """The client gets this error and nothing more."""
    answer = client.receive_answer()
    assert answer["error"]["code"] == code and text in answer["error"]["message"], answer
    with pytest.raises(ConnectionError):
        client.receive()
    client.close()


def test_as_many_clients_as_may_be(switch):
    # The connection that the fixtures keep is one of them.
    switch.rpc("system.info")
    clients = [switch.connect() for _ in range(CLIENTS - 1)]
    for client in clients:
        client.begin("bridge.list")
    for client in clients:
        assert client.finish() == []
    late = switch.connect()
    with pytest.raises(RpcError, match=f"has {CLIENTS} clients already.*rpc.max_clients") as caught:
        late.call("bridge.list")
    assert caught.value.code == OVERLOADED
    late.close()
    assert "clients already" in switch.run("vswitch/vsctl", "list-br", status=1).err
    assert "clients already" in switch.run("ofctl/ofctl", "dump-flows", "br0", status=1).err

    clients.pop().close()

    def gets_in():
        client = switch.connect()
        clients.append(client)
        try:
            return client.call("bridge.list") == []
        except RpcError:
            clients.pop().close()
            return False
    wait_until(gets_in, "a client to take the place of another")
    for client in clients:
        assert client.call("bridge.list") == []
    for client in clients:
        client.close()
    wait_until(lambda: switch.run("vswitch/vsctl", "list-br", status=None).status == 0,
               "the clients to be gone")


@pytest.mark.parametrize("first, piece", [
    (b'{"jsonrpc":"2.0","id":1,"method":"flow.replace","params":{"lines":"', b"x" * MIB),
    (b'"', b"\\n" * (MIB // 2)),
    (b"[", b" " * MIB),
    (b"[1", b",1" * (MIB // 2)),
    (b'[{}', b',{}' * (MIB // 3)),
], ids=["string", "escapes", "blanks", "numbers", "objects"])
def test_gigabyte(switch, first, piece):
    client = switch.connect()
    assert pour(client, first, piece, 1024 * MIB) < 512 * MIB
    answer = client.receive_answer()
    assert answer["error"]["code"] in (OVERLOADED, PARSE_ERROR), answer
    assert ("in parts" if answer["error"]["code"] == PARSE_ERROR else "ask for less at a time"
            ) in answer["error"]["message"]
    client.close()


def test_small_requests_beside_a_big_one(switch):
    """While the memory for requests is full of one that is not whole yet, and when it is full."""
    big, other = switch.connect(), switch.connect()
    text = b'{"jsonrpc":"2.0","id":1,"method":"bridge.list","params":{"nosuch":"'
    big.send_bytes(text)
    for _ in range(30):
        big.send_bytes(b"x" * MIB)
        assert other.call("bridge.list") == []
    second = switch.connect()
    pour(second, text, b"y" * MIB, 60 * MIB)
    refused(second, OVERLOADED, f"does not fit into the {MEMORY} MiB")
    assert other.call("bridge.list") == []
    big.send_bytes(b'"}}')
    assert big.receive_answer()["error"]["code"] == -32602
    assert big.call("bridge.list") == []
    big.close()
    other.close()


def test_answers_that_nobody_reads(switch):
    """Many clients ask for much and do not read: each is held up, others are served."""
    deaf = []
    request = b'{"jsonrpc":"2.0","method":"rpc.discover","id":1}' * 2000
    for _ in range(20):
        client = switch.connect()
        client._socket.setblocking(False)
        for _ in range(10):
            try:
                client._socket.send(request)
            except BlockingIOError:
                break
            assert switch.rpc("bridge.list") == []
        deaf.append(client)
    # Those that were not refused get all that they asked for.
    told = 0
    for client in deaf:
        client._socket.settimeout(30)
        try:
            for _ in range(50):
                answer = client.receive_answer()
                told += answer.get("error", {}).get("code") == OVERLOADED
        except ConnectionError:
            pass
        client.close()
    assert told > 0
    assert switch.rpc("bridge.list") == []


def test_notifications_that_nobody_reads(switch):
    """A flow that ends tells everybody: with so much text that those who never read are dropped."""
    switch.vsctl("add-br", "br1")
    deaf = [switch.connect() for _ in range(8)]
    reader = switch.connect()
    lines = [f"send_flow_rem,priority={n + 1},udp,tp_dst={n % 65535},actions="
             + ",".join(["mod_tp_dst:1"] * 60) for n in range(2000)]

    def gone():
        """Connections that the daemon has closed show it in what waits for them to read."""
        count = 0
        for client in deaf:
            try:
                client._socket.send(b" ")
            except (BrokenPipeError, ConnectionResetError):
                count += 1
        return count
    for _ in range(40):
        switch.set_flows("br1", *lines)
        switch.set_flows("br1")
        answer = reader.call("bridge.list")
        assert answer == ["br1"]
        if gone() > 0:
            break
    assert gone() > 0
    assert len(reader.notifications) >= 2000
    assert reader.notifications[0]["method"] == "flow.removed"
    for client in [*deaf, reader]:
        client.close()
    switch.vsctl("del-br", "br1")


def test_many_flows_in_one_request(switch):
    """What is large and right works: a file of flows, as large as there is room for."""
    switch.vsctl("add-br", "br1")
    lines = "".join(f"priority=7,ip,nw_dst=10.{n >> 8}.{n & 255}.0/24,actions=drop\n"
                    for n in range(4096))
    comment = "# " + "x" * 998 + "\n"
    text = lines + comment * (40 * MIB // len(comment))
    assert len(json.dumps(text)) > 40 * MIB
    assert switch.rpc("flow.replace", bridge="br1", lines=text)
    assert len(switch.flows("br1")) == 4096
    switch.vsctl("del-br", "br1")
