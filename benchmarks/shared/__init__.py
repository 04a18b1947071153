"""Code shared by benchmarks: machine, tables, records, interleaved timing, real data sets."""
