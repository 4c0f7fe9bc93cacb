"""Answers to challenges, with the examples of the RFCs."""

import base64

import pytest

from streams.media.rtsp_credentials import Challenge, Login, answer, strongest

MUFASA = Login("Mufasa", "Circle of Life")
REALM = 'realm="http-auth@example.org"'
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_is_that_of_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    challenge = strongest([f'Digest {REALM}, qop="auth, auth-int", algorithm={algorithm}, nonce="{NONCE}", opaque="o"'])
    assert challenge is not None
    client_nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    value = answer(challenge, MUFASA, "GET", "/dir/index.html", 1, client_nonce)
    assert f'response="{response}"' in value
    assert "nc=00000001" in value
    assert "qop=auth" in value
    assert 'opaque="o"' in value


def test_digest_without_qop_is_that_of_rfc_2617() -> None:
    challenge = strongest(['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'])
    assert challenge is not None
    value = answer(challenge, Login("Mufasa", "CircleOfLife"), "GET", "/dir/index.html", 1, "unused")
    # RFC 2617, 3.5 computes with qop; without it, 3.2.2.1 leaves nonce count and client nonce out.
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in value
    assert "cnonce" not in value
    assert "algorithm" not in value


def test_a_session_key_is_made_with_both_nonces() -> None:
    challenge = Challenge("md5", "x", "n", wants_qop=True, is_session=True)
    value = answer(challenge, MUFASA, "PLAY", "rtsp://camera.example.org/", 2, "c")
    assert "algorithm=MD5-sess" in value
    assert 'cnonce="c"' in value
    assert "nc=00000002" in value


def test_basic_is_that_of_rfc_7617() -> None:
    challenge = strongest(['Basic realm="WallyWorld"'])
    assert challenge is not None
    assert (
        answer(challenge, Login("Aladdin", "open sesame"), "PLAY", "x", 1, "") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    )
    accents = answer(challenge, Login("test", "123£"), "PLAY", "x", 1, "").split()[1]
    assert base64.b64decode(accents).decode() == "test:123£"


def test_the_strongest_way_is_taken_wherever_it_stands() -> None:
    basic, md5 = 'Basic realm="x"', 'Digest realm="x", nonce="a"'
    sha = 'Digest realm="x", nonce="b", algorithm=SHA-256'
    for headers in ([basic, md5, sha], [sha, basic], [f"{basic}, {md5}, {sha}"], [f"{sha}, {md5}", basic]):
        challenge = strongest(headers)
        assert challenge is not None
        assert (challenge.algorithm, challenge.nonce) == ("sha-256", "b")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Negotiate",
        "Bearer x",
        "Digest realm=x",
        'Digest nonce="a", algorithm=SHA-512',
        'Digest nonce="a", qop="auth-int"',
    ],
)
def test_a_way_that_we_do_not_know_is_none(header: str) -> None:
    assert strongest([header]) is None


def test_a_quote_in_a_name_cannot_begin_another_parameter() -> None:
    challenge = strongest(['Digest realm="a\\"b", nonce="n"'])
    assert challenge is not None
    value = answer(challenge, Login('eve", uri="/other', "x"), "PLAY", "rtsp://camera.example.org/", 1, "c")
    assert 'username="eve\\", uri=\\"/other"' in value
    assert 'realm="a\\"b"' in value


def test_no_login_shows_itself() -> None:
    assert "Circle" not in repr(MUFASA) + repr(Challenge("md5", "realm", "nonce"))
    assert "nonce=" not in repr(Challenge("md5", "realm", "nonce"))
