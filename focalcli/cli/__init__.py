"""Words in, one library call, words out."""
