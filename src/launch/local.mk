# ascale-launch, the helper that becomes an instance.
pkglibexec_PROGRAMS += ascale-launch
ascale_launch_SOURCES = src/launch/main.c
ascale_launch_LDADD = libcore.a
