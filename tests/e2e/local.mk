# End to end: pytest drives the built programs.
