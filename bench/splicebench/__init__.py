"""The part of splicebench that compares proxies: it builds the network, starts
the subjects, runs the load generator in interleaved rounds and reports."""
