# SPDX-License-Identifier: Apache-2.0
"""What the system tests are made of: a switch of one's own, guests, namespaces, frames.

Everything here starts real processes, waits for what they say or for a state that can be asked,
and ends what it started, by process id.
"""
