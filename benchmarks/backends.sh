#!/usr/bin/env bash
# Backends at 512 x 512, batch 1, in float32 and bfloat16: bash benchmarks/backends.sh [FOLDER]
set -euo pipefail
out=${1:-benchmarks}
common=(--sizes 512 --batches 1 --rounds 7 --seconds 20 --memory=false)
networks=()
for network in tmunet_{t,s,b} ulite tinyunet; do networks+=("$network" "$network"@{onnx,openvino}); done
networks+=({rolling_unet_s,nnunet,unet}@openvino zigrir)  # Zig-RiR cannot be written as ONNX
for folder in backends bfloat16; do mkdir -p "$out/$folder"; done
tmunet bench "${networks[@]}" tmunet_released_b "${common[@]}" --reference tmunet_released_b --out "$out/backends" \
  | tee "$out/backends/bench.txt"
tmunet bench tmunet_{t,s,b} tmunet_{t,s,b}@openvino "${common[@]}" --precision bfloat16 --reference tmunet_b \
  --out "$out/bfloat16" | tee "$out/bfloat16/bench.txt"
