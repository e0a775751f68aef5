"""How long a test waits for what has to come: long, since to be slow on a busy machine is no failure."""

PATIENCE_S = 120
