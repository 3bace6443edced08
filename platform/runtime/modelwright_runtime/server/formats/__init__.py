"""The ways of computing predictions, one module each, chosen by what an MLmodel file says loads the model."""
