"""What Modelwright puts into every run and replica: capture, client, model server."""
