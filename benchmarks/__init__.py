"""Speed and memory of the layers and models, beside their rivals in the same run: ``python -m benchmarks.run``."""
