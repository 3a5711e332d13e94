# Man pages, examples, pictures.
EXTRA_DIST += \
	assets/examples/flask-gunicorn.ini \
	assets/examples/flask_app.py \
	assets/examples/http-server.ini
