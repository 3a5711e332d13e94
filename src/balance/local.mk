# ascale-balance, the data path.
