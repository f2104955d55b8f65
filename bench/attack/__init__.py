"""What hostile accounts try, each with bounds on memory, on what others wait for, and on time: `make attack`."""
