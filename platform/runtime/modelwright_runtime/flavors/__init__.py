"""Flavours of Modelwright's own that any mlflow client can log; mlflow is imported where they are used."""
