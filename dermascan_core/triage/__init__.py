"""What to do next, and the words for it: the rules, the policy that applies them, every sentence of the product."""
