"""What a network costs: arithmetic, time and memory."""
