"""Two live agents on one node's key: a cloned machine, or a key that was copied. Pure.

A restarted agent is a new boot too, and a late heartbeat of the boot before may still come. So the
boot that was displaced is remembered as a witness: only when it has been heard three more times,
with a new sequence each time, while another boot is alive, are there two agents. From then on the
boot that is the node stays so until it falls silent, and every other one only observes.
"""

from datetime import datetime
from enum import Enum

from central.ingest.model import RIVAL_BEATS, NodeState, Rival
from shared.wire import Heartbeat


class Hearing(Enum):
    """What a heartbeat is to its node."""

    NEWEST = "it says something new of the boot that is the node, or of the one that follows it"
    RIVAL = "a displaced boot is alive beside the one that is the node"
    LATE = "a repeat, one that was overtaken, or one of a boot that does not count"


def hear(node: NodeState, beat: Heartbeat) -> Hearing:
    """Say what a heartbeat is; nothing is changed by it."""
    if beat.boot_id == node.boot_id:
        return Hearing.NEWEST if beat.sequence > node.sequence else Hearing.LATE
    rival = node.rival
    is_witness = rival is not None and beat.boot_id == rival.boot_id
    if rival is not None and is_witness and beat.sequence <= rival.sequence:
        return Hearing.LATE
    if node.is_silent:
        return Hearing.NEWEST  # whoever still speaks is the node
    if is_witness:
        return Hearing.RIVAL
    if beat.boot_id == node.previous_boot_id or node.has_duplicate:
        return Hearing.LATE
    return Hearing.NEWEST


def follow(node: NodeState, beat: Heartbeat) -> None:
    """Make a heartbeat's boot the node's; the one before is listened for, unless one is already."""
    if beat.boot_id != node.boot_id:
        rival = node.rival
        if node.boot_id is not None and (
            rival is None or not rival.is_live or rival.boot_id == beat.boot_id
        ):
            node.rival, node.rival_changed = Rival(node.boot_id, node.sequence), True
        node.previous_boot_id, node.boot_id = node.boot_id, beat.boot_id
    node.sequence = beat.sequence
    node.is_silent = beat.goodbye


def count(node: NodeState, beat: Heartbeat, now: datetime) -> bool:
    """Count a heartbeat of the witness; whether it proves, for the first time, a second agent."""
    before = node.rival
    beats = before.beats if before is not None and before.is_live else 0
    since = before.since if before is not None and beats else None
    proves = beats + 1 == RIVAL_BEATS
    node.rival = Rival(beat.boot_id, beat.sequence, beats + 1, True, now if proves else since)
    node.rival_changed = True
    return proves
