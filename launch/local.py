"""Several processes on this machine: python launch/local.py -n 2 -- jssl pretrain --config ... --workdir ...

Each drives as many GPUs as --devices says, their share of all by default; without GPUs, as many virtual CPU devices, one by
default. One process can drive all the GPUs of a machine, so this is for trying out how a run behaves on a cluster, and for
machines where several processes are faster. When one dies the others are ended, and all start again from the last checkpoint.
"""

import argparse
import glob
import os
import socket
import sys

from jssl.supervise import Start, supervise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=2, help="processes")
    parser.add_argument("--devices", type=int, help="GPUs, or CPU devices, of each process")
    parser.add_argument("--restarts", type=int, default=3, help="how often all start again after one has died")
    parser.add_argument("--heartbeat", type=int, help="seconds of silence after which a process is taken for dead (60)")
    parser.add_argument("command", nargs="+", help="after --: what each process runs")
    args = parser.parse_args()
    devices = args.devices or max(1, len(glob.glob("/dev/nvidia[0-9]*")) // args.n)

    def starts():
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            port = probe.getsockname()[1]
        return [Start(args.command, _variables(process, port)) for process in range(args.n)]

    def _variables(process, port):
        own = range(process * devices, (process + 1) * devices)
        variables = {
            "JSSL_COORDINATOR": f"localhost:{port}",
            "JSSL_PROCESSES": str(args.n),
            "JSSL_PROCESS": str(process),
            "JAX_NUM_CPU_DEVICES": str(devices),
            "JAX_LOCAL_DEVICE_IDS": ",".join(map(str, own)),  # of GPUs
        }
        return variables | ({"JSSL_HEARTBEAT": str(args.heartbeat)} if args.heartbeat else {})

    return supervise(starts, restarts=args.restarts)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
