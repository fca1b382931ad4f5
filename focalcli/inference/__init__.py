"""From images to `Detections`, whatever runs the network."""
