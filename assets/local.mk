# Man pages, examples, pictures.
EXTRA_DIST += \
	assets/examples/flask-gunicorn.ini \
	assets/examples/flask_app.py \
	assets/examples/http-server.ini \
	assets/examples/remote.ini
dist_man_MANS += assets/man/autoscaler.ini.5 assets/man/ascale-app.1 assets/man/ascale-load.1
dist_man_MANS += assets/man/ascale-tui.1
