#!/usr/bin/env bash
# A full training step at 512 x 512, batch 1, in float32, in bfloat16, and with activations computed again:
# bash benchmarks/training.sh [FOLDER]. Some minutes on two cores; the released network needs 7 GB.
set -euo pipefail
out=${1:-benchmarks/training}
common=(--training --sizes 512 --batches 1 --rounds 3 --seconds 15 --memory-limit 14)
mkdir -p "$out"/{bfloat16,checkpointing}
tmunet bench tmunet_{t,s,b} tmunet_released_b ulite tinyunet "${common[@]}" --out "$out" | tee "$out/bench.txt"
tmunet bench tmunet_{t,s,b} "${common[@]}" --precision bfloat16 --out "$out/bfloat16" | tee "$out/bfloat16/bench.txt"
tmunet bench tmunet_{t,s,b} "${common[@]}" --checkpointing true --out "$out/checkpointing" | tee "$out/checkpointing/bench.txt"
