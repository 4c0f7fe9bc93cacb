"""Every refusal has an RTSP status and every status its words."""

from streams.rtsp import errors
from streams.rtsp.statuses import OF_CODE, OF_KIND, REASON, status_of
from vms_privacy.errors import Kind, Refusal


def test_every_kind_of_refusal_has_a_status_with_words() -> None:
    assert set(OF_KIND) == set(Kind)
    assert set(OF_KIND.values()) | set(OF_CODE.values()) <= set(REASON)


def test_every_refusal_of_the_server_has_a_code_of_its_own() -> None:
    refusals = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Refusal)]
    codes = [refusal.code for refusal in refusals if refusal is not Refusal]
    assert len(codes) == len(set(codes))
    assert set(OF_CODE) <= set(codes)


def test_a_code_may_say_more_than_its_kind() -> None:
    assert status_of(errors.NoSuchTrack("none")) == 404
    assert status_of(errors.NoSuchSession("none")) == 454
