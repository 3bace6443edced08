"""The model server: one process that loads one MLflow model and answers predictions on a Unix socket."""
