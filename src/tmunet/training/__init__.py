"""Training, by PyTorch Lightning. Importing this package loads neither torch nor Lightning."""
