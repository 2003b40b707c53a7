# SPDX-License-Identifier: Apache-2.0
"""Clients on other machines: TLS in which both sides show a certificate of the configured CA."""
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
import warnings

import pytest
from turnout.machine import program
from turnout.switch import Switch
from turnout.waiting import wait_until

BASE = "datapathd:\n    huge_pages: no\n    memory: 512\n"
REQUEST = b'{"jsonrpc":"2.0","id":1,"method":"bridge.list"}'

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl command")


class Authority:
    """A CA, and certificates that it signs, in a directory, made as docs/operations.md says."""

    def __init__(self, directory):
        self.directory = str(directory)
        for name in ("ca", "other"):
            self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                         "-nodes", "-days", "30", "-subj", f"/CN=Turnout {name}",
                         "-keyout", f"{name}.key", "-out", f"{name}.pem")
        self.sign("switch", "serverAuth", "IP:127.0.0.1,DNS:localhost,IP:::1")
        self.sign("wrongname", "serverAuth", "DNS:elsewhere.example")
        self.sign("alice", "clientAuth", "DNS:alice.example")
        self.sign("bob", "clientAuth")
        self.sign("mallory", "clientAuth", ca="other")
        self.sign("late", "clientAuth", days="-1")
        self.sign("notclient", "serverAuth")

    def path(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True,
                       timeout=60)

    def sign(self, name, usage, names=None, ca="ca", days="30"):
        with open(self.path(f"{name}.ext"), "w", encoding="ascii") as file:
            file.write(f"extendedKeyUsage={usage}\n" + (f"subjectAltName={names}\n" if names else ""))
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
                     "-CAcreateserial", "-days", days, "-extfile", f"{name}.ext",
                     "-out", f"{name}.pem")

    def configuration(self, certificate="switch", key=None, ca="ca", listen="127.0.0.1:0", more=""):
        return (BASE + f"rpc:\n    tls_listen: \"{listen}\"\n"
                f"    tls_certificate: {self.path(certificate + '.pem')}\n"
                f"    tls_private_key: {self.path((key or certificate) + '.key')}\n"
                f"    tls_ca: {self.path(ca + '.pem')}\n" + more)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def switch(authority):
    with Switch(configuration=authority.configuration()) as made:
        yield made


def port_of(switch):
    return int(re.findall(r"by TLS at tls:\S+:(\d+)", switch.logs(1000))[-1])


def said(switch, text):
    wait_until(lambda: text in switch.logs(1000), f"the log to say {text!r}")


def tool(switch, authority, name, *arguments, who="alice", ca="ca", host="127.0.0.1", port=None,
         env=None, timeout=120):
    options = ["--connect", f"tls:{host}:{port or port_of(switch)}", "--ca", authority.path(ca + ".pem"),
               "--certificate", authority.path(who + ".pem"),
               "--private-key", authority.path(who + ".key")] if env is None else []
    return subprocess.run([program(name), *options, *arguments], capture_output=True, text=True,
                          env={**os.environ, **(env or {})}, timeout=timeout, check=False)


def context(authority, who="alice", version=None):
    made = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authority.path("ca.pem"))
    if who:
        made.load_cert_chain(authority.path(who + ".pem"), authority.path(who + ".key"))
    if version:
        made.maximum_version = made.minimum_version = version
    return made


def tcp(switch):
    return socket.create_connection(("127.0.0.1", port_of(switch)), timeout=30)


def tls(switch, authority, **options):
    return context(authority, **options).wrap_socket(tcp(switch), server_hostname="localhost")


def answer(connection, request=REQUEST):
    connection.sendall(request)
    text = b""
    while not text.endswith(b"\n"):
        piece = connection.recv(1 << 20)
        assert piece, f"closed behind {text[:300]!r}"
        text += piece
    return json.loads(text)


def test_command_lines(switch, authority):
    done = tool(switch, authority, "vswitch/vsctl", "add-br", "br0")
    assert done.returncode == 0, done.stderr
    assert tool(switch, authority, "vswitch/vsctl", "list-br", host="localhost").stdout == "br0\n"
    done = tool(switch, authority, "ofctl/ofctl", "add-flow", "br0", "priority=7,arp,actions=drop")
    assert done.returncode == 0, done.stderr
    assert "priority=7,arp" in tool(switch, authority, "ofctl/ofctl", "dump-flows", "br0").stdout
    assert "priority=7,arp" in switch.ofctl("dump-flows", "br0")
    refused = tool(switch, authority, "ofctl/ofctl", "add-flow", "br0", "foo=1,actions=drop")
    assert refused.returncode == 1 and "foo" in refused.stderr
    assert tool(switch, authority, "vswitch/vsctl", "del-br", "br0").returncode == 0


def test_environment(switch, authority):
    env = {"TURNOUT_CONNECT": f"tls:127.0.0.1:{port_of(switch)}", "TURNOUT_CA": authority.path("ca.pem"),
           "TURNOUT_CERTIFICATE": authority.path("bob.pem"),
           "TURNOUT_PRIVATE_KEY": authority.path("bob.key")}
    done = tool(switch, authority, "vswitch/vsctl", "list-br", env=env)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                         ids=["1.2", "1.3"])
def test_versions(switch, authority, version):
    with tls(switch, authority, version=version) as connection:
        assert answer(connection)["result"] == []
        # In pieces, and several at once.
        for byte in REQUEST:
            connection.sendall(bytes([byte]))
        assert answer(connection, b"")["result"] == []


def test_old_version_is_refused(switch, authority):
    old = context(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        old.wrap_socket(tcp(switch), server_hostname="localhost")
    said(switch, "unsupported protocol")


def test_much_both_ways(switch, authority, tmp_path):
    """A request of 60 MB with 20,000 flows, and their dump."""
    flows = tmp_path / "flows"
    with open(flows, "w", encoding="ascii") as file:
        for n in range(20000):
            file.write(f"priority={n % 1000},udp,tp_dst={n % 65535},nw_dst=10.{n >> 8 & 255}.{n & 255}.1,"
                       f"actions=drop\n")
        for _ in range(60000):
            file.write("# " + "x" * 998 + "\n")
    tool(switch, authority, "vswitch/vsctl", "add-br", "br0")
    done = tool(switch, authority, "ofctl/ofctl", "replace-flows", "br0", str(flows))
    assert done.returncode == 0, done.stderr
    dump = tool(switch, authority, "ofctl/ofctl", "dump-flows", "br0").stdout
    assert sorted(line.split("priority=")[1] for line in dump.splitlines() if "udp" in line) == \
        sorted(line.split("priority=")[1] for line in switch.ofctl("dump-flows", "br0").splitlines()
               if "udp" in line)
    assert dump.count("udp") == 20000
    # A reader that is slow gets all of many answers.
    with tls(switch, authority) as connection:
        request = b'{"jsonrpc":"2.0","id":1,"method":"flow.dump","params":{"bridge":"br0"}}'
        for _ in range(10):
            connection.sendall(request)
        assert switch.rpc("bridge.list") == ["br0"]
        lines = 0
        while lines < 10:
            lines += connection.recv(1 << 20).count(b"\n")
    tool(switch, authority, "vswitch/vsctl", "del-br", "br0")


def test_too_long_a_request(switch, authority):
    """What the server has to say arrives although the client was still sending."""
    with tls(switch, authority) as connection:
        try:
            for _ in range(400):
                connection.sendall(b"[" + b" " * (1 << 20))
        except (ssl.SSLError, OSError):
            pass
        text = b""
        while b"\n" not in text:
            piece = connection.recv(1 << 16)
            assert piece
            text += piece
        assert "error" in json.loads(text)


def test_notifications(switch, authority):
    with tls(switch, authority) as connection:
        assert "result" in answer(connection, b'{"jsonrpc":"2.0","id":1,"method":"rpc.subscribe",'
                                              b'"params":{"events":["packet.in"]}}')
        switch.vsctl("add-br", "br0")
        switch.ofctl("add-flow", "br0", "send_flow_rem,priority=7,arp,actions=drop")
        switch.ofctl("del-flows", "br0", "arp")
        assert answer(connection, b"")["method"] == "flow.removed"
        switch.vsctl("del-br", "br0")


@pytest.mark.parametrize("who, reason, log", [
    ("mallory", "unknown ca", "unable to get local issuer certificate"),
    ("late", "certificate expired", "certificate has expired"),
    ("notclient", "accept our certificate", "unsuitable certificate purpose"),
], ids=["other_ca", "expired", "purpose"])
def test_certificates_that_are_refused(switch, authority, who, reason, log):
    done = tool(switch, authority, "vswitch/vsctl", "list-br", who=who)
    assert done.returncode == 1
    assert "does not accept our certificate" in done.stderr and reason in done.stderr, done.stderr
    said(switch, log)
    assert f"/CN={who}" in switch.logs(1000)
    assert tool(switch, authority, "vswitch/vsctl", "list-br").returncode == 0


def test_without_a_certificate(switch, authority):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with tls(switch, authority, who=None) as connection:
            answer(connection)
    said(switch, "peer did not return a certificate")


def test_plain_text_gets_nothing(switch):
    with tcp(switch) as connection:
        connection.sendall(REQUEST + b"\n" * 2000)
        text = b""
        try:
            while piece := connection.recv(1 << 16):
                text += piece
        except ConnectionError:
            pass
    assert len(text) <= 7 and b"{" not in text  # an alert at most
    assert switch.rpc("bridge.list") == []


def test_silent_clients(switch, authority):
    """They hold up nobody, not even hundreds of them, and are gone after a while."""
    silent = [tcp(switch) for _ in range(300)]
    with tls(switch, authority) as connection:
        assert answer(connection)["result"] == []
    begin = time.monotonic()
    for connection in silent:
        connection.settimeout(30)
        try:
            assert connection.recv(1) == b""
        except ConnectionError:
            pass
        connection.close()
    assert time.monotonic() - begin < 25
    said(switch, "did not finish its handshake in time")
    said(switch, "too many others are trying")


def test_server_that_is_not_the_right_one(authority):
    with Switch(configuration=authority.configuration("wrongname")) as other:
        done = tool(other, authority, "vswitch/vsctl", "list-br")
        assert done.returncode == 1 and "IP address mismatch" in done.stderr, done.stderr
        assert "made for this name or address" in done.stderr
        done = tool(other, authority, "vswitch/vsctl", "list-br", host="localhost")
        assert "hostname mismatch" in done.stderr.lower(), done.stderr
        done = tool(other, authority, "vswitch/vsctl", "list-br", ca="other")
        assert done.returncode == 1 and "is not accepted" in done.stderr, done.stderr


def test_names(authority):
    configuration = authority.configuration(more="    tls_allowed_names: [\"alice.example\"]\n")
    with Switch(configuration=configuration) as other:
        assert tool(other, authority, "vswitch/vsctl", "list-br").returncode == 0
        done = tool(other, authority, "vswitch/vsctl", "list-br", who="bob")
        assert done.returncode == 1 and "does not accept our certificate" in done.stderr, done.stderr
        said(other, "/CN=bob) refused: its certificate has none of the names in rpc.tls_allowed_names")
        # Leaving clears up, with clients connected and half-connected.
        with tls(other, authority) as connection, tcp(other):
            assert answer(connection)["result"] == []
            other.kill("vswitchd", 15)
            assert connection.recv(1) == b""


def test_too_many_clients(authority):
    with Switch(configuration=authority.configuration(more="    max_clients: 4\n")) as other:
        other.rpc("system.info")
        clients = [tls(other, authority) for _ in range(3)]
        for client in clients:
            assert answer(client)["result"] == []
        done = tool(other, authority, "vswitch/vsctl", "list-br")
        assert done.returncode == 1 and "has 4 clients already" in done.stderr, done.stderr
        for client in clients:
            assert answer(client)["result"] == []
            client.close()


def test_ipv6(authority):
    if not os.path.exists("/proc/net/if_inet6") or " lo" not in open(
            "/proc/net/if_inet6", encoding="ascii").read():
        pytest.skip("there is no IPv6 here")
    with Switch(configuration=authority.configuration(listen="[::1]:0")) as other:
        done = tool(other, authority, "vswitch/vsctl", "list-br", host="[::1]")
        assert done.returncode == 0, done.stderr


def test_mistakes_of_command_lines(switch, authority):
    def complaint(**options):
        done = tool(switch, authority, "vswitch/vsctl", "list-br", **options)
        assert done.returncode == 1
        return done.stderr
    assert "--certificate: cannot read" in complaint(who="nobody")
    assert "--ca: cannot read" in complaint(ca="nobody")
    assert "Connection refused; does vswitchd run there with rpc.tls_listen" in complaint(port=1)
    assert "is no address of a switch" in complaint(host="::1:")
    assert "is no address of a switch" in complaint(env={"TURNOUT_CONNECT": "tcp:127.0.0.1:1"})
    assert "--certificate is missing" in complaint(env={"TURNOUT_CONNECT": "tls:127.0.0.1:1"})


@pytest.mark.parametrize("change, text", [
    ({"certificate": "nosuch", "key": "switch"}, "rpc.tls_certificate: cannot read {}/nosuch.pem: No such"),
    ({"key": "nosuch"}, "rpc.tls_private_key: cannot read {}/nosuch.key: No such"),
    ({"key": "alice"}, "rpc.tls_private_key: {}/alice.key does not belong to the certificate"),
    ({"ca": "nosuch"}, "rpc.tls_ca: cannot read {}/nosuch.pem"),
    ({"ca": "empty"}, "rpc.tls_ca: {}/empty.pem holds no certificate of a CA"),
    ({"certificate": "empty", "key": "switch"}, "rpc.tls_certificate: {}/empty.pem holds no certificate"),
    ({"key": "empty"}, "rpc.tls_private_key: {}/empty.key holds no private key"),
    ({"listen": "6653"}, "rpc.tls_listen: \"6653\" is no address to listen on"),
    ({"listen": "192.0.2.1:6653"}, "rpc.tls_listen: cannot listen on 192.0.2.1:6653: Cannot assign"),
    ({"more": "    tls_allowed_names: [\"*.example\"]\n"},
     "rpc.tls_allowed_names: \"*.example\" is no name"),
], ids=["certificate", "key", "mismatch", "ca", "empty_ca", "empty_certificate", "empty_key", "address",
        "elsewhere", "names"])
def test_mistakes_of_configuration(authority, change, text):
    for name in ("empty.pem", "empty.key"):
        open(authority.path(name), "w", encoding="ascii").close()
    switch = Switch(configuration=authority.configuration(**change), start=False)
    try:
        switch.start_vswitchd()
        assert switch.vswitchd.wait(30) == 1
        assert text.format(authority.directory) in switch.logs(), switch.logs()
    finally:
        switch.stop()


def test_datapathd_listens_on_no_network(switch):
    pid = switch.pid_of("datapathd")
    listening = subprocess.run(["ss", "-tlnp"], capture_output=True, text=True, check=True).stdout
    assert f"pid={switch.pid_of('vswitchd')}," in listening
    assert f"pid={pid}," not in listening
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        assert "libssl" not in maps.read()
