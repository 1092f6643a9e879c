"""Video segmentation: frames in and out through the user's ffmpeg, threads that overlap, latency, temporal hysteresis."""
