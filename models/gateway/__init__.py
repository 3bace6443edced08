"""The data plane: keys, validation, batching and the spool. No Django here."""
