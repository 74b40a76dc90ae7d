"""Who may call: signatures made by the SDK, and ways to spoil them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import oci
import pytest
from oci._vendor import requests
from oci.exceptions import ServiceError

from simulator.keys import ApiKey, generate
from simulator.server import running
from tests.oci_world import COMPARTMENT, OciWorld, stepped_world, wall_now


class Sent:
    """A request signed by the SDK's own signer, sent as it is or tampered with."""

    def __init__(self, tenancy: OciWorld, method: str, path: str, body: str | None = None) -> None:
        signer = oci.signer.Signer(
            tenancy.config["tenancy"],
            tenancy.config["user"],
            tenancy.config["fingerprint"],
            tenancy.config["key_file"],
        )
        request = requests.Request(method, tenancy.url + path, data=body)
        prepared = signer(request.prepare())
        self.method, self.url = method, str(prepared.url)
        self.headers = {key.lower(): str(value) for key, value in prepared.headers.items()}
        self.body = body

    def send(self) -> tuple[int, str]:
        headers = {k: v for k, v in self.headers.items() if k != "content-length"}
        with httpx.Client(trust_env=False) as client:
            answer = client.request(self.method, self.url, headers=headers, content=self.body)
        return answer.status_code, str(answer.json().get("code")) if answer.is_error else ""


@pytest.fixture
def update(tenancy: OciWorld) -> Sent:
    pool = tenancy.add_pool(size=1)
    return Sent(tenancy, "PUT", f"/20160918/instancePools/{pool.id}", json.dumps({"size": 2}))


def other_body(sent: Sent) -> None:
    sent.body = json.dumps({"size": 9})


def other_path(sent: Sent) -> None:
    sent.url += "x"


def other_query(sent: Sent) -> None:
    sent.url += "?force=true"


def other_method(sent: Sent) -> None:
    sent.method = "POST"
    sent.url = sent.url.split("/instancePools")[0].replace("20160918", "20180401/metrics")


def no_signature(sent: Sent) -> None:
    del sent.headers["authorization"]


def unknown_key(sent: Sent) -> None:
    sent.headers["authorization"] = sent.headers["authorization"].replace("user", "stranger")


def fewer_headers(sent: Sent) -> None:
    text = sent.headers["authorization"]
    sent.headers["authorization"] = text.replace(" x-content-sha256", "")


def garbled_signature(sent: Sent) -> None:
    text = sent.headers["authorization"]
    sent.headers["authorization"] = text.replace('signature="', 'signature="!')


def basic_authorization(sent: Sent) -> None:
    sent.headers["authorization"] = "Basic eDp5"


def date_moved_a_little(sent: Sent) -> None:
    sent.headers["date"] = format_datetime(wall_now() + timedelta(minutes=1), usegmt=True)


def test_an_untouched_request_is_served(update: Sent, tenancy: OciWorld) -> None:
    assert update.send() == (200, "")
    assert tenancy.world.pool("web").size == 2


@pytest.mark.parametrize(
    "tamper",
    [
        other_body,
        other_path,
        other_query,
        other_method,
        no_signature,
        unknown_key,
        fewer_headers,
        garbled_signature,
        basic_authorization,
        date_moved_a_little,
    ],
)
def test_a_tampered_request_is_refused_and_changes_nothing(
    tenancy: OciWorld, update: Sent, tamper: Callable[[Sent], None]
) -> None:
    tamper(update)
    assert update.send() == (401, "NotAuthenticated")
    assert tenancy.world.pool("web").size == 1


@pytest.mark.parametrize(("minutes", "accepted"), [(-6, False), (-4, True), (4, True), (6, False)])
def test_a_clock_may_be_five_minutes_off(
    key: ApiKey, tenancy: OciWorld, minutes: int, accepted: bool
) -> None:
    world = stepped_world(key)
    world.compartments.add(COMPARTMENT)
    world.wall = lambda: datetime.now(UTC) + timedelta(minutes=minutes)
    with running(world) as server:
        client = OciWorld(server, tenancy.config).compute
        if accepted:
            assert client.list_instance_pools(COMPARTMENT).data == []
            return
        with pytest.raises(ServiceError, match="not within allowed clock skew") as caught:
            client.list_instance_pools(COMPARTMENT)
    assert (caught.value.status, caught.value.code) == (401, "NotAuthenticated")


def test_simulated_time_has_no_say_in_signatures(tenancy: OciWorld) -> None:
    tenancy.add_pool()
    tenancy.world.advance(timedelta(days=3).total_seconds())
    assert len(tenancy.compute.list_instance_pools(COMPARTMENT).data) == 1


def test_somebody_elses_key_is_refused(tenancy: OciWorld, tmp_path: Path) -> None:
    stranger = generate(tmp_path, region="eu-frankfurt-1")
    tenancy.add_pool()
    config = oci.config.from_file(str(stranger.config_file))
    with pytest.raises(ServiceError) as caught:
        OciWorld(tenancy.running, config).compute.list_instance_pools(COMPARTMENT)
    assert (caught.value.status, caught.value.code) == (401, "NotAuthenticated")
    assert tenancy.world.requests.entries[-1].user is None


def test_the_fingerprint_is_the_one_that_the_sdk_checks(key: ApiKey) -> None:
    config = oci.config.from_file(str(key.config_file))
    oci.config.validate_config(config)
    assert config["fingerprint"] == key.fingerprint
    assert len(key.fingerprint.split(":")) == 16


def test_a_key_is_never_overwritten_and_is_private(key: ApiKey) -> None:
    with pytest.raises(FileExistsError):
        generate(key.private_key.parent, region="eu-frankfurt-1")
    assert key.private_key.stat().st_mode & 0o077 == 0
    assert key.config_file.stat().st_mode & 0o077 == 0
