"""Inference backends: PyTorch, ONNX Runtime, OpenVINO."""
