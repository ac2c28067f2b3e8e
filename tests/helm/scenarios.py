"""Values that the chart is rendered with."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.helm.rendering import Thing, render

Values = dict[str, Any]

SECRET: Values = {"secrets": {"existingSecret": "batchline"}}
PROMETHEUS: Values = {
    "prometheus": {
        "serverAddress": "http://prometheus:9090",
        "labels": {"namespace": "work"},
        "authenticationRef": "prometheus",
        "authModes": "bearer",
    }
}
PLACED: Values = {
    "podAnnotations": {"team": "batch"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "batch", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
}
SPREAD: Values = {
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "web"}},
        }
    ]
}
NO_BUDGET: Values = {"disruptionBudget": {"enabled": False}}

SCENARIOS: dict[str, Values] = {
    "default": SECRET,
    "keda": {
        **SECRET,
        "autoscaling": PROMETHEUS,
        "worker": {"autoscaling": {"kind": "keda", "minReplicas": 0}},
        "slow": {"autoscaling": {"kind": "keda"}},
    },
    "hpa": {
        **SECRET,
        "autoscaling": PROMETHEUS,
        "worker": {"autoscaling": {"kind": "hpa"}},
        "slow": {"autoscaling": {"kind": "hpa"}},
    },
    "owner": {
        **SECRET,
        "migrate": {"existingSecret": "owner", "role": "processes", "rolePassword": True},
    },
    "little": {
        **SECRET,
        "migrate": {"enabled": False},
        "web": NO_BUDGET,
        "worker": NO_BUDGET,
        "slow": NO_BUDGET,
        "serviceAccount": {"create": False},
    },
    "everything": {
        "nameOverride": "items",
        "secrets": {
            "existingSecret": "vault",
            "variables": [
                "DATABASE_URL", "REDIS_URL", "BROKER_URL", "HTTP_HANDLER_BASES", "METRICS_TOKEN",
            ],
            "revision": "2",
        },
        "image": {"repository": "our/shop", "digest": f"sha256:{'0' * 64}", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "pull"}],
        "settings": {
            "MAX_ITEMS_STREAM": 5000000,
            "MAX_STREAM_BYTES": 8589934592,
            "SLICE_TARGET_SECONDS": 0.5,
            "WEBHOOK_SHOW_BODIES": True,
            "WEBHOOK_ALLOW": "hooks.internal,10.1.0.0/16",
            "QUOTA_WEBHOOKS": "none",
        },
        "extraEnv": [{"name": "SHOP_MODE", "value": "live"}],
        "extraEnvFrom": [{"configMapRef": {"name": "shop"}}],
        "extraVolumes": [{"name": "certificates", "secret": {"secretName": "ca"}}],
        "extraVolumeMounts": [{"name": "certificates", "mountPath": "/certificates"}],
        "handlers": ["shop.handlers", "more"],
        "web": {
            "forwardedAllowIps": "10.0.0.0/8",
            "bindHost": "::",
            "processes": 4,
            "drainSeconds": 15,
            "service": {"type": "NodePort", "annotations": {"a": "b"}},
            **PLACED,
            **SPREAD,
        },
        "worker": {
            "stopSeconds": 90.5,
            "concurrency": 8,
            "livenessProbe": True,
            **PLACED,
            **SPREAD,
        },
        "slow": {"disruptionBudget": {"maxUnavailable": "50%"}, "memoryMib": 0},
        "beat": PLACED,
        "flower": {"enabled": True, **PLACED},
        "serviceAccount": {"name": "ours"},
        "networkPolicy": {
            "enabled": True,
            "webFrom": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
            "workerEgress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
        },
    },
}  # fmt: skip


@cache
def rendered(name: str) -> tuple[Thing, ...]:
    """The objects of a scenario. Nobody may change them: all tests of a process share them."""
    return tuple(render(SCENARIOS[name]))
