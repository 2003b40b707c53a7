# SPDX-License-Identifier: Apache-2.0
"""A fixed number of frames that circle between two guests for ever.

Both guests send back what they receive, so the number of frames in flight never changes unless
one is lost. To see whether something lost frames: let them circle, do it, and harvest: a flow
drops them all, and its drops are counted. No rate, no timing, no tolerance.
"""
from .guest import Guest
from .waiting import wait_stable, wait_until

HARVEST = "0x4a41"  # cookie of the flows that take the frames out
FRAMES = 96  # fewer than any ring has room for


class PingPong:
    def __init__(self, switch, bridge, names=("vh1", "vh2"), ofports=(1, 2), mode="server",
                 **options):
        """Adds two vhostuser ports; `mode` is the switch's. Further options go to the guests."""
        self.switch, self.bridge, self.names, self.ofports = switch, bridge, names, ofports
        self.mode, self.options, self.guests = mode, options, []
        for name, ofport in zip(names, ofports):
            switch.add_port(bridge, name, type="vhostuser", mode=mode, ofport=ofport,
                            path=self.path(name))
        a, b = ofports
        switch.ofctl("add-flow", bridge, f"priority=1000,in_port={a},actions=output:{b}")
        switch.ofctl("add-flow", bridge, f"priority=1000,in_port={b},actions=output:{a}")

    def path(self, name):
        return self.switch.path(name + ".sock")

    def start_guest(self, index):
        guest = Guest([self.path(self.names[index])], server=self.mode == "client", core=None,
                      **self.options)
        self.guests.append(guest)
        return guest

    def start(self):
        """Start both guests and the frames."""
        guests = [self.start_guest(0), self.start_guest(1)]
        for guest, name in zip(guests, self.names):
            guest.ready()
            self.switch.wait_state(name, "running")
        guests[1].start()
        guests[0].start(FRAMES // 32)
        self.wait_moving()
        return self

    def crossed(self):
        """Frames that arrived at the second guest's port so far."""
        return self.switch.stats(self.names[1])["tx_packets"]

    def wait_moving(self, frames=2000):
        """Wait until so many more frames have crossed."""
        begin = self.crossed()
        wait_until(lambda: self.crossed() >= begin + frames, f"{frames} more frames to cross")

    def harvest(self):
        """Take all frames out of the circle and return how many there were."""
        a, b = self.ofports
        lines = [f"cookie={HARVEST},priority=60000,in_port={port},actions=drop" for port in (a, b)]
        self.switch.rpc("flow.bundle", bridge=self.bridge, lines="\n".join(lines))

        def taken():
            return self.switch.flow_packets(self.bridge, f"cookie={HARVEST}/-1")
        # They are all there once as many came as were sent, or none comes any more.
        return wait_stable(taken, "the frames taken out", quiet=0.5)

    def close(self):
        for guest in self.guests:
            guest.kill()
        for name in self.names:
            self.switch.rpc("port.del", name=name, if_exists=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
