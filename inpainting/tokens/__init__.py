"""Images as grids of discrete tokens: tokenizers, which tokens a hole hides, and decoding."""
