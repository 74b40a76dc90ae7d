"""Instance principals: the SDK's own signer against the simulated metadata service."""

from datetime import timedelta
from typing import Any

import httpx
import oci
import pytest
from oci.exceptions import ServiceError

from tests.oci_world import COMPARTMENT, OciWorld, wall_now


@pytest.fixture
def signer(tenancy: OciWorld, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OCI_METADATA_BASE_URL", tenancy.url + "/opc/v2")
    return oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
        federation_endpoint=tenancy.url + "/v1/x509"
    )


def compute(tenancy: OciWorld, signer: Any) -> Any:
    return oci.core.ComputeManagementClient({}, signer=signer, service_endpoint=tenancy.url)


def test_an_instance_signs_with_a_token_of_its_certificate(tenancy: OciWorld, signer: Any) -> None:
    pool = tenancy.add_pool(size=1)
    client = compute(tenancy, signer)
    assert client.list_instance_pools(COMPARTMENT).data[0].id == pool.id
    details = oci.core.models.UpdateInstancePoolDetails(size=2)
    assert client.update_instance_pool(pool.id, details).data.size == 2
    assert signer.tenancy_id == tenancy.config["tenancy"]
    assert signer.region == "eu-frankfurt-1"
    operations = [entry.operation for entry in tenancy.world.requests.entries]
    assert operations[0] == "GetInstancePrincipalToken"
    assert str(tenancy.world.requests.entries[-1].user).startswith("ocid1.instance.")


def test_an_expired_token_is_refused_and_renewed_by_the_sdk(tenancy: OciWorld, signer: Any) -> None:
    tenancy.add_pool()
    client = compute(tenancy, signer)
    client.list_instance_pools(COMPARTMENT)
    token = signer.federation_client.security_token.security_token
    keys = tenancy.world.keys
    principal, key, expires_at = keys._sessions[f"ST${token}"]
    assert timedelta(minutes=19) < expires_at - wall_now() <= timedelta(minutes=20)
    keys.open_session(token, principal, key, wall_now())
    tenancy.world.requests.clear()
    assert len(client.list_instance_pools(COMPARTMENT).data) == 1
    seen = [(entry.operation, entry.status) for entry in tenancy.world.requests.entries]
    assert seen == [
        ("ListInstancePools", 401),
        ("GetInstancePrincipalToken", 200),
        ("ListInstancePools", 200),
    ]


def test_a_made_up_token_is_refused(tenancy: OciWorld, signer: Any) -> None:
    tenancy.add_pool()
    key = signer.session_key_supplier.get_key_pair()["private"]
    client = compute(tenancy, oci.auth.signers.SecurityTokenSigner("made.up.token", key))
    with pytest.raises(ServiceError) as caught:
        client.list_instance_pools(COMPARTMENT)
    assert (caught.value.status, caught.value.code) == (401, "NotAuthenticated")


def test_a_token_request_needs_the_certificates_key(tenancy: OciWorld, signer: Any) -> None:
    with httpx.Client(trust_env=False) as client:
        answer = client.post(tenancy.url + "/v1/x509", json={"publicKey": "x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "NotAuthenticated")


def test_metadata_asks_for_the_header_of_its_second_version(tenancy: OciWorld) -> None:
    url = tenancy.url + "/opc/v2/instance"
    with httpx.Client(trust_env=False) as client:
        assert client.get(url).status_code == 401
        found = client.get(url, headers={"Authorization": "Bearer Oracle"}).json()
    assert found["region"] == "eu-frankfurt-1"
