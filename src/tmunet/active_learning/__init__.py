"""Active learning: which images to correct next, and a model that is trained on with the corrected masks (`tmunet loop`)."""
