"""What anchors and focal loss do to a data set."""
