"""Networks for other runtimes. Importing this package loads neither torch nor a runtime."""
