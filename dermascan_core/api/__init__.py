"""The REST API: the services behind HTTP, with keys, limits, a bounded queue and answers that a program can read."""
