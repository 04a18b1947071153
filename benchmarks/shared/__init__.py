"""What several benchmarks use: machine, tables, records, turns, real data sets."""
