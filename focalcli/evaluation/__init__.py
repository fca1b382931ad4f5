"""From detections and annotations to numbers, curves and reasons."""
