"""Cameras that do not exist, as real RTSP servers: for the demo, the tests and `vms-privacy camera-sim`.

Promise: every picture says which camera made it, as the how-manieth, and when, and carries a secret mark in its
pixels and in its bytes; so what comes out of the service at any end can be accounted for picture by picture.
The layout is in docs/design/simulator.md. Guarded by tests/properties/test_bar_code.py.
"""
