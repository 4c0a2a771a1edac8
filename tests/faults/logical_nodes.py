"""A Ray cluster of logical nodes on this machine. Lines on standard input crash a node or let one join.

A process of its own, so that Ray's state and environment stay out of the tests'.
"""

import sys

from ray.cluster_utils import Cluster

# A lost node is noticed after about two seconds instead of thirty.
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}

if __name__ == "__main__":
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": QUICK}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(int(sys.argv[1]))]
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "crash":
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
        else:
            nodes.append(cluster.add_node(num_cpus=1))
        print("done", flush=True)
    cluster.shutdown()
