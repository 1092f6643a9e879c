#!/usr/bin/env bash
# What the networks cost on a CUDA device, in about ten minutes: bash benchmarks/gpu.sh [FOLDER]
# Needs the package installed with its extras; writes FOLDER/float32, FOLDER/bfloat16, FOLDER/compiled and
# FOLDER/training (bench.csv, .json, .svg).
set -euo pipefail
out=${1:-benchmarks/gpu}
common=(--device cuda --sizes 512 --seconds 8)
tmunet bench "${common[@]}" --batches 1,4,16 --precision float32 --out "$out/float32"
tmunet bench "${common[@]}" --batches 1,4,16,64 --precision bfloat16 --out "$out/bfloat16"
tmunet bench tmunet_{t,s,b} tmunet_{t,s,b}@compile tinyunet tinyunet@compile ulite ulite@compile "${common[@]}" --batches 1,16 \
  --precision bfloat16 --out "$out/compiled"
tmunet bench tmunet_{t,s,b} tmunet_released_{t,b} tinyunet ulite unet "${common[@]}" --batches 1,16 --training \
  --precision bfloat16 --out "$out/training"
