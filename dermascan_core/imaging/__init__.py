"""From upload bytes to the square that the network sees, and whether it can be judged at all."""
