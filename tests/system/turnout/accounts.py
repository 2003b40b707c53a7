# SPDX-License-Identifier: Apache-2.0
"""Where all packets have gone, exactly."""


def _split(drops):
    """(of what came by a port, of what it was to send)"""
    sending = sum(count for reason, count in drops.items() if reason.startswith("tx_"))
    return sum(drops.values()) - sending, sending


def assert_balanced(parts):
    """Counters, each {rx_packets, tx_packets, copies, forwarded, drops}, of all between whom packets
    went. At each, all that came and all copies were given to a port or dropped for a reason; and what
    ports were given they sent, or dropped for a reason. Returns how many came, copies included."""
    came = given = ended = 0
    for part in parts:
        dropped, unsent = _split(part["drops"])
        assert part["rx_packets"] + part["copies"] == part["forwarded"] + dropped, part
        came += part["rx_packets"] + part["copies"]
        given += part["forwarded"]
        ended += part["tx_packets"] + unsent
    assert given == ended, f"{given} were to be sent, {ended} were or were dropped: {parts}"
    return came


def of_ports(rows):
    """Such counters out of the rows of stats.ports."""
    return [{**row, **row["statistics"]} for row in rows]
