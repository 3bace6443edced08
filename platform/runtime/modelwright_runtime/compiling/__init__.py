"""Compiles an MLflow model to ONNX and proves that it answers the same. Runs in the model's own environment."""
