# ascale-launch, the helper that becomes an instance.
