#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints docs/protocol.md from what the daemons say of their methods.

usage: protocol.py VSWITCHD DATAPATHD
"""

import json
import subprocess
import sys

HEAD = """# JSON-RPC

This page is printed by `docs/gen/protocol.py` from the tables that the daemons work with;
`meson compile protocol` writes it anew, and the method `rpc.discover` says the same of a running
daemon.

## How to talk to it

Both daemons speak [JSON-RPC 2.0](https://www.jsonrpc.org/specification) on a unix socket in the run
directory: `vswitchd.sock` is for clients, on other machines too if so configured
([by TLS](operations.md#remote-access)); `datapathd.sock` is the wire between the daemons and of use
for looking closer. Values end where they end: several may come in one write, one may be spread over
many; answers end with a newline.

    $ vsctl rpc flow.add '{"bridge": "br0", "flow": "priority=10,udp,actions=output:2"}'

* Requests of a connection are answered in order and may be pipelined.
* An answer means in force: every packet that is received after it sees the change, and it is in
  the database.
* A batch is one transaction as far as its calls change anything (marked *transaction* below): if one
  fails, none has an effect, and the others answer error -32011.
* Flows are accepted as text or as objects: `{"priority": 10, "match": {"dl_type": "0x0800",
  "nw_proto": 17}, "actions": [{"output": 2}]}`.
* Groups and meters too: as text, or as the objects that `group.dump` and `meter.dump` answer.
* Notifications of state come to every connected client: `port.changed` (`{name}`) when a port's state, queues
  or link change, `pmd.overload` when a packet thread has been busy for 95 % of five seconds and when it is
  below 85 % again (`{core, overloaded, load_percent}`), `pmd.rebalanced` when pmd-auto-lb has moved queues (as
  pmd.rebalance answers), `datapath.changed` when the connection to datapathd stands (`{connected: true,
  instance, pid}`) or is lost (`{connected: false, problem}`), and `flow.removed` when a flow ends that was
  added with `send_flow_rem`: `{bridge, flow, duration_ms, reason, packets?, bytes?}`, where the reason is
  `idle_timeout`, `hard_timeout`, `delete`, `group_delete` or `meter_delete`, and the counters are missing if
  datapathd did not answer.
* Each of them has `seq`, a number that only grows, also over restarts of vswitchd; numbers may be skipped. The
  last 10,000 (4 MiB at most) are in the database: a client that was away gets those it missed from
  `events.since`, with the last `seq` that it has seen. `flow.removed` is written together with the change that
  it tells of. After each connection to a datapathd there is a `port.changed` of every port, since nobody knows
  what happened meanwhile: it is told at least once, and says "look again". Without `seq` is only what was
  sent while the database could not be written for half a million events.
* Others, the *events* below, come to those who ask for them with `rpc.subscribe`. A subscriber that reads too
  slowly misses events, once more than 4 MB wait for it; the next one that it gets says how many: `missed`.
  `packet.in` is no state: it has no `seq`, and packets that come while nobody takes them are counted as lost.
* What clients may take is limited: 1,024 at a time (`rpc.max_clients`), 256 MiB for a request, 512 MiB
  for an answer, 64 MiB of notifications that wait for a client to read, and 1 GiB of unread output and
  requests that are not whole yet for all of them (`rpc.memory`; a request takes at most twice as much
  when decoded). Who would go over it gets an error (-32030, or -32700 if the request is too long), without an
  `id` if the request was not read, and then the end of the connection; only an answer that is too long
  leaves it open. Of 1 GiB, 128 KiB for each client are not counted, so small requests are served
  whatever others do. A client that reads slowly gets all its answers: further requests of it wait until
  it does. One that does not read notifications is disconnected when there is no room for one more.

| error | meaning |
|---|---|
| -32700, -32600, -32601, -32602, -32603 | as in the specification |
| -32000 | understood, but refused; the message says why and what to do |
| -32001 | there is no such bridge, port, row |
| -32002 | it exists already |
| -32010 | a flow, group or meter is wrong; `data` has `kind`, `field`, `offset`, `length`, `hint`, and for files `line` |
| -32011 | another item of the same batch failed |
| -32020 | datapathd does not answer; nothing was changed |
| -32030 | a limit of the daemon; the message says which, and what was not done |
"""


def describe(program):
    printed = subprocess.run([program, "--describe"], check=True, capture_output=True, text=True)
    return json.loads(printed.stdout)


def print_method(method):
    print(f"### {method['name']}\n")
    note = " *(transaction)*" if method.get("transactional") else ""
    print(f"{method['help']}{note}\n")
    for param in method.get("params", []):
        need = "" if param["required"] else ", optional"
        print(f"* `{param['name']}` ({param['type']}{need}): {param['help']}")
    if method.get("params"):
        print()
    if method.get("result"):
        result = method["result"]
        print(f"Result: `{result}`\n" if result[0] in "{[" else f"Result: {result}\n")


def print_event(event):
    print(f"### {event['name']} *(event)*\n")
    print(f"{event['help']}\n")
    print(f"Parameters: `{event['params']}`\n")


def main():
    print(HEAD)
    for title, program in (("vswitchd.sock", sys.argv[1]), ("datapathd.sock", sys.argv[2])):
        print(f"## {title}\n")
        description = describe(program)
        for method in sorted(description["methods"], key=lambda m: m["name"]):
            print_method(method)
        for event in sorted(description["events"], key=lambda e: e["name"]):
            print_event(event)


if __name__ == "__main__":
    main()
