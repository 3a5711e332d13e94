# ascale-app, the demo web application.
