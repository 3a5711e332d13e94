# Man pages, examples, pictures.
EXTRA_DIST += \
	assets/examples/flask-gunicorn.ini \
	assets/examples/flask_app.py \
	assets/examples/http-server.ini \
	assets/examples/remote.ini
dist_man_MANS += assets/man/autoscaler.ini.5 assets/man/ascale-app.1 assets/man/ascale-load.1
dist_man_MANS += assets/man/ascale-tui.1 assets/man/ascale-balance.1
EXTRA_DIST += \
	assets/pictures/main.svg \
	assets/pictures/make.py

# Draws the picture anew from a live run of a minute; needs pyte. Look at it before committing it.
.PHONY: pictures
pictures: $(bin_PROGRAMS) $(pkglibexec_PROGRAMS)
	$(AM_V_GEN)$(PYTHON3) '$(srcdir)/assets/pictures/make.py' .
