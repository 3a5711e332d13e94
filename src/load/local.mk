# ascale-load, the load generator.
