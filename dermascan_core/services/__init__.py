"""The verbs that pages and the command line share: screen one lesion, screen many photos, find the models."""
