"""One process on each of several machines, over ssh: python launch/ssh.py host1,host2 -- jssl pretrain --config ... --workdir ...

The machines share the folder of the run, have jssl, and let this machine in without a password. Each process drives all
accelerators of its machine. When one dies the others are ended, and all start again from the last checkpoint; when this
program ends, however it does, they are asked to save and stop.
"""

import argparse
import os
import random
import shlex
import sys

from jssl.supervise import Start, supervise

# Signals come as lines of the standard input; its end means that the machine that launched is gone.
REMOTE = """
cd {directory} || exit 2
exec 3<&0
{command} <&- &
process=$!
( while read -r name; do kill -"$name" "$process"; done; kill -TERM "$process"; sleep 300; kill -KILL "$process" ) <&3 2>/dev/null &
reader=$!
wait "$process"
code=$?
kill "$reader" 2>/dev/null
exit "$code"
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "hosts", help="host1,host2,... or user@host1,...; the first one must be reachable by the others"
    )
    parser.add_argument(
        "--directory", default=os.getcwd(), help="where the command runs; this folder's path by default"
    )
    parser.add_argument("--port", type=int, help="of the first host; drawn by default")
    parser.add_argument("--ssh", default="ssh -o BatchMode=yes", help="the program, and its options")
    parser.add_argument("--restarts", type=int, default=3, help="how often all start again after one has died")
    parser.add_argument("--heartbeat", type=int, help="seconds of silence after which a process is taken for dead (60)")
    parser.add_argument("command", nargs="+", help="after --: what each process runs")
    args = parser.parse_args()
    hosts = args.hosts.split(",")

    def starts():
        port = args.port or random.randrange(20_000, 30_000)
        return [_start(process, port) for process in range(len(hosts))]

    def _start(process, port):
        variables = {
            "JSSL_COORDINATOR": f"{hosts[0].rpartition('@')[2]}:{port}",
            "JSSL_PROCESSES": len(hosts),
            "JSSL_PROCESS": process,
            **({"JSSL_HEARTBEAT": args.heartbeat} if args.heartbeat else {}),
        }
        command = shlex.join(["env", *(f"{name}={value}" for name, value in variables.items()), *args.command])
        script = REMOTE.format(directory=shlex.quote(args.directory), command=command)
        remote = [*shlex.split(args.ssh), hosts[process], f"sh -c {shlex.quote(script)}"]
        return Start(remote, where=hosts[process], by_line=True)

    return supervise(starts, restarts=args.restarts)


if __name__ == "__main__":
    sys.exit(main())
