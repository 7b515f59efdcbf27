"""What other systems send, brought into our own form; nothing of a file but what is named here is kept."""
