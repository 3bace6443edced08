"""Content-addressed files: blobs named by their SHA-256, manifests that name the files of a folder. No tables."""
