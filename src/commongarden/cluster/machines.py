"""The machines of the cluster that this process is connected to."""

from __future__ import annotations

from typing import Any


def listed() -> list[dict[str, Any]]:
    """A row for each machine: its name and address, what it has and what is free of it, in CPUs, GPUs and GiB."""
    import ray
    from ray._private.state import available_resources_per_node

    free = available_resources_per_node()
    return [
        {
            "host": machine["NodeManagerHostname"],
            "address": machine["NodeManagerAddress"],
            "alive": machine["Alive"],
            "cpus": free.get(machine["NodeID"], {}).get("CPU", 0.0),
            "all_cpus": machine["Resources"].get("CPU", 0.0),
            "gpus": free.get(machine["NodeID"], {}).get("GPU", 0.0),
            "all_gpus": machine["Resources"].get("GPU", 0.0),
            "memory": machine["Resources"].get("memory", 0.0) / 2**30,
        }
        for machine in ray.nodes()
    ]
