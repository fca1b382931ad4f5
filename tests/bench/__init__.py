"""Benches: each measures focalcli and its peer on the same work in one run. Timings never decide a test."""
