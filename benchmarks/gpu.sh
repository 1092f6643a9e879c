#!/usr/bin/env bash
# Benchmark the networks on a CUDA device, about ten minutes: bash benchmarks/gpu.sh [FOLDER]
# Needs the package installed with its extras; writes FOLDER/graph (CUDA graphs), bfloat16, training, tf32, float32 and compiled
# (torch.compile), each with bench.csv, .json, .svg, .pdf and .txt. The most important come first.
set -euo pipefail
out=${1:-benchmarks/gpu}

measure() { # FOLDER ARGUMENTS...
  mkdir -p "$out/$1"
  tmunet bench "${@:2}" --device cuda --sizes 512 --seconds 8 --out "$out/$1" | tee "$out/$1/bench.txt"
}

every=(tmunet_{t,s,b} ulite unext{,_s} mkunet tinyunet rolling_unet_{s,l} unet zigrir nnunet tmunet_released_{t,b})
measure graph "${every[@]/%/@cudagraph}" --batches 1,4,16,64 --precision bfloat16 --memory=false --reference tmunet_b@cudagraph
measure bfloat16 "${every[@]}" --batches 1,4,16,64 --precision bfloat16 --memory=false
measure training tmunet_{t,s,b} tmunet_released_{t,b} tinyunet ulite unet --batches 16 --precision bfloat16 --training
measure tf32 "${every[@]}" --batches 1,16,64 --precision tf32 --memory=false
measure float32 "${every[@]}" --batches 1,16,64 --memory=false
measure compiled tmunet_b@compile ulite@compile tinyunet@compile --batches 1,16 --precision bfloat16 --memory=false
