"""Dead letters: what they say, what they hide, how they come back."""
