# Man pages, examples, pictures.
