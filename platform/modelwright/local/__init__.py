"""One machine's installation: embedded servers, the supervisor behind `up`, the demo. No Django here."""
