"""From a data set to weights: samples, schedule, loop, journal, resume."""
