"""What operators take that are not Kubernetes' own: of each, as much as is used here."""

from typing import Any

import jsonschema
import kubernetes_validate

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
LABELS: Schema = {"type": "object", "required": ["matchLabels"], "properties": {"matchLabels": TEXTS}}


def known(required: str, **properties: Schema) -> Schema:
    """A map of these keys and no others, some of which have to be there."""
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def several(of: Schema) -> Schema:
    return {"type": "array", "items": of, "minItems": 1}


RULE = known(
    "alert expr labels annotations",
    alert={"type": "string", "pattern": "^[A-Z][A-Za-z]+$"},
    expr=TEXT,
    labels=TEXTS,
    annotations=TEXTS,
    **{"for": {"type": "string", "pattern": "^[0-9]+[smh]$"}},
)
ENDPOINT = known(
    "port path interval",
    port=TEXT,
    path=TEXT,
    interval={"type": "string", "pattern": "^[0-9]+s$"},
    params={"type": "object", "additionalProperties": several(TEXT)},
    relabelings=several(known("targetLabel replacement", targetLabel=TEXT, replacement=TEXT)),
    metricRelabelings=several(known("action sourceLabels regex", action=TEXT, sourceLabels=several(TEXT), regex=TEXT)),
)
TRIGGER = known(
    "type metadata authenticationRef", type=TEXT, metadata=TEXTS, authenticationRef=known("name", name=TEXT)
)
# Of each kind its API's version, and its spec.
SCHEMAS: dict[str, tuple[str, Schema]] = {
    "RabbitmqCluster": (
        "rabbitmq.com/v1beta1",
        known(
            "replicas image persistence resources rabbitmq override",
            replicas={"enum": [1, 3, 5]},
            image=TEXT,
            persistence=known("storage", storage=TEXT, storageClassName=TEXT),
            resources={"type": "object"},
            rabbitmq=known(
                "additionalConfig advancedConfig",
                additionalConfig={"type": "string", "maxLength": 2000},
                advancedConfig=TEXT,
            ),
            override=known("statefulSet", statefulSet={"type": "object"}),
        ),
    ),
    "ServiceMonitor": (
        "monitoring.coreos.com/v1",
        known("selector endpoints", selector=LABELS, endpoints=several(ENDPOINT)),
    ),
    "PrometheusRule": (
        "monitoring.coreos.com/v1",
        known("groups", groups=several(known("name rules", name=TEXT, rules=several(RULE)))),
    ),
    "ScaledObject": (
        "keda.sh/v1alpha1",
        known(
            "scaleTargetRef minReplicaCount maxReplicaCount triggers",
            scaleTargetRef=known("name", name=TEXT),
            minReplicaCount={"type": "integer", "minimum": 0},
            maxReplicaCount={"type": "integer", "minimum": 1},
            pollingInterval={"type": "integer"},
            cooldownPeriod={"type": "integer"},
            fallback=known(
                "failureThreshold replicas", failureThreshold={"type": "integer"}, replicas={"type": "integer"}
            ),
            triggers=several(TRIGGER),
        ),
    ),
    "TriggerAuthentication": (
        "keda.sh/v1alpha1",
        known(
            "secretTargetRef",
            secretTargetRef=several(known("parameter name key", parameter=TEXT, name=TEXT, key=TEXT)),
        ),
    ),
}


def complaints(thing: dict[str, Any]) -> list[str]:
    """Say what is wrong with a custom resource, and with the pods that it is to have."""
    version, schema = SCHEMAS[thing["kind"]]
    found = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(thing["spec"])]
    if thing["apiVersion"] != version:
        found.append(f"{thing['kind']} is of {version}")
    if override := thing["spec"].get("override"):
        pod = override["statefulSet"]["spec"]["template"]["spec"]
        as_pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod}
        kubernetes_validate.validate(as_pod, "1.27", strict=True)
    return found
