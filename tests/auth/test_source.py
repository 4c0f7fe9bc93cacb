"""Where an open request comes from."""

from fastapi import Request

from auth.source import Sources


def source_of(host: str | None) -> str:
    client = None if host is None else (host, 40000)
    return Sources(lambda text: f"pseudonym of {text}")(Request({"type": "http", "headers": [], "client": client}))


def test_one_ipv6_network_is_one_source() -> None:
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:1") == "pseudonym of 2001:db8::"
    assert source_of("2001:db8:0:1::1") != source_of("2001:db8::1")
    assert source_of("fe80::1%eth0") == source_of("fe80::2%eth1")


def test_ipv4_addresses_are_told_apart_and_no_address_is_a_source_too() -> None:
    assert source_of("192.0.2.1") == "pseudonym of 192.0.2.1"
    assert source_of("::ffff:192.0.2.1") == "pseudonym of ::ffff:192.0.2.1"
    assert source_of(None) == "pseudonym of "
