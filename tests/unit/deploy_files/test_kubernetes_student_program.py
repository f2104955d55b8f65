"""The example of a Job for one student's program: Kubernetes' schemas take it, and it leaves nothing open."""

from typing import Any

import kubernetes_validate
import yaml

from tests.support.project import ROOT

THINGS = list(yaml.safe_load_all((ROOT / "examples/kubernetes/student-program.yaml").read_text()))


def of_kind(kind: str) -> Any:
    [found] = [thing for thing in THINGS if thing["kind"] == kind]
    return found


def test_kubernetes_takes_it() -> None:
    # The oldest schemas that know hostUsers.
    for thing in THINGS:
        for version in ("1.30", "1.37"):
            kubernetes_validate.validate(thing, version, strict=True)


def test_it_has_no_network_no_powers_no_account_and_an_end() -> None:
    job, policy = of_kind("Job")["spec"], of_kind("NetworkPolicy")["spec"]
    pod = job["template"]["spec"]
    [container] = pod["containers"]
    assert policy["podSelector"]["matchLabels"] == job["template"]["metadata"]["labels"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy
    assert not pod["automountServiceAccountToken"]
    assert not pod["hostUsers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    assert job["activeDeadlineSeconds"] == 30
    assert job["backoffLimit"] == 0
