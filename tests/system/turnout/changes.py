# SPDX-License-Identifier: Apache-2.0
"""Random changes of a switch, and a model that knows what each of them makes of it.

A `State` is what a switch is configured to be; it shares no code with the daemons. `Changes.draw()`
makes calls for a state and the state after them. `of_vswitchd()` and `of_datapathd()` read the state
of each daemon, to be compared with the model's.
"""
import random

from .frames import Ether, IP, UDP, write_pcap
from .rpc import RpcClient

FIRST = "br0"  # is always there, with the ports that have traffic
FIRST_PORTS = {"in0": 1, "out0": 2}
# Flows of FIRST that no change touches, and that the traffic hits.
FIRST_FLOWS = {(0, 65535, f"ip,nw_dst=10.0.0.{n}"): (0xbace, "output:2") for n in range(4)}
NAMES = ("b1", "b2", "b3")
TABLES, COOKIES, MATCHES, OFPORTS = 3, 6, 96, 40
MAC_AGING = 300  # seconds, where nothing is set


class Bridge:
    """Values are tuples and strings, so that a copy may share them."""

    def __init__(self, secure=True):
        self.flows = {} if secure else {(0, 0, ""): (0, "normal")}  # key -> (cookie, actions)
        self.groups, self.meters = {}, {}  # number -> what is in it
        self.ports = {}  # name -> Port
        self.secure, self.external_ids, self.mac_aging = secure, (), None

    def copy(self):
        new = Bridge.__new__(Bridge)
        new.__dict__.update(self.__dict__)
        for name in ("flows", "groups", "meters", "ports"):
            setattr(new, name, dict(getattr(self, name)))
        return new

    def users(self, action):
        """Flows that name a group or a meter: "group:5"."""
        return [key for key, (_, actions) in self.flows.items() if action in actions.split(",")]


class State:
    def __init__(self):
        self.bridges = {}
        self.external_ids = ()
        # Flows whose counters may begin anew: (bridge, key), or (bridge, None) for all of them.
        self.touched = frozenset()

    def copy(self):
        new = State()
        new.bridges = {name: bridge.copy() for name, bridge in self.bridges.items()}
        new.external_ids, new.touched = self.external_ids, self.touched
        return new

    def touch(self, bridge, *keys):
        self.touched = self.touched.union((bridge, key) for key in keys)

    def port_names(self):
        return {name for bridge in self.bridges.values() for name in bridge.ports}

    def stored(self):
        """As of_vswitchd() says it."""
        return {"external_ids": self.external_ids,
                "bridges": {name: {"secure": bridge.secure, "external_ids": bridge.external_ids,
                                   "mac_aging": bridge.mac_aging, "ports": bridge.ports,
                                   "flows": bridge.flows, "groups": bridge.groups,
                                   "meters": bridge.meters}
                            for name, bridge in self.bridges.items()}}

    def in_force(self):
        """As of_datapathd() says it."""
        return {name: {"mac_aging": bridge.mac_aging or MAC_AGING,
                       "ports": {port: (kind, ofport, options, tag) for port, (
                           kind, ofport, options, tag, _) in bridge.ports.items()},
                       "flows": bridge.flows, "groups": bridge.groups, "meters": bridge.meters}
                for name, bridge in self.bridges.items()}


# --- What the daemons say ---

def parse_flow(text):
    """(table, priority, match), (cookie, actions) of a flow as text."""
    match, actions = text.replace(" actions=", ",actions=").split("actions=", 1)
    known, rest = {"table": "0", "priority": "32768", "cookie": "0"}, []
    for part in match.strip(",").split(","):
        name, _, value = part.partition("=")
        if name in known:
            known[name] = value
        elif part:
            rest.append(part)
    return ((int(known["table"]), int(known["priority"]), ",".join(rest)),
            (int(known["cookie"], 0), actions.lower()))


def pairs(values):
    return tuple(sorted(values.items()))


def aging(text):
    return None if text is None else int(text)


def unique(items):
    """A dictionary of pairs, none of which may be there twice."""
    found = {}
    for key, value in items:
        assert key not in found, f"{key} is there twice"
        found[key] = value
    return found


def of_vswitchd(rpc):
    """What vswitchd answers; `rpc` is RpcClient.call of a connection to it."""
    rows = {table: {row["_uuid"]: row for row in rpc("db.list", table=table)}
            for table in ("Bridge", "Port", "Interface")}
    root = rpc("db.list", table="Open_vSwitch")[0]
    state = {"external_ids": pairs(root["external_ids"]), "bridges": {}}
    for uuid in root["bridges"]:
        bridge = rows["Bridge"].pop(uuid)
        name = bridge["name"]
        ports = {}
        for port_uuid in bridge["ports"]:
            port = rows["Port"].pop(port_uuid)
            interface = rows["Interface"].pop(port["interfaces"][0])
            assert not interface["error"], f"port {port['name']}: {interface['error']}"
            assert interface["ofport"] == interface["ofport_request"]
            ports[port["name"]] = (interface["type"], interface["ofport"],
                                   pairs(interface["options"]), port["tag"] or None,
                                   pairs(interface["external_ids"]))
        state["bridges"][name] = {
            "secure": bridge["fail_mode"] == "secure",
            "external_ids": pairs(bridge["external_ids"]),
            "mac_aging": aging(bridge["other_config"].get("mac-aging-time")), "ports": ports,
            "flows": unique(
                parse_flow(f"table={row['table']},cookie={row['cookie']},{row['text']}")
                for row in rpc("flow.dump", bridge=name, stats=False)["flows"]),
            "groups": unique((row["group_id"], row["text"]) for row in rpc(
                "group.dump", bridge=name, stats=False)["groups"]),
            "meters": unique((row["meter_id"], row["text"]) for row in rpc(
                "meter.dump", bridge=name, stats=False)["meters"])}
    assert not any(rows.values()), f"rows that nothing refers to: {rows}"
    return state


def port_in_force(config):
    # A tag that a trunk once had is of no effect.
    tag = None if config["vlan_mode"] == "trunk" else config["tag"]
    return config["type"], config["ofport"], pairs(config["options"]), tag


def of_datapathd(rpc):
    """What is in force; `rpc` is RpcClient.call of a connection to datapathd."""
    state = rpc("datapath.state")
    bridges = {}
    for bridge in state["bridges"]:
        name = bridge["name"]
        bridges[name] = {
            "mac_aging": bridge["config"].get("mac_aging", MAC_AGING),
            "ports": {port["name"]: port_in_force(port["config"])
                      for port in state["ports"] if port["bridge"] == name},
            "flows": unique(parse_flow(text) for _, text in rpc("flow.list", bridge=name)),
            "groups": unique(rpc("group.list", bridge=name)),
            "meters": unique(rpc("meter.list", bridge=name))}
    return bridges


def ask_datapathd(switch, read):
    """read(rpc) with a connection to datapathd, which is there when vswitchd is not."""
    client = RpcClient(switch.path("datapathd.sock"))
    try:
        return read(client.call)
    finally:
        client.close()


def out_packets(switch):
    """How many frames have come through."""
    return ask_datapathd(switch, lambda rpc: rpc("port.status", name="out0"))[0][
        "statistics"]["tx_packets"]


def counters(rpc):
    """{(bridge, key): packets} of all flows, from datapathd."""
    found = {}
    for bridge in rpc("datapath.state")["bridges"]:
        name = bridge["name"]
        keys = {number: parse_flow(text)[0] for number, text in rpc("flow.list", bridge=name)}
        found.update(((name, keys[number]), packets)
                     for number, packets, _, _ in rpc("flow.stats", bridge=name))
    return found


def difference(wanted, found, path=""):
    """The first few places where two nested dictionaries differ, for people."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        lines = []
        for key in [*wanted, *(key for key in found if key not in wanted)]:
            lines += difference(wanted.get(key), found.get(key), f"{path}/{key}")
        return lines[:5]
    return [] if wanted == found else [f"{path}: wanted {wanted!r}, found {found!r}"]


# --- The beginning ---

def make_first(switch, directory):
    """Make the bridge with traffic, a pcap file without end into a null port; the state then."""
    frames = [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(dst=f"10.0.0.{n}")
              / UDP(sport=n, dport=9) for n in range(MATCHES)]
    source = write_pcap(directory / "in.pcap", frames)
    state, bridge = State(), Bridge()
    devargs = {"in0": f"net_pcap0,rx_pcap={source},infinite_rx=1", "out0": "net_null0,no-rx=1"}
    switch.rpc("bridge.add", name=FIRST, fail_mode="secure")
    for name, number in FIRST_PORTS.items():
        switch.rpc("port.add", bridge=FIRST, name=name, type="dpdk", ofport=number,
                   options={"devargs": devargs[name]})
        bridge.ports[name] = ("dpdk", number, (("devargs", devargs[name]),), None, ())
    bridge.flows.update(FIRST_FLOWS)
    switch.rpc("flow.replace", bridge=FIRST,
               flows=[flow_text(*flow) for flow in bridge.flows.items()])
    state.bridges[FIRST] = bridge
    return state


# --- Changes ---

def flow_text(key, value=None):
    table, priority, match = key
    text = f"table={table},priority={priority}" + (f",{match}" if match else "")
    return text if value is None else f"cookie={value[0]:#x},{text},actions={value[1]}"


class Changes:
    """A stream of random changes. `directory` is for sockets of ports."""

    def __init__(self, seed, directory):
        self.random = random.Random(seed)
        self.directory = directory
        self.numbers = iter(range(1, 1 << 30))

    def draw(self, state):
        """Calls [(method, params)] that are one transaction, and the state after it, or None if it
        must be refused."""
        if self.random.random() < 0.7:
            after = state.copy()
            return [self._call(after)], after
        after = state.copy()
        calls = [self._call(after) for _ in range(self.random.randint(2, 12))]
        if self.random.random() < 0.8:
            return calls, after
        calls.insert(self.random.randint(1, len(calls)), ("port.del", {"name": "nowhere"}))
        return calls, None

    def _call(self, state):
        while True:
            weights, functions = zip(*self.KINDS)
            call = self.random.choices(functions, weights)[0](self, state)
            if call:
                return call

    # Bridges and ports

    def _bridge(self, state):
        name = self.random.choice([FIRST, FIRST, *state.bridges])
        return name, state.bridges[name]

    def bridge_add(self, state):
        free = [name for name in NAMES if name not in state.bridges]
        if not free:
            return None
        name, secure = self.random.choice(free), self.random.random() < 0.5
        state.bridges[name] = Bridge(secure)
        state.touch(name, None)
        return "bridge.add", {"name": name, "fail_mode": "secure" if secure else "standalone"}

    def bridge_del(self, state):
        name, _ = self._bridge(state)
        if name == FIRST:
            return None
        del state.bridges[name]
        state.touch(name, None)
        return "bridge.del", {"name": name}

    def port_add(self, state):
        bridge_name, bridge = self._bridge(state)
        used = {port[1] for port in bridge.ports.values()}
        ofport = self.random.choice([n for n in range(3, OFPORTS) if n not in used])
        if len(state.port_names()) >= 12:
            return None
        number = next(self.numbers)
        name, tag = f"p{number}", self.random.choice([None, self.random.randint(1, 4000)])
        if self.random.random() < 0.5:
            kind, options = "dpdk", {"devargs": f"net_null{number},no-rx=1"}
        else:
            kind, options = "vhostuser", {"path": f"{self.directory}/{name}", "mode": "server"}
        bridge.ports[name] = (kind, ofport, pairs(options), tag, ())
        params = {"bridge": bridge_name, "name": name, "type": kind, "ofport": ofport,
                  "options": options}
        return "port.add", params if tag is None else {**params, "tag": tag}

    def _port(self, state):
        """The bridge and the name of a port that may be changed."""
        found = [(bridge, name) for bridge in state.bridges.values() for name in bridge.ports
                 if name not in FIRST_PORTS]
        return self.random.choice(found) if found else (None, None)

    def port_del(self, state):
        bridge, name = self._port(state)
        if not name:
            return None
        del bridge.ports[name]
        return "port.del", {"name": name}

    def port_tag(self, state):
        bridge, name = self._port(state)
        if not name:
            return None
        kind, ofport, options, _, ids = bridge.ports[name]
        tag = self.random.choice([None, self.random.randint(1, 4000)])
        bridge.ports[name] = (kind, ofport, options, tag, ids)
        if tag is None:
            return "db.clear", {"table": "Port", "record": name, "columns": ["tag"]}
        return "db.set", {"table": "Port", "record": name, "values": {"tag": tag}}

    # Columns

    def _ids(self, table, record, ids):
        """A change of external_ids, and what they are then."""
        ids = dict(ids)
        key, value = f"k{self.random.randrange(4)}", f"a={self.random.randrange(100)} \"b\" \u00e9"
        if key in ids and self.random.random() < 0.5:
            del ids[key]
            return pairs(ids), ("db.remove", {"table": table, "record": record,
                                              "column": "external_ids", "keys": [key]})
        ids[key] = value
        return pairs(ids), ("db.set", {"table": table, "record": record,
                                       "values": {"external_ids": {key: value}}})

    def port_ids(self, state):
        bridge, name = self._port(state)
        if not name:
            return None
        ids, call = self._ids("Interface", name, bridge.ports[name][4])
        bridge.ports[name] = bridge.ports[name][:4] + (ids,)
        return call

    def bridge_ids(self, state):
        name, bridge = self._bridge(state)
        bridge.external_ids, call = self._ids("Bridge", name, bridge.external_ids)
        return call

    def root_ids(self, state):
        state.external_ids, call = self._ids("Open_vSwitch", ".", state.external_ids)
        return call

    def bridge_aging(self, state):
        name, bridge = self._bridge(state)
        bridge.mac_aging = self.random.randint(15, 3600)
        return "db.set", {"table": "Bridge", "record": name,
                          "values": {"other_config": {"mac-aging-time": str(bridge.mac_aging)}}}

    # Flows

    def _key(self, bridge):
        """One that is there, or any."""
        found = [key for key in bridge.flows if key not in FIRST_FLOWS and key[2]]
        if found and self.random.random() < 0.5:
            return self.random.choice(found)
        return (self.random.randrange(TABLES), self.random.choice((5, 100, 32768)),
                f"ip,nw_dst=10.0.0.{self.random.randrange(MATCHES)}")

    def _actions(self, bridge):
        kinds = ["drop", "normal", f"output:{self.random.randrange(2, OFPORTS)}"]
        kinds += [f"group:{number}" for number in bridge.groups]
        kinds += [f"meter:{number},output:2" for number in bridge.meters]
        return self.random.choice(kinds)

    def _value(self, bridge):
        return self.random.randint(1, COOKIES), self._actions(bridge)

    def flow_add(self, state):
        name, bridge = self._bridge(state)
        key, value = self._key(bridge), self._value(bridge)
        bridge.flows[key] = value
        state.touch(name, key)
        return "flow.add", {"bridge": name, "flow": flow_text(key, value)}

    def flow_modify(self, state):
        name, bridge = self._bridge(state)
        actions = self._actions(bridge)
        if self.random.random() < 0.5:
            key = self._key(bridge)
            if key not in bridge.flows:
                return None
            bridge.flows[key] = (bridge.flows[key][0], actions)
            return "flow.modify", {"bridge": name, "strict": True,
                                   "flow": f"{flow_text(key)},actions={actions}"}
        table, cookie = self.random.randrange(TABLES), self.random.randint(1, COOKIES)
        for key in self._select(bridge, table, cookie):
            bridge.flows[key] = (cookie, actions)
        return "flow.modify", {"bridge": name,
                               "flow": f"table={table},cookie={cookie}/-1,actions={actions}"}

    @staticmethod
    def _select(bridge, table, cookie):
        return [key for key, value in bridge.flows.items() if key[0] == table
                and value[0] == cookie]

    def flow_delete(self, state):
        name, bridge = self._bridge(state)
        if self.random.random() < 0.8:
            key = self._key(bridge)
            bridge.flows.pop(key, None)
            state.touch(name, key)
            return "flow.delete", {"bridge": name, "strict": True, "flow": flow_text(key)}
        table, cookie = self.random.randrange(TABLES), self.random.randint(1, COOKIES)
        for key in self._select(bridge, table, cookie):
            del bridge.flows[key]
            state.touch(name, key)
        return "flow.delete", {"bridge": name, "flow": f"table={table},cookie={cookie}/-1"}

    def _some(self, bridge, most):
        return {self._key(bridge): self._value(bridge)
                for _ in range(self.random.randint(1, most))}

    def flow_replace(self, state):
        name, bridge = self._bridge(state)
        kept = {key: value for key, value in bridge.flows.items()
                if key in FIRST_FLOWS or self.random.random() < 0.7}
        flows = {**kept, **self._some(bridge, 150)}
        state.touch(name, *(key for key in {**bridge.flows, **flows}
                            if bridge.flows.get(key) != flows.get(key)))
        bridge.flows = flows
        return "flow.replace", {"bridge": name,
                                "flows": [flow_text(*flow) for flow in flows.items()]}

    def flow_bundle(self, state):
        name, bridge = self._bridge(state)
        lines = []
        for _ in range(self.random.randint(2, 60)):
            key = self._key(bridge)
            state.touch(name, key)
            if self.random.random() < 0.3:
                bridge.flows.pop(key, None)
                lines.append(f"delete_strict {flow_text(key)}")
            else:
                bridge.flows[key] = self._value(bridge)
                lines.append(f"add {flow_text(key, bridge.flows[key])}")
        return "flow.bundle", {"bridge": name, "lines": "\n".join(lines) + "\n"}

    # Groups and meters

    def _put(self, kind, objects, texts):
        """Put one of `texts` under its number; method and text."""
        number, text = self.random.choice(texts)
        verb = "modify" if number in objects else "add"
        objects[number] = text
        return f"{kind}.{verb}", text

    def group_put(self, state):
        name, bridge = self._bridge(state)
        kind = self.random.choice(("all", "select"))
        buckets = "".join(f",bucket=bucket_id:{n},actions=output:{self.random.randrange(2, OFPORTS)}"
                          for n in range(self.random.randint(1, 4)))
        number = self.random.randint(1, 4)
        method, text = self._put("group", bridge.groups,
                                 [(number, f"group_id={number},type={kind}{buckets}")])
        return method, {"bridge": name, "group": text}

    def meter_put(self, state):
        name, bridge = self._bridge(state)
        number = self.random.randint(1, 4)
        method, text = self._put("meter", bridge.meters, [
            (number, f"meter={number},{unit},bands=type=drop,rate={self.random.randint(1, 9999)}")
            for unit in ("kbps", "pktps")])
        return method, {"bridge": name, "meter": text}

    def _delete(self, state, kind, selector):
        """Delete a group or a meter, and the flows that name it."""
        name, bridge = self._bridge(state)
        objects = getattr(bridge, kind + "s")
        if not objects:
            return None
        number = self.random.choice(list(objects))
        del objects[number]
        for key in bridge.users(f"{kind}:{number}"):
            del bridge.flows[key]
            state.touch(name, key)
        return f"{kind}.delete", {"bridge": name, kind: f"{selector}={number}"}

    def group_del(self, state):
        return self._delete(state, "group", "group_id")

    def meter_del(self, state):
        return self._delete(state, "meter", "meter")

    # How often each
    KINDS = ((2, bridge_add), (1, bridge_del), (3, port_add), (3, port_del), (2, port_tag),
             (2, port_ids), (1, bridge_ids), (1, root_ids), (2, bridge_aging), (12, flow_add),
             (6, flow_modify), (6, flow_delete), (3, flow_replace), (4, flow_bundle),
             (3, group_put), (2, group_del), (3, meter_put), (2, meter_del))
