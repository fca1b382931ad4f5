"""Pixels: decoding, sizes, fitting to the network, tiles, drawing. Never imports torch."""
