#!/bin/bash
# A run on all workers of a Cloud TPU slice, started again when one is lost:
#
#   launch/tpu_vm.sh my-slice us-central2-b jssl pretrain --config dino:small,imagenet --workdir /mnt/shared/runs/dino
#
# jssl is installed on the workers, and the workdir is a folder that all of them mount. JAX finds the workers of the slice by
# itself. RETRIES (10) is how often it starts again.

set -u
if [ $# -lt 3 ]; then
  echo "usage: $0 SLICE ZONE COMMAND..." >&2
  exit 2
fi
slice=$1 zone=$2
shift 2
# What an earlier try has left behind would keep the chips to itself. The shell becomes the command, and keeps its number.
# shellcheck disable=SC2016  # expanded on the workers
remote='if [ -f ~/.jssl.pid ]; then kill -KILL "$(cat ~/.jssl.pid)" 2>/dev/null; fi; echo $$ > ~/.jssl.pid; exec'
remote="$remote$(printf ' %q' "$@")"

for try in $(seq 0 "${RETRIES:-10}"); do
  gcloud compute tpus tpu-vm ssh "$slice" --zone="$zone" --worker=all --command="$remote"
  code=$?
  case $code in
    0 | 2 | 130 | 143) exit "$code" ;; # done; refused, with a line that says why; stopped by whoever asked
  esac
  echo "$slice: ended with code $code (try $try); starting again in 30 seconds" >&2
  sleep "${PAUSE:-30}"
done
exit "$code"
