"""Footage of a stage's camera that was recorded, has expired and is destroyed: what a receipt is signed over."""

from dataclasses import replace
from datetime import timedelta

from archive.recorder.camera import CameraRecorder
from archive.recorder.heads import Heads
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from streams.media.packets import Fragment
from tests.given.consent import opt_in
from tests.given.encoded import START_US, encoded
from tests.given.fragmented import fragments_of
from tests.given.stage import Stage

EXPIRES_IN = timedelta(hours=73)


def record(stage: Stage, seconds: float = 2.0) -> list[Fragment]:
    """Record some seconds of a real stream from now on; the clock follows it. Returns what was recorded."""
    parts, camera = stage.parts, stage.camera
    with parts.db.writing() as session:
        opt_in(parts.ledger, session, stage.app.clock, camera.operator_id, camera.camera_id)
    tools = parts.recorder_tools
    heads = Heads(tools.db, tools.ledger, tools.clock)
    recorder = CameraRecorder(tools, camera.operator_id, camera.camera_id, lambda _: None, lambda _, __: 0, heads)
    stream = encoded(seconds, gop=25)
    shift_us = micros(stage.app.clock.now()) - START_US + 1_000_000
    packets = [
        replace(one, arrived_at_us=one.arrived_at_us + shift_us, captured_at_us=one.captured_at_us + shift_us)
        for one in stream.packets
    ]
    fed = fragments_of(stream.epoch(), packets)
    recorder.begin("run-1", stream.epoch())
    for fragment in fed:
        late_us = fragment.last_arrived_at_us - micros(stage.app.clock.now())
        stage.app.forward(timedelta(microseconds=max(0, late_us)))
        recorder.take(fragment)
    recorder.lost(Why.CAMERA_LOST)
    return fed


def destroy(stage: Stage) -> None:
    """Record, and let the retention pass and the sweep come."""
    record(stage)
    stage.app.forward(EXPIRES_IN)
    assert stage.parts.eraser.sweep().erased
