"""Makes what a release consists of, the same bytes wherever it is made: `make dist`."""
