#!/usr/bin/env bash
# A full training step at 512 x 512, batch 1, in float32, in bfloat16, and with activations computed again:
# bash benchmarks/training.sh [FOLDER]. A quarter of an hour on two cores; the released network needs 12 GB.
set -euo pipefail
out=${1:-benchmarks/training}
common=(--training --sizes 512 --batches 1 --rounds 5 --warm_up 1 --seconds 30 --memory_limit 14)
ours=(tmunet_{t,s,b})
mkdir -p "$out"/{float32,bfloat16,checkpointing}
tmunet bench "${ours[@]}" tmunet_released_{t,b} ulite rolling_unet_s zigrir tinyunet nnunet unet "${common[@]}" \
  --out "$out/float32" | tee "$out/float32/bench.txt"
tmunet bench "${ours[@]}" "${common[@]}" --precision bfloat16 --out "$out/bfloat16" | tee "$out/bfloat16/bench.txt"
tmunet bench "${ours[@]}" "${common[@]}" --checkpointing --out "$out/checkpointing" | tee "$out/checkpointing/bench.txt"
